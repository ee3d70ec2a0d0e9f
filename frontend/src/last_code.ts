/** The code that an answer ended with, for a notebook that takes it. */

import type { Block } from "./markdown/block";
import { BlockParser } from "./markdown/blocks";
import type { MessageState } from "./view/types";

/** The last code block of the last answer that has one; `null` where there is none. */
export function lastCode(messages: readonly MessageState[]): string | null {
  const texts = messages
    .filter(({ role }) => role === "assistant")
    .flatMap(({ blocks }) => blocks)
    .filter(({ kind }) => kind === "text");
  return lastOf(texts, ({ text }) => lastCodeOf(text));
}

function lastCodeOf(markdown: string): string | null {
  const parser = new BlockParser();
  for (const line of markdown.split(/\r\n|\r|\n/)) parser.addLine(line);
  parser.finish();
  return lastIn(parser.root);
}

function lastIn(block: Block): string | null {
  if (block.kind === "code") return block.codeGroups.join("").replace(/\n$/, "");
  return lastOf(block.children, lastIn);
}

/** What `find` finds in the last of `all` that has any. */
function lastOf<One>(
  all: readonly One[],
  find: (one: One) => string | null,
): string | null {
  for (const one of [...all].reverse()) {
    const found = find(one);
    if (found !== null) return found;
  }
  return null;
}
