/**
 * One WebSocket, from its opening to its close:
 *
 *     opening ──hello──▶ greeted ──token──▶ authenticating ──authenticated──▶
 *     subscribing ──subscribed──▶ open
 *
 * The token is fetched while the socket opens. No I/O and no clock in here.
 */

import { type ClientKind, closedForGood, notInstalled } from "../connection_words";
import {
  CLOSE_CODES,
  type ClientDescription,
  type Command,
  type ErrorFrame,
  type Event,
  type Frame,
  type Hello,
  type Limits,
} from "../protocol";
import type { Reading } from "./log_reader";
import { failureOf, parseObject, type Session, type SessionHost } from "./session";
import type { Failure, RequestFailure } from "./values";

const HELLO_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 15_000;
const PONG_TIMEOUT_MS = 10_000;
/** How long events may be under way that a `pong` knows of already. */
const BEHIND_TIMEOUT_MS = 3_000;

const IS_GONE = { code: "not_found", message: "The conversation is not there." };

type Phase = "opening" | "greeted" | "authenticating" | "subscribing" | "open" | "over";

/** A command that waits for its answer. */
type Pending =
  | { readonly kind: "authenticate" | "subscribe" | "ping"; readonly by: number }
  | { readonly kind: "send"; readonly by: number; readonly message: string }
  | { readonly kind: "cancel"; readonly by: number; readonly turn: string };

export interface SocketHost extends SessionHost {
  readonly clientId: string;
  readonly clientKind: ClientKind;
  limits(limits: Limits): void;
  accepted(clientMessageId: string, seq: number): void;
  refused(clientMessageId: string, error: ErrorFrame): void;
  /** The token had expired: send it again once `renewed` is called. */
  expired(clientMessageId: string): void;
  renewed(now: number): void;
  cancelAnswered(turn: string): void;
}

export class SocketSession implements Session {
  readonly transport = "websocket";
  readonly id: number;
  readonly #host: SocketHost;
  #phase: Phase = "opening";
  #token: string | null = null;
  #tokenFailure: RequestFailure | null = null;
  #openingFailed = false;
  #wasSlow = false;
  #phaseBy: number;
  #silenceMs = 20_000;
  #heardAt: number;
  #behind: { readonly head: number; readonly by: number } | null = null;
  #restartMs: number | undefined;
  #isTokenRefused = false;
  #nextCommand = 1;
  readonly #pending = new Map<number, Pending>();

