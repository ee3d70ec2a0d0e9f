/** Getting messages and cancels to the server, by a socket or by requests. */

import { Outbox } from "./outbox";
import type { SocketSession } from "./socket_session";
import type { Output, RequestFailure } from "./values";

const RETRY_MS = 2_000;
/** Cancels of turns that may be over: more than these are of no use. */
const MOST_CANCELS = 8;

/** What carries messages now. */
export type Carrier = SocketSession | "requests" | null;

export interface SenderHost {
  readonly conversation: string;
  /** The last `seq` that was applied. */
  readonly seq: number;
  emit(output: Output): void;
}

/**
 * Sends in order, and again under the same id whatever was sent without an answer
 * when the carrier broke. By requests, one message goes at a time.
 */
export class Sender {
  readonly outbox = new Outbox();
  readonly #host: SenderHost;
  readonly #cancels = new Map<string, "waiting" | "sent">();
  #carrier: Carrier = null;
  #posting: string | null = null;
  #retryAt: number | null = null;

  constructor(host: SenderHost) {
    this.#host = host;
  }

  get deadline(): number | null {
    return this.#retryAt;
  }

  wake(now: number): void {
    if (this.#retryAt !== null && now >= this.#retryAt) {
      this.flush(now);
    }
  }

  /** Go on by this carrier. */
  connect(carrier: Carrier, now: number): void {
    this.#carrier = carrier;
    this.flush(now);
  }

  /** The carrier is gone; requests that are under way still get their answer. */
  disconnect(): void {
    if (this.#carrier !== "requests") {
      this.outbox.putAllBack();
      for (const turn of this.#cancels.keys()) {
        this.#cancels.set(turn, "waiting");
      }
    }
    this.#carrier = null;
    this.#retryAt = null;
  }

  send(id: string, text: string, messageBytesLimit: number, now: number): void {
    this.outbox.add(id, text, messageBytesLimit);
    this.flush(now);
  }

  resend(id: string, now: number): void {
    this.outbox.resend(id);
    this.flush(now);
  }

  cancel(turn: string, now: number): void {
    if (this.#cancels.size < MOST_CANCELS) {
      this.#cancels.set(turn, "waiting");
      this.flush(now);
    }
  }

  /** A cancel was answered, or its turn is over. */
  forgetCancel(turn: string): void {
    this.#cancels.delete(turn);
  }

  /** Send what waits, if there is a carrier. */
  flush(now: number): void {
    const carrier = this.#carrier;
    if (carrier === null) {
      return;
    }
    this.#retryAt = null;
    this.#flushCancels(carrier, now);
    while (carrier !== "requests" || this.#posting === null) {
      const message = this.outbox.take();
      if (message === null) {
        return;
      }
      const { id, text } = message;
      if (carrier === "requests") {
        const { conversation } = this.#host;
        this.#posting = id;
        this.#host.emit({
          type: "post_message",
          conversation,
          clientMessageId: id,
          text,
        });
      } else {
        carrier.send(id, text, now);
      }
    }
  }

  #flushCancels(carrier: SocketSession | "requests", now: number): void {
    for (const [turn, state] of this.#cancels) {
      if (state === "waiting") {
        this.#cancels.set(turn, "sent");
        if (carrier === "requests") {
          const { conversation } = this.#host;
          this.#host.emit({ type: "post_cancel", conversation, turn });
        } else {
          carrier.cancel(turn, now);
        }
      }
    }
  }

  // answers to requests

  takePosted(id: string, seq: number, now: number): void {
    this.#posting = null;
    this.outbox.accept(id, seq, this.#host.seq);
    this.flush(now);
  }

  takePostFailure(id: string, failure: RequestFailure, now: number): void {
    this.#posting = null;
    const { status, fromServer } = failure;
    if (status === null || (status >= 500 && !fromServer)) {
      this.outbox.putBack(id);
      this.#retryAt = this.#carrier === null ? null : now + RETRY_MS;
    } else {
      this.outbox.refuse(id, failure.problem);
      this.flush(now);
    }
  }

  takeCancelAnswer(turn: string, failure: RequestFailure | null, now: number): void {
    if (failure !== null && failure.status === null && this.#cancels.has(turn)) {
      this.#cancels.set(turn, "waiting");
      this.#retryAt = this.#carrier === null ? null : now + RETRY_MS;
    } else {
      this.#cancels.delete(turn);
    }
  }
}
