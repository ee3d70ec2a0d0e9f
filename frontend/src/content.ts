/** What a person sends: a text, and what is attached to it. */

import type { ContentBlock, TextBlock, UserBlock } from "./protocol";

/** A file that was uploaded, or what was shared of an object in a notebook. */
export type Attachment = Exclude<UserBlock, TextBlock>;

/** A JSON Schema that an answer is to have the shape of. */
export type OutputSchema = Readonly<Record<string, unknown>>;

/** What one message asks for; the same however often it is sent. */
export interface Question {
  readonly content: readonly UserBlock[];
  /** The shape of the answer that is wanted; absent: prose. */
  readonly output_schema?: OutputSchema;
  /** The user's message that it follows, `""` none; absent: as the chat goes on. */
  readonly parent?: string;
}

/** What a question may be made of. */
interface Asked {
  readonly content: readonly UserBlock[];
  readonly output_schema?: OutputSchema | null | undefined;
  readonly parent?: string | null | undefined;
}

/** The question of a content, and of nothing else that is beside it. */
export function questionOf({ content, output_schema, parent }: Asked): Question {
  return {
    content,
    ...(output_schema == null ? {} : { output_schema }),
    ...(parent == null ? {} : { parent }),
  };
}

/** The content of a message, the text first. */
export function contentOf(
  text: string,
  attachments: readonly Attachment[],
): readonly UserBlock[] {
  return text === "" && attachments.length > 0
    ? attachments
    : [{ type: "text", text }, ...attachments];
}

/** What was typed of a content, without what is attached. */
export function writtenText(content: readonly UserBlock[]): string {
  return content
    .map((block) => (block.type === "text" ? block.text : null))
    .filter((text) => text !== null)
    .join("\n\n");
}

/** What is attached to a message with these blocks. */
export function attachmentsOf(
  content: readonly (ContentBlock | null | undefined)[],
): readonly Attachment[] {
  return content.filter((block) => isAttachment(block));
}

/** What is attached, by name, for places that have room for words alone. */
export function attachmentNames(attachments: readonly Attachment[]): string {
  return attachments
    .map((one) => {
      if (one.type === "data") return `@${one.name}`;
      return one.type === "image" ? (one.alt ?? "") : (one.title ?? "");
    })
    .filter((name) => name !== "")
    .join(", ");
}

/** Whether a block is attached rather than typed. */
export function isAttachment(
  block: ContentBlock | null | undefined,
): block is Attachment {
  return (
    block?.type === "image" || block?.type === "document" || block?.type === "data"
  );
}

/**
 * The UTF-8 bytes of a message's text and shared data, which count to its limit;
 * `null` when they are within it.
 */
export function excessBytes(
  content: readonly UserBlock[],
  limit: number,
): number | null {
  const texts = content.map((block) => ("text" in block ? block.text : ""));
  // A character takes at most three bytes per unit: most texts need no counting.
  if (texts.reduce((sum, { length }) => sum + length, 0) * 3 <= limit) {
    return null;
  }
  const encoder = new TextEncoder();
  const bytes = texts.reduce((sum, text) => sum + encoder.encode(text).length, 0);
  return bytes > limit ? bytes : null;
}