  constructor(id: number, host: SocketHost, now: number) {
    this.id = id;
    this.#host = host;
    this.#heardAt = now;
    this.#phaseBy = now + HELLO_TIMEOUT_MS;
    host.emit({ type: "open_socket", id });
    host.emit({ type: "fetch_token", id });
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  get deadline(): number | null {
    if (this.#phase === "over" || this.#openingFailed) {
      return null;
    }
    if (this.#phase !== "open") {
      return this.#phaseBy;
    }
    const times = [...this.#pending.values()].map((pending) => pending.by);
    if (!this.#isPinging) {
      times.push(this.#heardAt + this.#silenceMs);
    }
    if (this.#behind !== null) {
      times.push(this.#behind.by);
    }
    return Math.min(...times);
  }

  wake(now: number): void {
    if (this.#phase === "open") {
      this.#wakeOpen(now);
    } else if (now < this.#phaseBy) {
      return;
    } else if (this.#phase === "opening" || this.#phase === "greeted") {
      this.#wasSlow = true;
      this.#failOpening(now);
    } else {
      const why = this.#isTokenRefused ? "token" : "network";
      this.#lose({ kind: "blocked", why, slow: true }, now);
    }
  }

  #wakeOpen(now: number): void {
    if ([...this.#pending.values()].some((pending) => now >= pending.by)) {
      this.#lose({ kind: "broken" }, now);
      return;
    }
    if (this.#behind !== null && now >= this.#behind.by) {
      const { head } = this.#behind;
      this.#behind = null;
      if ((this.#host.reader.cursor?.seq ?? 0) < head) {
        this.#subscribe(now);
      }
    }
    if (now >= this.#heardAt + this.#silenceMs) {
      this.ping(now);
    }
  }

  close(): void {
    if (this.#phase !== "over") {
      this.#phase = "over";
      this.#host.emit({ type: "close", id: this.id });
    }
  }

  // what comes in

  takeToken(token: string, now: number): void {
    this.#token = token;
    if (this.#openingFailed) {
      this.#lose({ kind: "blocked", why: "network", slow: this.#wasSlow }, now);
    } else if (this.#phase !== "opening") {
      this.#authenticate(now);
    }
  }

  takeTokenFailure(failure: RequestFailure, now: number): void {
    if (this.#phase === "open") {
      return; // the token in use is good until the server says otherwise
    }
    this.#tokenFailure = failure;
    this.#lose(failureOf(failure, notInstalled), now);
  }

  takeClose(code: number, reason: string, now: number): void {
    if (this.#phase === "opening" || this.#phase === "greeted") {
      this.#failOpening(now);
    } else if (this.#phase !== "over") {
      this.#lose(this.#failureOfClose(code, reason), now);
    }
  }

  takeFrame(data: string, now: number): void {
    if (this.#phase === "over" || this.#openingFailed) {
      return;
    }
    this.#heardAt = now;
    const frame = parseObject(data);
    if (frame !== null) {
      this.#dispatch(frame, now);
    }
  }

  // what goes out

  send(clientMessageId: string, text: string, now: number): void {
    const by = now + ANSWER_TIMEOUT_MS;
    const id = this.#expect({ kind: "send", by, message: clientMessageId });
    this.#transmit({
      type: "send",
      id,
      conversation: this.#host.conversation,
      client_message_id: clientMessageId,
      content: [{ type: "text", text }],
    });
  }

  cancel(turn: string, now: number): void {
    const by = now + ANSWER_TIMEOUT_MS;
    const id = this.#expect({ kind: "cancel", by, turn });
    const { conversation } = this.#host;
    this.#transmit({ type: "cancel", id, conversation, turn });
  }

  /** Find out whether the other end is there; its answer also says its heads. */
  ping(now: number): void {
    if (this.#phase === "open" && !this.#isPinging) {
      const id = this.#expect({ kind: "ping", by: now + PONG_TIMEOUT_MS });
      this.#transmit({ type: "ping", id });
    }
  }

  // inside

  get #isPinging(): boolean {
    return [...this.#pending.values()].some((pending) => pending.kind === "ping");
  }

  #dispatch(frame: Frame | Event, now: number): void {
    switch (frame.type) {
      case "hello":
        this.#greet(frame, now);
        break;
      case "authenticated":
        this.#takeAuthenticated(frame.re, now);
        break;
      case "ack":
        this.#settle(frame.re, (pending) => this.#accept(pending, frame.seq ?? 0));
        break;
      case "error":
        this.#takeError(frame, now);
        break;
      case "token.expiring":
        this.#host.emit({ type: "fetch_token", id: this.id });
        break;
      case "pong":
        this.#takePong(frame.re, frame.heads?.[this.#host.conversation] ?? 0, now);
        break;
      case "going_away":
        this.#restartMs = frame.retry_after_ms;
        break;
      default:
        this.#read(this.#host.reader.receive(frame), now);
    }
  }

  #greet(hello: Hello, now: number): void {
    if (this.#phase !== "opening") {
      return;
    }
    this.#phase = "greeted";
    this.#phaseBy = now + Math.min(hello.auth.deadline_ms, ANSWER_TIMEOUT_MS);
    this.#silenceMs = hello.heartbeat_ms;
    this.#host.limits(hello.limits);
    this.#authenticate(now);
  }

  #authenticate(now: number): void {
    if (this.#token === null) {
      return;
    }
    const id = this.#expect({ kind: "authenticate", by: now + ANSWER_TIMEOUT_MS });
    const { clientId, clientKind } = this.#host;
    const client: ClientDescription = { id: clientId, kind: clientKind };
    this.#transmit({ type: "authenticate", id, token: this.#token, client });
    this.#token = null;
    if (this.#phase === "greeted") {
      this.#phase = "authenticating";
      this.#phaseBy = now + ANSWER_TIMEOUT_MS;
    }
  }

