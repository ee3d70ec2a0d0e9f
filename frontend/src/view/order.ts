/** What the transcript shows, from top to bottom. */

import { isBusy, neverStarted } from "../turns";
import type { ConversationState, MessageState, TurnState } from "./types";

/** One thing under the other: a message of a reader's, or all that a turn answers. */
export type Place =
  | { readonly kind: "question"; readonly message: MessageState }
  | {
      readonly kind: "answer";
      readonly id: string;
      readonly messages: readonly MessageState[];
    };

/** Where an agent's message is shown; one without a turn is an answer of its own. */
export function answerIdOf(message: MessageState): string {
  return message.turn ?? `message:${message.message}`;
}

/** What is shown of a state: of its messages those of one branch. */
type Shown = Pick<ConversationState, "messages" | "turns">;

/** What of a state belongs to these of its messages. */
export function shownOf(
  { messages: all, turns }: ConversationState,
  messages: readonly MessageState[],
): Shown {
  const shown = new Set(messages);
  const hidden = new Set(
    all.filter((message) => !shown.has(message)).map(({ message }) => message),
  );
  return { messages, turns: turns.filter(({ message }) => !hidden.has(message)) };
}

/**
 * Put each question where its turn ran, whenever it was asked, and under it what was
 * answered, however the events of several turns are mixed. Messages that wait, or were
 * taken back while they did, are left out.
 */
export function readingOrder(state: Shown, busy = isBusy(state)): readonly Place[] {
  const answers = answersOf(state);
  const turns = new Map<string, TurnState[]>();
  for (const turn of state.turns) {
    turns.set(turn.message, [...(turns.get(turn.message) ?? []), turn]);
  }
  const places: Place[] = [];
  const addAnswer = (id: string): void => {
    const messages = answers.get(id);
    if (messages !== undefined) places.push({ kind: "answer", id, messages });
    answers.delete(id);
  };
  for (const message of inOrderOfTurns(state)) {
    const own = turns.get(message.message);
    if (message.role === "assistant") {
      addAnswer(answerIdOf(message));
    } else if (own?.some(isShown) ?? (message.turn == null || !busy)) {
      // One without a turn gets it with the next event; behind others it will wait.
      places.push({ kind: "question", message });
      for (const { turn } of own ?? []) addAnswer(turn);
    }
  }
  for (const id of answers.keys()) addAnswer(id);
  return places;
}

/** The messages of each answer, also of those that have none. */
function answersOf({ turns, messages }: Shown): Map<string, MessageState[]> {
  const shown = turns.filter(isShown);
  const answers = new Map(shown.map(({ turn }) => [turn, [] as MessageState[]]));
  for (const message of messages) {
    if (message.role === "user") continue;
    const id = answerIdOf(message);
    answers.set(id, [...(answers.get(id) ?? []), message]);
  }
  return answers;
}

function inOrderOfTurns({ messages, turns }: Shown): MessageState[] {
  const ranks = new Map<string, number>();
  turns.forEach(({ turn, message }, rank) => {
    ranks.set(turn, rank);
    if (!ranks.has(message)) ranks.set(message, rank);
  });
  let rank = -1;
  return messages
    .map((message) => {
      const key = message.role === "user" ? message.message : (message.turn ?? "");
      rank = ranks.get(key) ?? rank; // one without a turn stays where it was said
      return { message, rank };
    })
    .sort((one, other) => one.rank - other.rank)
    .map(({ message }) => message);
}

function isShown(turn: TurnState): boolean {
  const isRemoved = neverStarted(turn) && turn.stop_reason === "removed";
  return turn.status !== "queued" && !isRemoved;
}
