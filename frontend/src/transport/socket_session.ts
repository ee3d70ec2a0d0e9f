/**
 * One WebSocket, from its opening to its close:
 *
 *     opening ──hello──▶ greeted ──token──▶ authenticating ──authenticated──▶
 *     subscribing ──subscribed──▶ open
 *
 * The token is fetched while the socket opens. A socket that the kernel holds (`relay`)
 * goes the same way without a token, which the kernel has, and with more patience: what
 * is sent may wait there until a cell has ended. No I/O and no clock in here.
 */

import { closedForGood, notInstalled } from "../connection_words";
import {
  CLOSE_CODES,
  type ClientDescription,
  type Command,
  type ErrorBody,
  type ErrorFrame,
  type Event,
  type Frame,
  type Hello,
  type Limits,
} from "../protocol";
import { FEATURES, FrameReader } from "./frame_reader";
import type { Reading } from "./log_reader";
import { failureOf, type Session, type SessionHost } from "./session";
import type { Failure, Input, RequestFailure } from "./values";

const HELLO_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 15_000;
const PONG_TIMEOUT_MS = 10_000;
/** The same where there is reason to doubt that the other end is there. */
const DOUBT_TIMEOUT_MS = 3_000;
/** How long a kernel may be busy before it is asked anew. */
const KERNEL_TIMEOUT_MS = 600_000;
/** How long events may be under way that a `pong` knows of already. */
const BEHIND_TIMEOUT_MS = 3_000;

const IS_GONE = { code: "not_found", message: "The conversation is not there." };

type Phase = "opening" | "greeted" | "authenticating" | "subscribing" | "open" | "over";

/** A command without its id. */
export type CommandFields = Command extends infer One
  ? One extends Command
    ? Omit<One, "id">
    : never
  : never;

/** Told what came of a command; of nothing when the session ends first. */
export interface CommandAnswer {
  /** Its effect is there once the cursor is at `seq`. */
  accepted(seq: number): void;
  refused(error: ErrorBody): void;
  /** The token had expired: ask again once the session is `renewed`. */
  expired(): void;
}

/** A command that waits for its answer. */
type Pending =
  | { readonly kind: "authenticate" | "subscribe" | "ping"; readonly by: number }
  | { readonly kind: "asked"; readonly by: number; readonly answer: CommandAnswer };

export interface SocketHost extends SessionHost {
  readonly client: ClientDescription;
  limits(limits: Limits): void;
  renewed(now: number): void;
}

export class SocketSession implements Session {
  readonly transport: "websocket" | "relay";
  readonly id: number;
  readonly #host: SocketHost;
  readonly #frames = new FrameReader();
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
  #isWaiting = false;
  readonly #pending = new Map<number, Pending>();

  constructor(
    id: number,
    host: SocketHost,
    now: number,
    transport: "websocket" | "relay" = "websocket",
  ) {
    this.id = id;
    this.transport = transport;
    this.#host = host;
    this.#heardAt = now;
    if (transport === "relay") {
      this.#token = "";
      this.#phaseBy = now + KERNEL_TIMEOUT_MS;
      host.emit({ type: "open_relay", id });
    } else {
      this.#phaseBy = now + HELLO_TIMEOUT_MS;
      host.emit({ type: "open_socket", id });
      host.emit({ type: "fetch_token", id });
    }
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether something that was sent waits in the kernel, where a cell runs. */
  get isWaiting(): boolean {
    return this.#isWaiting;
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

  take(input: Input, now: number): void {
    switch (input.type) {
      case "socket_frame":
        this.#takeFrame(input.data, now);
        break;
      case "socket_closed":
        this.#takeClose(input.code, input.reason, now);
        break;
      case "token":
        this.#takeToken(input.token, now);
        break;
      case "token_failed":
        this.#takeTokenFailure(input.failure, now);
        break;
      case "relay_alive":
        this.#takeSignOfLife(input.isWaiting, now);
        break;
      default:
    }
  }

  #takeToken(token: string, now: number): void {
    this.#token = token;
    if (this.#openingFailed) {
      // The server may be slow with everything: that is no word against sockets yet.
      this.#lose({ kind: "blocked", why: "network" }, now);
    } else if (this.#phase !== "opening") {
      this.#authenticate(now);
    }
  }

  #takeTokenFailure(failure: RequestFailure, now: number): void {
    if (this.#phase === "open") {
      return; // the token in use is good until the server says otherwise
    }
    this.#tokenFailure = failure;
    this.#lose(failureOf(failure, notInstalled()), now);
  }

