/** What was asked of the server, each thing until the log shows what came of it. */

import type { ErrorBody } from "../protocol";

type EntryState =
  /** To be sent as soon as there is a connection. */
  | "waiting"
  /** On its way; sent again under the same key when the connection breaks. */
  | "sent"
  /** In the log at `acceptedSeq`; leaves when the cursor gets there. */
  | "accepted"
  /** Refused; stays until somebody asks for it again or drops it. */
  | "failed";

interface Entry<Item> {
  readonly key: string;
  readonly item: Item;
  state: EntryState;
  acceptedSeq: number;
  error: ErrorBody | null;
}

/** What a screen shows of an entry. */
export interface Progress {
  readonly status: "sending" | "failed";
  readonly error: ErrorBody | null;
}

/** An ordered list of things to ask for, each under a key of its own. */
export abstract class PendingList<Item, Shown> {
  #entries: Entry<Item>[] = [];
  #shown: readonly Shown[] | null = [];

  /** What a screen shows; the same array until something changes. */
  get shown(): readonly Shown[] {
    this.#shown ??= this.#entries.map(({ key, item, state, error }) =>
      this.show(key, item, {
        status: state === "failed" ? "failed" : "sending",
        error,
      }),
    );
    return this.#shown;
  }

  /** Whether something is to be sent. */
  get hasWaiting(): boolean {
    return this.#entries.some(({ state }) => state === "waiting");
  }

  /** The next one to send of those that may go; it counts as sent from now on. */
  take(
    mayGo: (item: Item) => boolean = () => true,
  ): { readonly key: string; readonly item: Item } | null {
    const entry = this.#entries.find(
      ({ state, item }) => state === "waiting" && mayGo(item),
    );
    if (entry === undefined) {
      return null;
    }
    entry.state = "sent";
    return entry;
  }

  /** The server has done it, at `seq` of the log. */
  accept(key: string, seq: number, cursorSeq: number): void {
    const entry = this.#find(key);
    if (entry !== undefined) {
      entry.state = "accepted";
      entry.acceptedSeq = seq;
      this.reach(cursorSeq);
    }
  }

  /** The server refused it. */
  refuse(key: string, error: ErrorBody): void {
    this.#set(key, "failed", error);
  }

  /** It may not have arrived: send it again, under the same key. */
  putBack(key: string): void {
    if (this.#find(key)?.state === "sent") {
      this.#set(key, "waiting", null);
    }
  }

  /** Nothing that is on its way can be counted on. */
  putAllBack(): void {
    for (const entry of this.#entries) {
      entry.state = entry.state === "sent" ? "waiting" : entry.state;
    }
  }

  /** Somebody wants a refused one sent again. */
  resend(key: string): void {
    if (this.#find(key)?.state === "failed") {
      this.#set(key, "waiting", null);
    }
  }

  /** Somebody drops a refused one. */
  discard(key: string): void {
    this.remove((_, entry) => entry.key === key && entry.state === "failed");
  }

  /** The cursor got to `seq`: what was accepted up to there has been shown. */
  reach(seq: number): void {
    this.remove(
      (_, { state, acceptedSeq }) => state === "accepted" && acceptedSeq <= seq,
    );
  }

  protected abstract show(key: string, item: Item, progress: Progress): Shown;

  /** Put one at the end: to be sent, or refused already. */
  protected add(key: string, item: Item, error: ErrorBody | null): void {
    const state = error === null ? "waiting" : "failed";
    this.#entries.push({ key, item, state, acceptedSeq: 0, error });
    this.#shown = null;
  }

  protected has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  protected count(
    counts: (item: Item, entry: Readonly<Entry<Item>>) => boolean,
  ): number {
    return this.#entries.filter((entry) => counts(entry.item, entry)).length;
  }

  protected remove(
    leaves: (item: Item, entry: Readonly<Entry<Item>>) => boolean,
  ): void {
    if (this.count(leaves) > 0) {
      this.#entries = this.#entries.filter((entry) => !leaves(entry.item, entry));
      this.#shown = null;
    }
  }

  #find(key: string): Entry<Item> | undefined {
    return this.#entries.find((entry) => entry.key === key);
  }

  #set(key: string, state: EntryState, error: ErrorBody | null): void {
    const entry = this.#find(key);
    if (entry !== undefined) {
      entry.state = state;
      entry.error = error;
      this.#shown = null;
    }
  }
}
