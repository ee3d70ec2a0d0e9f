/** What runs, what waits and what was asked, from the state. */

import { type Attachment, attachmentsOf, isAttachment } from "./content";
import type { ConversationState, MessageState, TurnState } from "./view/types";

/** Turns that are not over. */
export interface OpenTurns {
  readonly running: TurnState | undefined;
  /** In the order in which they will run. */
  readonly waiting: readonly TurnState[];
}

/** Whether a turn is over without ever having been answered. */
export function neverStarted({ status, started_ts }: TurnState): boolean {
  return status !== "queued" && started_ts == null;
}

/** Whether anything of a turn's answer came. */
export function hasAnswer({ messages }: ConversationState, turn: string): boolean {
  return messages.some(
    (message) =>
      message.role === "assistant" &&
      message.turn === turn &&
      message.blocks.length > 0,
  );
}

/** The turn that was started last. */
export function lastStarted({
  turns,
}: Pick<ConversationState, "turns">): TurnState | undefined {
  for (let at = turns.length - 1; at >= 0; at--) {
    if (turns[at]?.started_ts != null) return turns[at];
  }
  return undefined;
}

/** The turn that runs and those that wait: nothing that was started is after them. */
export function openTurns(state: Pick<ConversationState, "turns">): OpenTurns {
  const { turns } = state;
  const last = lastStarted(state);
  const waiting = turns
    .slice(last === undefined ? 0 : turns.lastIndexOf(last))
    .filter(({ status }) => status === "queued");
  return { running: last?.status === "running" ? last : undefined, waiting };
}

/** Whether a message that is sent now would have to wait. */
export function isBusy(state: Pick<ConversationState, "turns">): boolean {
  const { running, waiting } = openTurns(state);
  return running !== undefined || waiting.length > 0;
}

/** What was typed of a user's message, without what is attached. */
export function writtenTextOf(message: MessageState | undefined): string {
  return (message?.blocks ?? [])
    .filter(({ content }) => !isAttachment(content))
    .map(({ text }) => text)
    .join("\n\n");
}

/** What is attached to a message. */
export function attachedTo(message: MessageState | undefined): readonly Attachment[] {
  return attachmentsOf((message?.blocks ?? []).map(({ content }) => content));
}