  #takeAuthenticated(re: unknown, now: number): void {
    this.#settle(re, () => undefined);
    if (this.#phase === "authenticating") {
      this.#host.ready(this, now);
      this.#phase = "subscribing";
      this.#subscribe(now);
    } else if (this.#phase === "open") {
      this.#host.renewed(now);
    }
  }

  #subscribe(now: number): void {
    for (const [id, pending] of this.#pending) {
      if (pending.kind === "subscribe") {
        this.#pending.delete(id);
      }
    }
    const id = this.#expect({ kind: "subscribe", by: now + ANSWER_TIMEOUT_MS });
    this.#phaseBy = now + ANSWER_TIMEOUT_MS;
    const { conversation, reader } = this.#host;
    const since = reader.subscribe(id);
    const command = { type: "subscribe", id, conversation } as const;
    this.#transmit(since === null ? command : { ...command, since });
  }

  #read(reading: Reading, now: number): void {
    switch (reading) {
      case "begun":
        for (const [id, pending] of this.#pending) {
          if (pending.kind === "subscribe") {
            this.#pending.delete(id);
          }
        }
        if (this.#phase === "subscribing") {
          this.#phase = "open";
          this.#host.live(this, now);
        }
        break;
      case "gap":
        this.#subscribe(now);
        break;
      case "failed":
        this.#lose({ kind: "broken" }, now);
        break;
      case "deleted":
        this.#lose({ kind: "refused", problem: IS_GONE }, now);
        break;
      case "read":
        break;
    }
  }

  #accept(pending: Pending, seq: number): void {
    if (pending.kind === "send") {
      this.#host.accepted(pending.message, seq);
    } else if (pending.kind === "cancel") {
      this.#host.cancelAnswered(pending.turn);
    }
  }

  #takeError(error: ErrorFrame, now: number): void {
    this.#isTokenRefused ||= error.code === "auth_invalid";
    this.#settle(error.re, (pending) => {
      switch (pending.kind) {
        case "send":
          this.#refuse(pending.message, error);
          break;
        case "cancel":
          this.#host.cancelAnswered(pending.turn);
          break;
        case "subscribe":
          this.#lose(
            error.retryable
              ? { kind: "broken", retryAfterMs: error.retry_after_ms ?? undefined }
              : { kind: "refused", problem: error },
            now,
          );
          break;
        default: // a close with its code follows
      }
    });
  }

  #refuse(message: string, error: ErrorFrame): void {
    if (error.code === "auth_expired") {
      this.#host.expired(message);
      this.#host.emit({ type: "fetch_token", id: this.id });
    } else {
      this.#host.refused(message, error);
    }
  }

  #takePong(re: unknown, head: number, now: number): void {
    this.#settle(re, () => undefined);
    if (head > (this.#host.reader.cursor?.seq ?? 0)) {
      this.#behind ??= { head, by: now + BEHIND_TIMEOUT_MS };
    }
  }

  #failureOfClose(code: number, reason: string): Failure {
    const meaning = CLOSE_CODES[code];
    if (meaning !== undefined && !meaning.reconnect) {
      const problem = closedForGood(code, reason || meaning.meaning);
      return { kind: "refused", problem };
    }
    if (this.#phase !== "open" && (this.#isTokenRefused || code === 4401)) {
      return { kind: "blocked", why: "token" };
    }
    if (this.#phase !== "open" && (meaning === undefined || code === 4408)) {
      return { kind: "blocked", why: "network" }; // cut, with no word of the server's
    }
    return { kind: "broken", retryAfterMs: this.#restartMs };
  }

  /** No `hello`, or nothing after it: whose fault it is, the token request tells. */
  #failOpening(now: number): void {
    if (this.#token !== null) {
      this.#lose({ kind: "blocked", why: "network", slow: this.#wasSlow }, now);
    } else if (this.#tokenFailure === null) {
      this.#openingFailed = true; // the token's answer comes, or its timeout
      this.#host.emit({ type: "close", id: this.id });
    }
  }

  #lose(failure: Failure, now: number): void {
    if (this.#phase !== "over") {
      this.close();
      this.#host.lost(this, failure, now);
    }
  }

  #expect(pending: Pending): number {
    const id = this.#nextCommand;
    this.#nextCommand += 1;
    this.#pending.set(id, pending);
    return id;
  }

  #settle(re: unknown, then: (pending: Pending) => void): void {
    const pending = typeof re === "number" ? this.#pending.get(re) : undefined;
    if (pending !== undefined) {
      this.#pending.delete(re as number);
      then(pending);
    }
  }

  #transmit(command: Command): void {
    this.#host.emit({ type: "transmit", id: this.id, command });
  }
}
