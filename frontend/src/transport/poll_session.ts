/** Asking for news again and again, where nothing better gets through. */

import { failureOf, type Session, type SessionHost } from "./session";
import type { EventPage, Input, RequestFailure } from "./values";

/** How long the server may hold an empty page back. */
const HOLD_MS = 20_000;
/** Between two questions that are answered at once with nothing. */
const PAUSE_MS = 2_000;

export class PollSession implements Session {
  readonly transport = "rest";
  readonly id: number;
  readonly #host: SessionHost;
  #phase: "opening" | "open" | "over" = "opening";
  /** Whether long requests get through, as far as is known. */
  #mayHold = true;
  #isHeld = false;
  #askedAt = 0;
  #askAt: number | null = null;

  constructor(id: number, host: SessionHost, now: number) {
    this.id = id;
    this.#host = host;
    this.#ask(false, now); // answered at once, so that it is live at once
  }

  get deadline(): number | null {
    return this.#phase === "over" ? null : this.#askAt;
  }

  wake(now: number): void {
    if (this.#phase !== "over" && this.#askAt !== null && now >= this.#askAt) {
      this.#ask(this.#mayHold, now);
    }
  }

  close(): void {
    if (this.#phase !== "over") {
      this.#phase = "over";
      this.#host.emit({ type: "close", id: this.id });
    }
  }

  take(input: Input, now: number): void {
    if (input.type === "page") {
      this.#takePage(input.page, now);
    } else if (input.type === "page_failed") {
      this.#takeFailure(input.failure, now);
    }
  }

  #takePage(page: EventPage, now: number): void {
    if (this.#phase === "over") {
      return;
    }
    if (this.#phase === "opening") {
      this.#host.ready(this, now);
      this.#phase = "open";
      this.#host.live(this, now);
    }
    const before = this.#host.reader.cursor;
    this.#host.reader.receivePage(page);
    const hasNews = this.#host.reader.cursor !== before;
    const wasHeld = this.#isHeld && now - this.#askedAt >= PAUSE_MS / 2;
    if (hasNews || wasHeld) {
      this.#ask(this.#mayHold, now);
    } else {
      this.#askAt = this.#isHeld || !this.#mayHold ? now + PAUSE_MS : now;
    }
  }

  #takeFailure(failure: RequestFailure, now: number): void {
    if (this.#phase === "over") {
      return;
    }
    if (this.#isHeld && !failure.fromServer) {
      // Something on the way may cut requests that take long: ask for short answers.
      this.#mayHold = false;
      this.#ask(false, now);
    } else {
      this.close();
      this.#host.lost(this, failureOf(failure), now);
    }
  }

  #ask(hold: boolean, now: number): void {
    this.#isHeld = hold;
    this.#askedAt = now;
    this.#askAt = null;
    const { conversation, reader } = this.#host;
    const waitMs = hold ? HOLD_MS : 0;
    const since = reader.since;
    this.#host.emit({ type: "fetch_page", id: this.id, conversation, since, waitMs });
  }
}
