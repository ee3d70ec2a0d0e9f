/** Messages: what the reader wrote, and the pieces of what an agent answers. */

import { type Attachment, attachmentsOf, writtenText } from "../content";
import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { attachedTo, writtenTextOf } from "../turns";
import type { AttachmentSurroundings, AttachmentsView } from "./attachments";
import { arrange, make, makeButton, makeProse, setText } from "./element";
import { mayHelpAgain, needsNewConversation } from "./failures";
import {
  DataPart,
  DetailsPart,
  EmptyPart,
  type MessagePart,
  type MessageSurroundings,
  RedactedPart,
  TextPart,
  ThinkingPart,
  ToolPart,
} from "./message_parts";
import type { MessageTools, MessageToolsOptions } from "./message_tools";
import type { Extras, Parts } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { BlockState, ChatModel, MessageState, OutgoingMessage } from "./types";
import type { Toward } from "./versions";

export interface UserSurroundings
  extends AttachmentSurroundings,
    Pick<MessageToolsOptions, "selectVersion" | "sent"> {
  readonly parts: Parts;
  /** Show a fresh conversation; absent: not from here. */
  readonly newConversation: (() => void) | undefined;
}

/** What a message of the reader's asks of the chat. */
type UserModel = Pick<ChatModel, "resend" | "discard"> & MessageToolsOptions["model"];

/** The reader's own words, as they were typed. */
export class UserMessageView {
  readonly element = make("article", "user");
  readonly #model: UserModel;
  readonly #surroundings: UserSurroundings;
  readonly #bubble = makeProse("div", "user-bubble");
  readonly #footer = make("div", "user-footer");
  readonly #note = make("span", "user-note");
  readonly #remedies = make("span", "user-remedies");
  readonly #resend: HTMLButtonElement;
  readonly #fresh: HTMLButtonElement | null;
  readonly #attachments: Slot<Extras, AttachmentsView>;
  #shown: string | null = null;
  #clientMessageId = "";
  #tools: MessageTools | null = null;

  constructor(model: UserModel, surroundings: UserSurroundings) {
    this.#model = model;
    this.#surroundings = surroundings;
    const { signal, parts, newConversation } = surroundings;
    this.#attachments = new Slot({
      ...{ part: parts.extras, name: strings.attached, signal },
      make: ({ AttachmentsView }) => new AttachmentsView(surroundings),
    });
    this.element.setAttribute("aria-label", strings.you);
    const resend = (): void => model.resend(this.#clientMessageId);
    const discard = (): void => model.discard(this.#clientMessageId);
    const button = (label: string, act: () => void) =>
      makeButton("quiet-button", label, act, signal);
    this.#resend = button(strings.sendAgain, resend);
    this.#fresh = newConversation
      ? button(strings.newConversation, newConversation)
      : null;
    this.#remedies.append(
      ...(this.#fresh ? [this.#fresh] : []),
      this.#resend,
      makeButton("quiet-button", strings.discard, discard, signal),
    );
    this.#footer.append(this.#note, this.#remedies);
    this.element.append(this.#bubble, this.#attachments.element, this.#footer);
  }

  /** @param versions all versions of it that can be shown, in order */
  update(message: MessageState, versions: readonly string[]): void {
    void this.#showTools((tools) => tools.update(message, versions));
    this.#showText(writtenTextOf(message));
    this.#showAttachments(attachedTo(message));
    this.#showRemedies(null);
    this.#showState("sent", "");
  }

  /** Let the reader go on from the way to the version before or after. */
  focusVersions(toward: Toward): HTMLElement {
    this.#tools?.focusVersions(toward);
    return this.#tools?.element ?? this.element;
  }

  /** Whether an element is of this message. */
  has(element: Element): boolean {
    return this.element.contains(element);
  }

  /** Say what became of something that was asked of this message. */
  say(note: string): void {
    this.#showState("sent", note);
  }

  updateOutgoing(message: OutgoingMessage): void {
    this.#clientMessageId = message.client_message_id;
    this.#showText(writtenText(message.content));
    this.#showAttachments(attachmentsOf(message.content));
    this.#showRemedies(message.error);
    if (message.status === "sending") this.#showState("sending", strings.sending);
    else
      this.#showState("failed", `${strings.notSent} ${message.error?.message ?? ""}`);
  }

  /** Show what a message that was sent can be asked, once the code for it is there. */
  async #showTools(show: (tools: MessageTools) => void): Promise<void> {
    const { extras } = this.#surroundings.parts;
    if (this.#tools === null) {
      const module = extras.module ?? (await extras.load().catch(() => null));
      if (module === null) return; // it is said where it is asked for
      this.#tools ??= this.#makeTools(module);
    }
    show(this.#tools);
  }

  #makeTools({ MessageTools }: Extras): MessageTools {
    const { signal, selectVersion, sent } = this.#surroundings;
    const tools = new MessageTools({
      ...{ signal, model: this.#model, selectVersion, sent },
      editing: (isEditing) => {
        this.#bubble.classList.toggle("streamchat-rewritten", isEditing);
      },
    });
    this.#footer.before(tools.element);
    return tools;
  }

  #showRemedies(error: OutgoingMessage["error"]): void {
    this.#resend.hidden = !mayHelpAgain(error);
    if (this.#fresh) this.#fresh.hidden = !needsNewConversation(error);
  }

  #showAttachments(attachments: readonly Attachment[]): void {
    this.#attachments.show(attachments.length > 0, (view) => view.update(attachments));
  }

  #showText(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#bubble.hidden = text === "";
    this.#bubble.replaceChildren();
    appendVisible(this.#bubble, showControls(text));
  }

  #showState(state: "sent" | "sending" | "failed", note: string): void {
    this.element.dataset["state"] = state;
    setText(this.#note, note.trim());
    this.#remedies.hidden = state !== "failed";
    this.#footer.hidden = note === "";
  }
}

