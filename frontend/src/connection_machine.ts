/**
 * How the chat stays connected, without a socket, a timer or a clock: inputs and the
 * time go in, what is to be done comes out.
 *
 * The WebSocket is tried first; when it fails twice or stays silent although the server
 * answers, server-sent events; when those do not get through either, asking again and
 * again. Where the server cannot be reached, or is not the right one, a widget's kernel
 * is asked to pass frames on (`relay`), beside the further attempts to do without. Beside
 * a worse transport the better ones are tried every minute. A connection that breaks is
 * made again after a growing, random pause, and what was sent without an answer is
 * sent again under the same id.
 */

import {
  askingKernel,
  CLIENT_NAMES,
  type ClientKind,
  conversationMissing,
  describeConnection,
  isSameStatus,
  notInstalled,
  type Phase,
  requestProblem,
  type WaitReason,
  waitingForCell,
} from "./connection_words";
import { DEFAULT_LIMITS, type ErrorBody, type Limits, type Presence } from "./protocol";
import { backoffMs, nextSecond } from "./transport/backoff";
import { LogReader } from "./transport/log_reader";
import { openSession } from "./transport/open_session";
import type { KeptMessage } from "./transport/outbox";
import { Sender, type SenderHost } from "./transport/sender";
import { failureOf, mayBeElsewhere, type Session } from "./transport/session";
import { type SocketHost, SocketSession } from "./transport/socket_session";
import {
  type Failure,
  type Input,
  nextBetter,
  type Obstacle,
  type Output,
  type RequestFailure,
  type Transport,
} from "./transport/values";
import type { ConnectionStatus, OutgoingMessage, OutgoingRequest } from "./view/types";

const SOCKET_ATTEMPTS = 2;
const PROBE_MS = 60_000;
/** So often the kernel is asked again where nothing else is tried any more. */
const KERNEL_RETRY_MS = 10_000;
/** So long nothing is said of other ways while the kernel is asked. */
const KERNEL_ANSWER_MS = 3_000;
const SIGNED_OUT_RETRY_MS = 30_000;
/** So often in a row has nothing to answer before somebody is bothered with it. */
const UNREACHABLE_ATTEMPTS = 2;
/** A connection that lived longer than this was a good one. */
const STEADY_MS = 5_000;
/** While it is live the clock is looked at so often; */
const LOOK_MS = 5_000;
/** and a step of it by more than this means that the computer slept. */
const SLEEP_MS = 10_000;

const NOBODY: Pick<Presence, "participants" | "count"> = { participants: [], count: 0 };

export interface MachineOptions {
  /** Id of the conversation; `null`: make one, all but a widget with its first message. */
  readonly conversation: string | null;
  /** What an earlier page left unsent. */
  readonly kept?: readonly KeptMessage[] | undefined;
  readonly kind: ClientKind;
  /** What the seat calls itself; by its kind when absent. */
  readonly name?: string | undefined;
  /** Stays the same over reconnects. */
  readonly clientId: string;
  /** Whether a kernel can pass frames on, besides other ways or as the only one. */
  readonly relay?: "spare" | "only" | undefined;
  /** What to begin with where nothing else is known; a WebSocket when absent. */
  readonly first?: Transport | undefined;
  /** A number from 0 to 1, another one each time. */
  readonly random: () => number;
}

