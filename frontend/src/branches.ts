/**
 * The branches of a conversation: a tree of its user's messages, one path of it shown.
 * The same rules as `streamchat_nb/conversation/branches.py`, proved on the same logs.
 *
 * A user's message follows another one, its `parent`, or none (`""`). Messages with one
 * parent are versions of each other. An agent's messages belong to the user's message
 * that their turn answers. `tip` is where the conversation is shown and continued.
 */

import type { ConversationState, MessageState, TurnState } from "./view/types";

type Tree = Pick<ConversationState, "messages" | "turns" | "tip">;

/** The branches of a state as it is now; made anew when the state has changed. */
export class Branches {
  readonly #state: Tree;
  readonly #parents = new Map<string, string>();
  readonly #children = new Map<string, string[]>();
  readonly #waiting: ReadonlySet<string>;
  readonly #removed: ReadonlySet<string>;

  constructor(state: Tree) {
    this.#state = state;
    for (const { message, role, parent } of state.messages) {
      if (role === "user") this.#add(message, parent ?? "");
    }
    const asked = (is: (turn: TurnState) => boolean): Set<string> =>
      new Set(state.turns.filter(is).map(({ message }) => message));
    this.#waiting = asked(({ status }) => status === "queued");
    this.#removed = asked(isRemoved);
  }

  /**
   * The user's messages of the branch that is shown, from the first on. While the tip
   * waits for its turn on another branch, what was shown before it was sent still is:
   * the newest of what it would take the place of.
   */
  get shown(): readonly string[] {
    const tip = this.#state.tip ?? "";
    const path = this.pathTo(tip);
    if (!this.#waiting.has(tip)) return path;
    const before = this.#newest(tip, new Set([...this.#waiting, ...this.#removed]));
    return before === "" || path.includes(before) ? path : this.pathTo(before);
  }

  /** A user's message after all those that it follows; empty for `""`. */
  pathTo(message: string): readonly string[] {
    const path: string[] = [];
    let parent = this.#parents.get(message);
    for (let one = message; parent !== undefined; parent = this.#parents.get(one)) {
      path.push(one);
      one = parent;
    }
    return path.reverse();
  }

  /**
   * The versions of a user's message, in the order in which they were sent. It is among
   * them; others that wait for their turn, or were taken back while they did, are not.
   */
  siblings(message: string): readonly string[] {
    const versions = this.#children.get(this.#parents.get(message) ?? "") ?? [];
    return versions.filter(
      (other) =>
        other === message || !(this.#waiting.has(other) || this.#removed.has(other)),
    );
  }

  /** The newest of a message and all that follow it; `""` where nothing is left. */
  newest(message: string): string {
    return this.#newest(message, this.#removed);
  }

  #newest(message: string, without: ReadonlySet<string>): string {
    let newest = message;
    while (without.has(newest)) newest = this.#parents.get(newest) ?? "";
    const branch = new Set([newest]);
    for (const [other, parent] of this.#parents) {
      if (!branch.has(parent)) continue;
      branch.add(other);
      if (!without.has(other)) newest = other;
    }
    return newest;
  }

  #add(message: string, parent: string): void {
    this.#parents.set(message, parent);
    const versions = this.#children.get(parent);
    if (versions === undefined) this.#children.set(parent, [message]);
    else versions.push(message);
  }
}

/** The messages of a path and of its answers; what has no turn is on every path. */
export function messagesOf(
  { messages, turns }: Tree,
  path: readonly string[],
): readonly MessageState[] {
  const shown = new Set(path);
  const asked = new Map(turns.map(({ turn, message }) => [turn, message]));
  return messages.filter(({ message, role, turn }) => {
    const question = role === "user" ? message : asked.get(turn ?? "");
    return question === undefined || shown.has(question);
  });
}

/** The messages of the branch that is shown. */
export function shownMessages(state: Tree): readonly MessageState[] {
  return state.tip == null // of before there were branches
    ? state.messages
    : messagesOf(state, new Branches(state).shown);
}

/** Whether a turn was taken out of the queue before it began. */
export function isRemoved({ stop_reason, started_ts }: TurnState): boolean {
  return stop_reason === "removed" && started_ts == null;
}
