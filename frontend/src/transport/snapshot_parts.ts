/** A state that came in parts, made whole again. */

import type {
  ContentBlock,
  WireBlockState,
  WireConversationState,
  WireMessageState,
} from "../protocol";

/**
 * Return the state of which these are all parts, in order.
 *
 * Lists go one after the other. Neighbours with the same id are pieces of one message,
 * whose blocks go one after the other, or of one block, whose text is appended and is
 * that of its content too. All else is as the first piece says.
 */
export function joinParts(
  parts: readonly WireConversationState[],
): WireConversationState {
  const pieces = parts.flatMap((part) => part.messages ?? []);
  return {
    ...parts[0],
    messages: runsOf(pieces, (piece) => piece.message).map(joinMessage),
    tool_calls: parts.flatMap((part) => part.tool_calls ?? []),
    turns: parts.flatMap((part) => part.turns ?? []),
  };
}

type Run<T> = readonly [T, ...T[]];

function runsOf<T>(items: readonly T[], idOf: (item: T) => string): Run<T>[] {
  const runs: [T, ...T[]][] = [];
  for (const item of items) {
    const run = runs.at(-1);
    if (run !== undefined && idOf(run[0]) === idOf(item)) {
      run.push(item);
    } else {
      runs.push([item]);
    }
  }
  return runs;
}

function joinMessage(run: Run<WireMessageState>): WireMessageState {
  const pieces = run.flatMap((piece) => piece.blocks ?? []);
  return { ...run[0], blocks: runsOf(pieces, (piece) => piece.block).map(joinBlock) };
}

function joinBlock(run: Run<WireBlockState>): WireBlockState {
  const [first] = run;
  if (run.length === 1) {
    return first;
  }
  const text = run.map((piece) => piece.text ?? "").join("");
  return { ...first, text, content: withText(first.content ?? null, text) };
}

function withText(content: ContentBlock | null, text: string): ContentBlock | null {
  switch (content?.type) {
    case "text":
      return { ...content, text };
    case "thinking":
      return { ...content, thinking: text };
    default:
      return content;
  }
}