/** Blocks that are shown as one: several only where they are pieces of one text. */
interface Run {
  readonly kind: string;
  readonly blocks: readonly BlockState[];
}

/** One message of an agent, block by block, without a frame of its own. */
export class AgentMessageView {
  readonly #surroundings: MessageSurroundings;
  readonly element = make("div", "message");
  readonly #blocks = make("div", "blocks");
  readonly #note = make("p", "message-note");
  #parts: MessagePart[] = [];
  #runs: readonly Run[] = [];

  constructor(surroundings: MessageSurroundings) {
    this.#surroundings = surroundings;
    this.#note.hidden = true;
    this.element.append(this.#blocks, this.#note);
  }

  /** Bring everything up to date with the message. */
  update(message: MessageState): void {
    this.#runs = this.#runsOf(message);
    this.#parts = this.#runs.map(({ kind }, at) => {
      const old = this.#parts[at];
      return old?.kind === kind ? old : this.#makePart(message.message, kind);
    });
    arrange(
      this.#blocks,
      this.#parts.map((part) => part.element),
    );
    this.#runs.forEach((run, at) => {
      this.#parts[at]?.update(run.blocks, isComplete(message, run));
    });
    this.#showNote(message);
  }

  /** Bring one block up to date: the cost of a token. */
  updateBlock(message: MessageState, blockId: string): void {
    const at = this.#runs.findIndex(({ blocks }) =>
      blocks.some(({ block }) => block === blockId),
    );
    const run = this.#runs[at];
    // What the first characters are may decide how a block is shown.
    const isOther = run?.blocks.some(
      (block) => this.#kindOf(message, block) !== run.kind,
    );
    if (run === undefined || isOther) this.update(message);
    else this.#parts[at]?.update(run.blocks, isComplete(message, run));
  }

  #runsOf(message: MessageState): readonly Run[] {
    const runs: { kind: string; blocks: BlockState[] }[] = [];
    for (const block of message.blocks) {
      const kind = this.#kindOf(message, block);
      const last = runs.at(-1);
      if (kind === "text" && last?.kind === kind) last.blocks.push(block);
      else runs.push({ kind, blocks: [block] });
    }
    return runs;
  }

  #kindOf(message: MessageState, block: BlockState): string {
    switch (block.kind) {
      case "text": {
        const isData = /^\s*[[{]/.test(block.text);
        return isData && this.#surroundings.wantsData(message.turn) ? "data" : "text";
      }
      case "thinking":
      case "tool_use":
        return block.kind;
      default:
        return this.#kindOfProvided(message, block);
    }
  }

  /** Tools of the endpoint are cards, as others are; their results are on the cards. */
  #kindOfProvided(message: MessageState, block: BlockState): string {
    const { content } = block;
    if (content?.type !== "provider") return block.text === "" ? "empty" : "tool_use";
    const { type, tool_use_id } = content.data;
    if (type === "redacted_thinking") return "redacted";
    const { findCall } = this.#surroundings;
    if (type === "server_tool_use") {
      const isKnown = findCall(message.message, block) !== undefined;
      return isKnown || message.status === "streaming" ? "tool_use" : "details";
    }
    const isResult = message.blocks.some(
      (other) =>
        other.content?.type === "provider" &&
        other.content.data["id"] === tool_use_id &&
        findCall(message.message, other) !== undefined,
    );
    return isResult ? "empty" : "details";
  }

  #makePart(message: string, kind: string): MessagePart {
    switch (kind) {
      case "text":
        return new TextPart(this.#surroundings);
      case "data":
        return new DataPart(this.#surroundings);
      case "thinking":
        return new ThinkingPart(this.#surroundings.signal);
      case "tool_use":
        return new ToolPart(message, this.#surroundings);
      case "details":
        return new DetailsPart(this.#surroundings);
      case "redacted":
        return new RedactedPart();
      default:
        return new EmptyPart();
    }
  }

  #showNote(message: MessageState): void {
    const discarded = message.status === "discarded";
    this.element.classList.toggle("streamchat-discarded", discarded);
    const note = discarded ? message.discard_reason || strings.discardedTry : "";
    setText(this.#note, note);
    this.#note.hidden = note === "";
    this.#blocks.hidden = discarded;
  }
}

function isComplete(message: MessageState, { blocks }: Run): boolean {
  return (
    message.status !== "streaming" || blocks.every(({ content }) => content != null)
  );
}