export class ConnectionMachine {
  readonly #options: MachineOptions;
  readonly #host: SocketHost & SenderHost;
  readonly #sender: Sender;
  #conversation: string | null;
  #reader: LogReader;
  #limits: Limits = DEFAULT_LIMITS;
  #outputs: Output[] = [];
  #phase: Phase = { name: "connecting" };
  #status: ConnectionStatus;
  /** The session in use, or on its way to be; and the one that may take its place. */
  #main: Session | null = null;
  #probe: Session | null = null;
  #nextId = 1;
  /** The transport that is tried; the last one that worked. */
  #trying: Transport;
  #settled: Transport;
  #obstacle: Obstacle = "network";
  #socketFailures = 0;
  #unreachable = 0;
  #attempt = 0;
  #liveSince = 0;
  #probeAt: number | null = null;
  /** Until when nothing but the kernel's answer is waited for. */
  #kernelAnswerBy: number | null = null;
  #presence = NOBODY;
  #offline: boolean | null = null;
  #isAskingForAgent = false;
  #isHidden = false;
  /** Whether somebody needs the conversation before anything is said in it. */
  #isWanted = false;
  #now = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#settled = options.relay === "only" ? "relay" : (options.first ?? "websocket");
    this.#trying = this.#settled;
    this.#conversation = options.conversation;
    this.#reader = this.#newReader();
    this.#host = this.#newHost();
    this.#sender = new Sender(this.#host, options.kept ?? []);
    this.#status = this.#describe();
  }

  /** How the server is reached now. */
  get status(): ConnectionStatus {
    return this.#status;
  }

  /** What was typed and is not in the log yet. */
  get outbox(): readonly OutgoingMessage[] {
    return this.#sender.outbox.shown;
  }

  /** What was asked of turns and is not in the log yet. */
  get requests(): readonly OutgoingRequest[] {
    return this.#sender.requests.shown;
  }

  /** Who follows the conversation, as far as is known; not all are named. */
  get presence(): typeof NOBODY {
    return this.#presence;
  }

  /** Whether the offline demo would answer; `null` while that is not known. */
  get offline(): boolean | null {
    return this.#offline;
  }

  /** The server's limits, as far as it has told them. */
  get limits(): Limits {
    return this.#limits;
  }

  /** When the next `wake` is due, on the clock of `handle`; `null` for never. */
  get deadline(): number | null {
    const phase = this.#phase;
    const times = [
      this.#main?.deadline,
      this.#probe?.deadline,
      this.#sender.deadline,
      this.#probeAt,
      this.#kernelAnswerBy,
      this.#isWatchingClock ? this.#now + LOOK_MS : null,
      phase.name === "waiting" ? nextSecond(phase.until, this.#now) : null,
      phase.name === "stopped" ? phase.until : null,
    ].filter((time) => typeof time === "number");
    return times.length === 0 ? null : Math.min(...times);
  }

  /**
   * Take an input and return what is to be done, in order.
   *
   * @param now milliseconds on a clock that only goes forward
   */
  handle(input: Input, now: number): readonly Output[] {
    const hasSlept = this.#isWatchingClock && now - this.#now > SLEEP_MS;
    this.#now = now;
    this.#outputs = [];
    const { outbox, requests, presence } = this;
    this.#take(input, now);
    if (hasSlept) {
      this.#hurry("awake", now);
    }
    const status = this.#describe();
    if (!isSameStatus(status, this.#status)) {
      this.#status = status;
      this.#outputs.push({ type: "status_changed" });
    }
    if (this.outbox !== outbox || this.requests !== requests) {
      this.#outputs.push({ type: "outbox_changed" });
    }
    if (this.presence !== presence) {
      this.#outputs.push({ type: "presence_changed" });
    }
    return this.#outputs;
  }

  /** In a hidden page the browser itself makes timers late. */
  get #isWatchingClock(): boolean {
    return this.#phase.name === "live" && !this.#isHidden;
  }

  #take(input: Input, now: number): void {
    switch (input.type) {
      case "start":
        this.#connect(now);
        break;
      case "begin":
        this.#isWanted = true;
        this.#beginConversation(now);
        break;
      case "wake":
        this.#wake(now);
        break;
      case "hidden":
        this.#isHidden = true;
        break;
      case "network":
      case "visible":
      case "reconnect":
        this.#isHidden &&= input.type !== "visible";
        this.#hurry(input.type, now);
        break;
      case "created":
        this.#takeCreated(input.conversation, now);
        break;
      case "create_failed":
        this.#fail(failureOf(input.failure, notInstalled()), "websocket", now);
        break;
      case "agent":
        this.#takeAgent(input.offline, now);
        break;
      case "agent_failed":
        this.#takeAgentFailure(input.failure, now);
        break;
      default:
        if ("id" in input) {
          [this.#main, this.#probe].find((s) => s?.id === input.id)?.take(input, now);
        } else {
          this.#takeForSender(input, now);
        }
    }
  }

  #takeForSender(input: Input, now: number): void {
    this.#sender.take(input, now);
    this.#beginConversation(now);
  }

  // time, and people

  #wake(now: number): void {
    this.#main?.wake(now);
    this.#probe?.wake(now);
    this.#sender.wake(now);
    if ("until" in this.#phase && now >= (this.#phase.until ?? Infinity)) {
      this.#connect(now);
    }
    if (this.#probeAt !== null && now >= this.#probeAt) {
      this.#startProbe(this.#phase.name === "live" ? "websocket" : "relay", now);
    }
    if (this.#kernelAnswerBy !== null && now >= this.#kernelAnswerBy) {
      this.#kernelAnswerBy = null;
    }
  }

  #hurry(why: "network" | "visible" | "reconnect" | "awake", now: number): void {
    this.#wake(now);
    const phase = this.#phase;
    if (phase.name === "live") {
      this.#hurryLive(why, now);
    } else if (
      phase.name === "waiting" ||
      (phase.name === "stopped" && (why === "reconnect" || phase.until !== null))
    ) {
      this.#connect(now);
    }
  }

  #hurryLive(why: "network" | "visible" | "reconnect" | "awake", now: number): void {
    const main = this.#main;
    if (main instanceof SocketSession) {
      main.ping(now, { inDoubt: true });
    } else if (why === "awake") {
      main?.close(); // nothing tells whether its request is alive
      this.#main = this.#open(this.#settled, now);
      return;
    }
    const isWorse = main?.transport !== "websocket" && this.#options.relay !== "only";
    if (isWorse && (why === "network" || why === "reconnect") && this.#probe === null) {
      this.#startProbe("websocket", now);
    }
  }

  // making connections

  #connect(now: number): void {
    if (this.#conversation !== null) {
      this.#phase = { name: "connecting" };
      this.#main = this.#open(this.#trying, now);
    } else if (this.#options.kind === "widget" || this.#hasUse) {
      this.#phase = { name: "creating" };
      this.#outputs.push({ type: "create_conversation" });
    } else {
      this.#phase = { name: "connecting" };
      this.#askForAgent(); // and so, whether the server is there
    }
  }

  /** Whether there is something to say in the conversation, or to put into it. */
  get #hasUse(): boolean {
    return this.#isWanted || this.#sender.outbox.hasWaiting;
  }

  /** Make the conversation, once it is of use. */
  #beginConversation(now: number): void {
    if (this.#phase.name === "ready" && this.#hasUse) {
      this.#connect(now);
    }
  }

  #askForAgent(): void {
    if (!this.#isAskingForAgent) {
      this.#isAskingForAgent = true;
      this.#outputs.push({ type: "fetch_agent" });
    }
  }

  #takeAgent(offline: boolean, now: number): void {
    this.#isAskingForAgent = false;
    this.#offline = offline;
    this.#outputs.push({ type: "status_changed" });
    if (this.#conversation === null && this.#phase.name === "connecting") {
      this.#phase = { name: "ready" };
      this.#unreachable = 0;
      this.#attempt = 0;
      this.#beginConversation(now);
    }
  }

  #takeAgentFailure(failure: RequestFailure, now: number): void {
    this.#isAskingForAgent = false;
    if (this.#conversation === null && this.#phase.name === "connecting") {
      this.#fail(failureOf(failure, notInstalled()), "websocket", now);
    }
  }

  #takeCreated(conversation: string, now: number): void {
    if (this.#conversation === null) {
      this.#conversation = conversation;
      this.#reader = this.#newReader();
      this.#outputs.push({ type: "conversation", conversation });
      this.#connect(now);
    }
  }

  #open(transport: Transport, now: number): Session {
    const id = this.#nextId;
    this.#nextId += 1;
    return openSession(transport, id, this.#host, now);
  }

  #startProbe(transport: Transport, now: number): void {
    this.#probeAt = null;
    this.#probe?.close();
    this.#probe = this.#open(transport, now);
  }

  /** Ask the kernel, where there is one to ask and it is not asked already. */
  #askKernel(now: number): void {
    const canAsk = this.#options.relay === "spare" && this.#conversation !== null;
    if (canAsk && this.#probe === null) {
      this.#startProbe("relay", now);
      this.#kernelAnswerBy = now + KERNEL_ANSWER_MS;
    }
  }

  get #isAskingKernel(): boolean {
    return this.#probe?.transport === "relay";
  }

  // what sessions say

  #ready(session: Session): void {
    if (session === this.#probe) {
      this.#main?.close();
      this.#main = session;
      this.#probe = null;
      this.#sender.disconnect();
      this.#phase = this.#phase.name === "live" ? this.#phase : { name: "connecting" };
    }
  }

  #live(session: Session, now: number): void {
    this.#phase = { name: "live" };
    if (this.#offline === null) {
      this.#askForAgent();
    }
    this.#unreachable = 0;
    this.#liveSince = now;
    const { transport } = session;
    // The kernel is for the time being: what breaks is begun again without it.
    const isSpare = this.#options.relay === "spare" && transport === "relay";
    this.#settled = isSpare ? "websocket" : transport;
    this.#trying = this.#settled;
    if (transport === "websocket" || this.#isAskingKernel) {
      this.#endProbing();
    }
    if (transport === "websocket") {
      this.#socketFailures = 0;
    } else if (this.#options.relay !== "only") {
      this.#probeAt ??= this.#probe === null ? now + PROBE_MS : null;
    }
    this.#sender.connect(session instanceof SocketSession ? session : "requests", now);
  }

  #lost(session: Session, failure: Failure, now: number): void {
    if (session === this.#probe) {
      this.#probe = null;
      this.#goOnProbing(session.transport, failure, now);
    } else if (session === this.#main) {
      this.#main = null;
      this.#presence = NOBODY;
      this.#sender.disconnect();
      this.#fail(failure, session.transport, now);
    }
  }

  /** A transport that was tried beside others did not get through. */
  #goOnProbing(tried: Transport, failure: Failure, now: number): void {
    if (tried === "relay") {
      this.#kernelAnswerBy = null;
      // Else it is asked again after the next attempt without it.
      if (this.#phase.name === "stopped" && failure.kind !== "refused") {
        this.#probeAt = now + KERNEL_RETRY_MS;
      }
      return;
    }
    const next = nextBetter(tried, this.#main?.transport ?? "websocket");
    if (next !== null && failure.kind !== "unreachable") {
      this.#startProbe(next, now);
    } else {
      this.#probeAt = now + PROBE_MS;
    }
  }

  #fail(failure: Failure, transport: Transport, now: number): void {
    if (this.#phase.name === "live" && now - this.#liveSince >= STEADY_MS) {
      this.#attempt = 0;
    }
    switch (failure.kind) {
      case "gap":
        this.#main = this.#open(transport, now);
        break;
      case "blocked":
        this.#fallBack(transport, failure, now);
        break;
      case "unreachable":
        this.#trying = this.#settled;
        this.#socketFailures = 0;
        this.#unreachable += 1;
        this.#wait("unreachable", 0, now);
        break;
      case "broken": {
        const reason = failure.retryAfterMs === undefined ? "broken" : "restarting";
        this.#wait(reason, failure.retryAfterMs ?? 0, now);
        break;
      }
      case "refused":
        this.#stop(failure.problem, now);
        break;
    }
    if (transport !== "relay" && mayBeElsewhere(failure, this.#attempt)) {
      this.#askKernel(now);
    }
  }

  #fallBack(
    transport: Transport,
    failure: Extract<Failure, { readonly kind: "blocked" }>,
    now: number,
  ): void {
    if (transport === "websocket") {
      this.#obstacle = failure.why;
      this.#socketFailures += 1;
      // After a long silence nobody should have to wait for a second one.
      if (this.#socketFailures < SOCKET_ATTEMPTS && !failure.slow) {
        this.#wait("blocked", 0, now);
        return;
      }
    }
    this.#trying = transport === "websocket" ? "sse" : "rest";
    this.#connect(now);
  }

  #wait(reason: WaitReason, leastMs: number, now: number): void {
    const isInSight = !this.#isHidden;
    const pause = backoffMs(this.#attempt, this.#options.random(), isInSight, leastMs);
    this.#attempt += 1;
    this.#leave({ name: "waiting", until: now + pause, reason });
  }

  #stop(problem: ErrorBody, now: number): void {
    const isMissing = problem.code === "not_found";
    const until = problem.code === "signed_out" ? now + SIGNED_OUT_RETRY_MS : null;
    const missing = conversationMissing(this.#options.kind);
    this.#leave({ name: "stopped", problem: isMissing ? missing : problem, until });
  }

  #leave(phase: Phase): void {
    this.#phase = phase;
    if (!this.#isAskingKernel) {
      this.#endProbing();
    }
  }

  #endProbing(): void {
    this.#probe?.close();
    this.#probe = null;
    this.#probeAt = null;
    this.#kernelAnswerBy = null;
  }

  // parts

  #describe(): ConnectionStatus {
    if (this.#isAskingKernel && this.#kernelAnswerBy !== null) {
      return askingKernel();
    }
    const main = this.#main;
    const phase = this.#phase;
    if (phase.name === "live" && main instanceof SocketSession && main.isWaiting) {
      return waitingForCell();
    }
    const transport = main?.transport ?? this.#trying;
    const status = describeConnection(phase, transport, this.#obstacle, this.#now);
    return status.problem === undefined && this.#unreachable >= UNREACHABLE_ATTEMPTS
      ? { ...status, problem: requestProblem(null) }
      : status;
  }

  #newReader(): LogReader {
    return new LogReader(this.#conversation ?? "", {
      apply: (event) => {
        this.#outputs.push({ type: "apply", event });
        if (event.type === "message.created" && event.client_message_id) {
          this.#sender.outbox.echo(new Set([event.client_message_id]));
        } else if (event.type === "turn.finished" && event.turn) {
          this.#sender.requests.end(event.turn);
        }
        this.#reach(event.seq ?? 0);
      },
      reset: (state) => {
        this.#outputs.push({ type: "reset", state });
        const ids = (state.messages ?? []).map((message) => message.client_message_id);
        this.#sender.outbox.echo(new Set(ids.filter((id) => typeof id === "string")));
        this.#reach(state.seq ?? 0);
      },
      presence: ({ participants, count }) => {
        this.#presence = { participants, count };
      },
    });
  }

  #reach(seq: number): void {
    this.#sender.outbox.reach(seq);
    this.#sender.requests.reach(seq);
  }

  #newHost(): SocketHost & SenderHost {
    const machine = this;
    const { clientId, kind, name } = this.#options;
    return {
      client: { id: clientId, name: name ?? CLIENT_NAMES[kind], kind },
      get conversation() {
        return machine.#conversation ?? "";
      },
      get reader() {
        return machine.#reader;
      },
      get seq() {
        return machine.#reader.cursor?.seq ?? 0;
      },
      get messageBytesLimit() {
        return machine.#limits.message_bytes;
      },
      emit: (output) => {
        this.#outputs.push(output);
      },
      ready: (session) => this.#ready(session),
      live: (session, now) => this.#live(session, now),
      lost: (session, failure, now) => this.#lost(session, failure, now),
      limits: (limits) => {
        this.#limits = limits;
      },
      renewed: (now) => this.#sender.flush(now),
    };
  }
}
