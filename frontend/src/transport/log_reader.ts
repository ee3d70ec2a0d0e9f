/** Reading one log: where we are, what may be applied, what is missing. */

import {
  EVENT_TYPES,
  type Event,
  FRAME_TYPES,
  type Frame,
  type Presence,
  type Snapshot,
  type WireConversationState,
} from "../protocol";
import { joinParts } from "./snapshot_parts";
import type { Cursor, EventPage } from "./values";

/** Where what was read goes to. */
export interface LogListener {
  apply(event: Event): void;
  reset(state: WireConversationState): void;
  /** Who follows the conversation now. */
  presence(presence: Presence): void;
}

/** What came of something received. */
export type Reading =
  /** It was applied, or was nothing new. */
  | "read"
  /** The subscription has begun. */
  | "begun"
  /** Something is missing: subscribe again from the cursor. */
  | "gap"
  /** The conversation is no longer delivered. */
  | "deleted"
  | "failed";

/**
 * Applies the sequence rules: what was seen is dropped, what does not follow is a
 * gap, anything else is applied. After `subscribe` everything is dropped until the
 * server says that the new subscription has begun.
 */
export class LogReader {
  readonly #conversation: string;
  readonly #listener: LogListener;
  #cursor: Cursor | null = null;
  #awaiting: number | null = null;
  #parts: Snapshot[] = [];
  #inSnapshot = false;
  #gaps = 0;

  constructor(conversation: string, listener: LogListener) {
    this.#conversation = conversation;
    this.#listener = listener;
  }

  get cursor(): Cursor | null {
    return this.#cursor;
  }

  /**
   * Note that a subscription was asked for and return from where.
   *
   * @param re the id that its `subscribed` will have
   */
  subscribe(re: number): Cursor | null {
    this.#awaiting = re;
    this.#inSnapshot = false;
    this.#parts = [];
    return this.since;
  }

  /** From where to read: the cursor, or `null` when it led nowhere several times. */
  get since(): Cursor | null {
    return this.#gaps > 3 ? null : this.#cursor;
  }

  /** Take a frame of delivery or an event. */
  receive(value: Frame | Event): Reading {
    if ("conversation" in value && value.conversation !== this.#conversation) {
      return "read";
    }
    switch (value.type) {
      case "subscribed":
        if (value.re !== this.#awaiting) {
          return "read";
        }
        this.#awaiting = null;
        this.#inSnapshot = value.mode === "snapshot";
        return "begun";
      case "snapshot":
        return this.#takePart(value);
      case "unsubscribed":
        return value.reason;
      case "presence":
        this.#listener.presence(value);
        return "read";
      default:
        return FRAME_TYPES.has(value.type) ? "read" : this.#takeEvent(value as Event);
    }
  }

  /** Take a page of events or the snapshot that came in its place. */
  receivePage(page: EventPage): Reading {
    if (page.mode === "snapshot") {
      this.#reset(page.log, page.snapshot?.seq ?? page.head, page.snapshot ?? {});
      return "read";
    }
    if (page.log !== this.#cursor?.log) {
      return this.#gap();
    }
    for (const event of page.events ?? []) {
      if (this.#follow(event) === "gap") {
        return "gap";
      }
    }
    return "read";
  }

  #takeEvent(event: Event): Reading {
    if (this.#awaiting !== null || this.#inSnapshot) {
      return "read";
    }
    return this.#follow(event);
  }

  #follow(event: Event): Reading {
    const cursor = this.#cursor;
    const seq = event.seq ?? 0;
    if (cursor === null) {
      return this.#gap();
    }
    if (seq <= cursor.seq) {
      return "read";
    }
    if ((event.prev ?? 0) !== cursor.seq) {
      return this.#gap();
    }
    this.#cursor = { log: cursor.log, seq };
    this.#gaps = 0;
    this.#listener.apply(event);
    return "read";
  }

  #takePart(part: Snapshot): Reading {
    if (this.#awaiting !== null || !this.#inSnapshot) {
      return "read";
    }
    if (part.part !== this.#parts.length + 1) {
      return this.#gap();
    }
    this.#parts.push(part);
    if (part.part < part.parts) {
      return "read";
    }
    const states = this.#parts.map((p) => p.state as WireConversationState);
    this.#parts = [];
    this.#inSnapshot = false;
    this.#reset(part.log, part.seq, joinParts(states));
    return "read";
  }

  #reset(log: string, seq: number, state: WireConversationState): void {
    this.#cursor = { log, seq };
    this.#gaps = 0;
    this.#listener.reset({ ...state, seq });
  }

  #gap(): Reading {
    this.#gaps += 1;
    return "gap";
  }
}

/** Whether a decoded frame is one that this version knows, or an event of any. */
export function isIncoming(value: unknown): value is Frame | Event {
  if (typeof value !== "object" || value === null || !("type" in value)) {
    return false;
  }
  const { type } = value;
  return (
    typeof type === "string" &&
    (FRAME_TYPES.has(type) || EVENT_TYPES.has(type) || "seq" in value)
  );
}
