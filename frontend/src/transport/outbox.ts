/** What was typed and is not in the log yet. */

import type { ErrorBody } from "../protocol";
import type { OutgoingMessage } from "../view/types";

/** How many messages may wait for the connection. */
export const MOST_WAITING = 32;

type EntryState =
  /** To be sent as soon as there is a connection. */
  | "waiting"
  /** On its way; sent again under the same id when the connection breaks. */
  | "sent"
  /** In the log at `acceptedSeq`; leaves when the cursor gets there. */
  | "accepted"
  /** Refused; stays until somebody sends it again or drops it. */
  | "failed";

interface Entry {
  readonly id: string;
  readonly text: string;
  state: EntryState;
  acceptedSeq: number;
  error: ErrorBody | null;
}

/** An ordered list of own messages, each under the id that makes it send-once. */
export class Outbox {
  #entries: Entry[] = [];
  #view: readonly OutgoingMessage[] | null = [];

  /** What a screen shows; the same array until something changes. */
  get messages(): readonly OutgoingMessage[] {
    this.#view ??= this.#entries.map((entry) => ({
      client_message_id: entry.id,
      text: entry.text,
      status: entry.state === "failed" ? "failed" : "sending",
      error: entry.error,
    }));
    return this.#view;
  }

  /** Put a message in; refused at once when it is too long or too many wait. */
  add(id: string, text: string, messageBytesLimit: number): void {
    if (this.#find(id) !== undefined) {
      return;
    }
    const error = refusal(text, messageBytesLimit, this.#waitingCount());
    this.#entries.push({
      id,
      text,
      state: error === null ? "waiting" : "failed",
      acceptedSeq: 0,
      error,
    });
    this.#view = null;
  }

  /** The next message to send; it counts as sent from now on. */
  take(): { readonly id: string; readonly text: string } | null {
    const entry = this.#entries.find((candidate) => candidate.state === "waiting");
    if (entry === undefined) {
      return null;
    }
    entry.state = "sent";
    return entry;
  }

  /** The server has it, at `seq` of the log. */
  accept(id: string, seq: number, cursorSeq: number): void {
    const entry = this.#find(id);
    if (entry !== undefined) {
      entry.state = "accepted";
      entry.acceptedSeq = seq;
      this.reach(cursorSeq);
    }
  }

  /** The server refused it. */
  refuse(id: string, error: ErrorBody): void {
    this.#set(id, "failed", error);
  }

  /** It may not have arrived: send it again, under the same id. */
  putBack(id: string): void {
    if (this.#find(id)?.state === "sent") {
      this.#set(id, "waiting", null);
    }
  }

  /** Nothing that is on its way can be counted on. */
  putAllBack(): void {
    for (const entry of this.#entries) {
      entry.state = entry.state === "sent" ? "waiting" : entry.state;
    }
  }

  /** Somebody wants a refused message sent again. */
  resend(id: string): void {
    if (this.#find(id)?.state === "failed") {
      this.#set(id, "waiting", null);
    }
  }

  /** Somebody drops a refused message. */
  discard(id: string): void {
    if (this.#find(id)?.state === "failed") {
      this.#remove((entry) => entry.id === id);
    }
  }

  /** Messages that the log shows: the echo is the truth, whatever was heard before. */
  echo(ids: ReadonlySet<string>): void {
    this.#remove((entry) => ids.has(entry.id));
  }

  /** The cursor got to `seq`: what was accepted up to there has been shown. */
  reach(seq: number): void {
    this.#remove((entry) => entry.state === "accepted" && entry.acceptedSeq <= seq);
  }

  #waitingCount(): number {
    return this.#entries.filter((entry) => entry.state !== "failed").length;
  }

  #find(id: string): Entry | undefined {
    return this.#entries.find((entry) => entry.id === id);
  }

  #set(id: string, state: EntryState, error: ErrorBody | null): void {
    const entry = this.#find(id);
    if (entry !== undefined) {
      entry.state = state;
      entry.error = error;
      this.#view = null;
    }
  }

  #remove(leaves: (entry: Entry) => boolean): void {
    if (this.#entries.some(leaves)) {
      this.#entries = this.#entries.filter((entry) => !leaves(entry));
      this.#view = null;
    }
  }
}

function refusal(text: string, bytesLimit: number, waiting: number): ErrorBody | null {
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > bytesLimit) {
    return {
      code: "too_large",
      message:
        `The message has ${bytes} bytes; at most ${bytesLimit} are accepted. ` +
        "Shorten it or send it in parts.",
    };
  }
  if (waiting >= MOST_WAITING) {
    return {
      code: "outbox_full",
      message: `${waiting} messages wait for the connection. Send this one later.`,
      retryable: true,
    };
  }
  return null;
}
