/** One stream of server-sent events, from its opening to its end. */

import type { Reading } from "./log_reader";
import { failureOf, parseObject, type Session, type SessionHost } from "./session";
import type { Failure, Input, RequestFailure } from "./values";

const FIRST_ITEM_TIMEOUT_MS = 5_000;
/** The server says something every 15 s. */
const SILENCE_TIMEOUT_MS = 40_000;
/** The id of its one subscription. */
const SUBSCRIPTION = 0;

export class StreamSession implements Session {
  readonly transport = "sse";
  readonly id: number;
  readonly #host: SessionHost;
  #phase: "opening" | "open" | "over" = "opening";
  #by: number;

  constructor(id: number, host: SessionHost, now: number) {
    this.id = id;
    this.#host = host;
    this.#by = now + FIRST_ITEM_TIMEOUT_MS;
    const { conversation, reader } = host;
    host.emit({ type: "open_stream", id, conversation, since: reader.since });
  }

  get deadline(): number | null {
    return this.#phase === "over" ? null : this.#by;
  }

  wake(now: number): void {
    if (this.#phase !== "over" && now >= this.#by) {
      this.#lose(
        this.#phase === "opening"
          ? { kind: "blocked", why: "network" }
          : { kind: "broken" },
        now,
      );
    }
  }

  close(): void {
    if (this.#phase !== "over") {
      this.#phase = "over";
      this.#host.emit({ type: "close", id: this.id });
    }
  }

  take(input: Input, now: number): void {
    switch (input.type) {
      case "stream_heard":
        this.#takeHeartbeat(now);
        break;
      case "stream_item":
        this.#takeItem(input.data, now);
        break;
      case "stream_closed":
        this.#takeClose(input.failure, now);
        break;
      default:
    }
  }

  /** Bytes came: it is alive. */
  #takeHeartbeat(now: number): void {
    if (this.#phase === "open") {
      this.#by = now + SILENCE_TIMEOUT_MS;
    }
  }

  #takeItem(data: string, now: number): void {
    if (this.#phase === "over") {
      return;
    }
    if (this.#phase === "opening") {
      this.#host.ready(this, now);
      this.#host.reader.subscribe(SUBSCRIPTION);
      this.#phase = "open";
      this.#host.live(this, now);
    }
    this.#by = now + SILENCE_TIMEOUT_MS;
    const value = data === "" ? null : parseObject(data);
    if (value !== null) {
      this.#read(this.#host.reader.receive(value), now);
    }
  }

  #takeClose(failure: RequestFailure | null, now: number): void {
    if (this.#phase === "opening") {
      // Whoever refused it: unless it was our server, it may be a word of a proxy.
      const isOurs = failure?.fromServer ?? false;
      this.#lose(
        failure !== null && isOurs
          ? failureOf(failure)
          : { kind: "blocked", why: "network" },
        now,
      );
    } else {
      this.#lose({ kind: "broken" }, now);
    }
  }

  #read(reading: Reading, now: number): void {
    switch (reading) {
      case "gap":
        this.#lose({ kind: "gap" }, now);
        break;
      case "failed":
        this.#lose({ kind: "broken" }, now);
        break;
      case "deleted": {
        const problem = { code: "not_found", message: "It was deleted." };
        this.#lose({ kind: "refused", problem }, now);
        break;
      }
      default:
    }
  }

  #lose(failure: Failure, now: number): void {
    if (this.#phase !== "over") {
      this.close();
      this.#host.lost(this, failure, now);
    }
  }
}