  /** The kernel is there; what waits in it is not late yet. */
  #takeSignOfLife(isWaiting: boolean, now: number): void {
    this.#heardAt = now;
    this.#isWaiting = isWaiting;
    if (isWaiting) {
      const by = now + ANSWER_TIMEOUT_MS;
      this.#phaseBy = Math.max(this.#phaseBy, by);
      for (const [id, pending] of this.#pending) {
        this.#pending.set(id, { ...pending, by: Math.max(pending.by, by) });
      }
    }
  }

  #takeClose(code: number, reason: string, now: number): void {
    if (this.#phase === "opening" || this.#phase === "greeted") {
      this.#failOpening(now);
    } else if (this.#phase !== "over") {
      this.#lose(this.#failureOfClose(code, reason), now);
    }
  }

  #takeFrame(data: string, now: number): void {
    if (this.#phase === "over" || this.#openingFailed) {
      return;
    }
    this.#heardAt = now;
    const frame = this.#frames.read(data);
    if (frame !== null) {
      this.#dispatch(frame, now);
    }
  }

  // what goes out

  ask(command: CommandFields, answer: CommandAnswer, now: number): void {
    const by = now + ANSWER_TIMEOUT_MS;
    this.#transmit({ ...command, id: this.#expect({ kind: "asked", by, answer }) });
  }

  /**
   * Find out whether the other end is there; its answer also says its heads.
   *
   * @param inDoubt there is reason to think that it is not: wait a short time only
   */
  ping(now: number, { inDoubt = false } = {}): void {
    if (this.#phase !== "open") {
      return;
    }
    const isShort = inDoubt && this.transport === "websocket";
    const by = now + (isShort ? DOUBT_TIMEOUT_MS : PONG_TIMEOUT_MS);
    for (const [id, pending] of this.#pending) {
      if (pending.kind === "ping") {
        this.#pending.set(id, { ...pending, by: Math.min(pending.by, by) });
        return;
      }
    }
    this.#transmit({ type: "ping", id: this.#expect({ kind: "ping", by }) });
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
        this.#settle(frame.re, (pending) => {
          if (pending.kind === "asked") {
            pending.answer.accepted(frame.seq ?? 0);
          }
        });
        break;
      case "error":
        this.#takeError(frame, now);
        break;
      case "token.expiring":
        this.#renewToken(now);
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
    const { client } = this.#host;
    this.#transmit({
      ...{ type: "authenticate", id, token: this.#token, client },
      features: FEATURES,
    });
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

  #takeError(error: ErrorFrame, now: number): void {
    this.#isTokenRefused ||= error.code === "auth_invalid";
    this.#settle(error.re, (pending) => {
      switch (pending.kind) {
        case "asked":
          this.#refuse(pending.answer, error, now);
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

  #refuse(answer: CommandAnswer, error: ErrorFrame, now: number): void {
    if (error.code === "auth_expired") {
      answer.expired();
      this.#renewToken(now);
    } else {
      answer.refused(error);
    }
  }

  #renewToken(now: number): void {
    if (this.transport === "relay") {
      this.#token = "";
      this.#authenticate(now);
    } else {
      this.#host.emit({ type: "fetch_token", id: this.id });
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
      // No other transport of the kernel's could do better.
      const isBlocked = this.transport === "relay" && failure.kind === "blocked";
      this.#host.lost(this, isBlocked ? { kind: "unreachable" } : failure, now);
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
