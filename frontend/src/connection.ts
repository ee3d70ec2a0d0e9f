/**
 * The connection's hands: sockets, requests and the one timer. What they do is
 * decided in `connection_machine.ts`.
 */

import { ConnectionMachine, type MachineOptions } from "./connection_machine";
import { requestProblem } from "./connection_words";
import { contentOf, questionOf } from "./content";
import type { KernelChannel } from "./kernel_channel";
import type { Event, WireConversationState } from "./protocol";
import { SleepingClock } from "./transport/clock";
import { EventStreamParser } from "./transport/event_stream";
import { RelaySocket } from "./transport/relay_socket";
import { RequestError, type RequestOptions, type Requests } from "./transport/requests";
import {
  approvalOf,
  type Cursor,
  type EventPage,
  type Input,
  type Output,
  type Posted,
  type RequestFailure,
  type TurnRequest,
} from "./transport/values";

const SUBPROTOCOL = "streamchat.v1";
/** What a request may take beyond the time that the server may hold it. */
const POLL_MARGIN_MS = 10_000;
/** After a sleep the browser may use connections that are dead: ask on another one. */
const SILENCE_MS = 1_500;
const MOST_ATTEMPTS = 4;

/** What a connection tells; called after its own state has changed. */
export interface ConnectionListener {
  apply(event: Event): void;
  reset(state: WireConversationState): void;
  conversation(id: string): void;
  statusChanged(): void;
  outboxChanged(): void;
  presenceChanged(): void;
}

/** A kernel that can pass on what the page and the server say to each other. */
export interface KernelWay {
  readonly channel: KernelChannel;
  /** Whether there is no other way. */
  readonly isOnly: boolean;
}

export interface ConnectionOptions extends Omit<MachineOptions, "random" | "relay"> {
  readonly requests: Requests;
  /** URL of the API that paths are relative to, ending in `/`. */
  readonly apiUrl: string;
  readonly listener: ConnectionListener;
  readonly kernel?: KernelWay | undefined;
  /** Ends the connection and everything it has under way. */
  readonly signal: AbortSignal;
  /** Opens a socket; a browser's own when absent. Throws where there are none. */
  readonly openSocket?: ((url: URL, protocol: string) => WebSocket) | undefined;
  /** A window's events: `online`, `offline`, and `visibilitychange` of its document. */
  readonly window?: Window | undefined;
}

/** One conversation's connection, until its signal aborts. */
export class Connection {
  readonly #machine: ConnectionMachine;
  readonly #options: ConnectionOptions;
  readonly #clock = new SleepingClock();
  readonly #inputs: Input[] = [];
  /** How to end what a session has under way. */
  readonly #closers = new Map<number, () => void>();
  readonly #sockets = new Map<number, { send(data: string): void }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When it does; meaningless without a timer. */
  #wakesAt = 0;
  #isBusy = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { conversation, kind, name, first, clientId, kept, signal } = options;
    this.#machine = new ConnectionMachine({
      ...{ conversation, kind, name, first, clientId, kept },
      relay: options.kernel && (options.kernel.isOnly ? "only" : "spare"),
      random: Math.random,
    });
    signal.addEventListener("abort", () => this.#close(), { once: true });
    this.#watchWindow(options.window, signal);
  }

  get machine(): Omit<ConnectionMachine, "handle" | "deadline"> {
    return this.#machine;
  }

  /** Take an input; what follows from it is done before this returns. */
  dispatch(input: Input): void {
    if (this.#options.signal.aborted) {
      return;
    }
    this.#inputs.push(input);
    if (this.#isBusy) {
      return; // an output of the input before; its turn comes
    }
    this.#isBusy = true;
    try {
      for (let next = this.#inputs.shift(); next; next = this.#inputs.shift()) {
        for (const output of this.#machine.handle(next, this.#clock.read())) {
          this.#perform(output);
        }
      }
    } finally {
      this.#isBusy = false;
      this.#setTimer();
    }
  }

  /** A timer that is set for earlier stays: each frame of a stream puts off the end. */
  #setTimer(): void {
    const { deadline } = this.#machine;
    if (deadline === null || this.#options.signal.aborted) {
      this.#clearTimer();
    } else if (this.#timer === undefined || deadline < this.#wakesAt) {
      this.#clearTimer();
      this.#wakesAt = deadline;
      const pause = Math.max(0, deadline - this.#clock.read());
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.dispatch({ type: "wake" });
      }, pause);
    }
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #watchWindow(window: Window | undefined, signal: AbortSignal): void {
    for (const change of ["online", "offline"]) {
      const tell = (): void => this.dispatch({ type: "network" });
      window?.addEventListener(change, tell, { signal });
    }
    const tellVisibility = (): void => {
      const isHidden = window?.document.visibilityState === "hidden";
      this.dispatch({ type: isHidden ? "hidden" : "visible" });
    };
    window?.document.addEventListener("visibilitychange", tellVisibility, { signal });
    if (window?.document.visibilityState === "hidden") {
      tellVisibility();
    }
  }

  #close(): void {
    this.#clearTimer();
    for (const close of this.#closers.values()) {
      close();
    }
    this.#closers.clear();
    this.#sockets.clear();
  }

  #perform(output: Output): void {
    const { listener } = this.#options;
    switch (output.type) {
      case "apply":
        listener.apply(output.event);
        break;
      case "reset":
        listener.reset(output.state);
        break;
      case "conversation":
        listener.conversation(output.conversation);
        break;
      case "status_changed":
        listener.statusChanged();
        break;
      case "outbox_changed":
        listener.outboxChanged();
        break;
      case "presence_changed":
        listener.presenceChanged();
        break;
      case "transmit":
        this.#sockets.get(output.id)?.send(JSON.stringify(output.command));
        break;
      case "open_socket":
        this.#openSocket(output.id);
        break;
      case "open_relay":
        this.#openRelay(output.id);
        break;
      case "close":
        this.#closers.get(output.id)?.();
        this.#closers.delete(output.id);
        this.#sockets.delete(output.id);
        break;
      default:
        void this.#request(output);
    }
  }

  // the socket

  #openSocket(id: number): void {
    const url = new URL("ws", this.#options.apiUrl);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    let socket: WebSocket;
    try {
      const { openSocket } = this.#options;
      socket = openSocket?.(url, SUBPROTOCOL) ?? new WebSocket(url, SUBPROTOCOL);
    } catch {
      this.dispatch({ type: "socket_closed", id, code: 1006, reason: "" });
      return;
    }
    const lifetime = new AbortController();
    const { signal } = lifetime;
    socket.addEventListener(
      "message",
      ({ data }) => this.dispatch({ type: "socket_frame", id, data: String(data) }),
      { signal },
    );
    socket.addEventListener(
      "close",
      ({ code, reason }) => {
        this.#sockets.delete(id);
        this.dispatch({ type: "socket_closed", id, code, reason });
      },
      { signal },
    );
    this.#sockets.set(id, socket);
    this.#closers.set(id, () => {
      lifetime.abort();
      socket.close(1000);
    });
  }

  #openRelay(id: number): void {
    const { kernel } = this.#options;
    if (kernel === undefined) {
      return; // the machine knows that there is none
    }
    const tell = (input: Input): void => this.dispatch(input);
    const socket = new RelaySocket(kernel.channel, id, tell);
    this.#sockets.set(id, socket);
    this.#closers.set(id, () => socket.close());
    socket.open();
  }

  // requests

  async #request(output: Output): Promise<void> {
    switch (output.type) {
      case "create_conversation":
        await this.#createConversation();
        break;
      case "fetch_agent":
        await this.#fetchAgent();
        break;
      case "fetch_token":
        await this.#fetchToken(output.id);
        break;
      case "open_stream":
        await this.#readStream(output.id, output.conversation, output.since);
        break;
      case "fetch_page":
        await this.#fetchPage(output);
        break;
      case "post_message":
        await this.#postMessage(output);
        break;
      case "post_request":
        await this.#postRequest(output);
        break;
      default:
    }
  }

  async #createConversation(): Promise<void> {
    try {
      const answer = await this.#post("conversations", {});
      this.dispatch({ type: "created", conversation: textOf(answer, "id") });
    } catch (error) {
      this.dispatch({ type: "create_failed", failure: failureOf(error) });
    }
  }

  async #fetchAgent(): Promise<void> {
    try {
      const { signal } = this.#options;
      const { agents } = (await this.#options.requests.json("agents", { signal })) as {
        readonly agents?: readonly { readonly offline?: boolean }[];
      };
      this.dispatch({ type: "agent", offline: agents?.[0]?.offline === true });
    } catch (error) {
      this.dispatch({ type: "agent_failed", failure: failureOf(error) });
    }
  }

  async #fetchToken(id: number): Promise<void> {
    try {
      const ask = (): Promise<unknown> => this.#post("token", {});
      const token = textOf(await askAgainInSilence(ask), "token");
      this.dispatch({ type: "token", id, token });
    } catch (error) {
      this.dispatch({ type: "token_failed", id, failure: failureOf(error) });
    }
  }

  async #fetchPage(
    output: Extract<Output, { readonly type: "fetch_page" }>,
  ): Promise<void> {
    const { id, conversation, since, waitMs } = output;
    const path = eventsPath(conversation, since, waitMs);
    try {
      const page = await this.#options.requests.json(path, {
        signal: this.#signalOf(id),
        timeoutMs: waitMs + POLL_MARGIN_MS,
      });
      this.dispatch({ type: "page", id, page: page as EventPage });
    } catch (error) {
      this.dispatch({ type: "page_failed", id, failure: failureOf(error) });
    }
  }

  async #readStream(
    id: number,
    conversation: string,
    since: Cursor | null,
  ): Promise<void> {
    const signal = this.#signalOf(id);
    let failure: RequestFailure | null = null;
    try {
      const path = eventsPath(conversation, since);
      const headers = { Accept: "text/event-stream" };
      const response = await this.#options.requests.open(path, { headers, signal });
      const type = response.headers.get("Content-Type") ?? "";
      if (response.body === null || !type.startsWith("text/event-stream")) {
        throw new TypeError("not a stream of events");
      }
      await this.#readItems(id, response.body);
    } catch (error) {
      failure = failureOf(error);
    }
    if (!signal.aborted) {
      this.#closers.get(id)?.();
      this.dispatch({ type: "stream_closed", id, failure });
    }
  }

  async #readItems(id: number, body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      this.dispatch({ type: "stream_heard", id });
      for (const { data } of parser.push(decoder.decode(value, { stream: true }))) {
        this.dispatch({ type: "stream_item", id, data });
      }
    }
  }

  async #postMessage(
    output: Extract<Output, { readonly type: "post_message" }>,
  ): Promise<void> {
    const { conversation, clientMessageId } = output;
    const path = `conversations/${encodeURIComponent(conversation)}/messages`;
    const body = { ...questionOf(output), client_message_id: clientMessageId };
    const headers = {
      Prefer: "respond-async",
      "Idempotency-Key": clientMessageId,
    };
    const came = await this.#change(path, { method: "POST", body, headers });
    this.dispatch({ type: "posted", clientMessageId, ...came });
  }

  async #postRequest(
    output: Extract<Output, { readonly type: "post_request" }>,
  ): Promise<void> {
    const { conversation, key, request } = output;
    const { path, ...options } = changeOf(request);
    const place = `conversations/${encodeURIComponent(conversation)}/`;
    const came = await this.#change(`${place}${path}`, options);
    this.dispatch({ type: "request_posted", key, ...came });
  }

  async #change(
    path: string,
    options: Omit<RequestOptions, "signal">,
  ): Promise<Posted> {
    const { requests, signal } = this.#options;
    try {
      const answer = await requests.json(path, { ...options, signal });
      return { seq: Number((answer as { seq?: unknown } | null)?.seq ?? 0) };
    } catch (error) {
      return { failure: failureOf(error) };
    }
  }

  #post(path: string, body: unknown): Promise<unknown> {
    const { requests, signal } = this.#options;
    return requests.json(path, { method: "POST", body, signal });
  }

  /** A signal for one request of a session; the request before has ended. */
  #signalOf(id: number): AbortSignal {
    const controller = new AbortController();
    this.#closers.set(id, () => controller.abort());
    return controller.signal;
  }
}

/** How a request about a turn is made: what comes after the turn's path, and the rest. */
function changeOf(
  request: TurnRequest,
): Pick<RequestOptions, "method" | "body"> & { readonly path: string } {
  const turn = `turns/${encodeURIComponent(request.turn)}`;
  switch (request.kind) {
    case "cancel":
      return {
        path: `${turn}/cancel`,
        method: "POST",
        body: { and_queued: request.andQueued },
      };
    case "edit":
      return {
        path: turn,
        method: "PATCH",
        body: { content: contentOf(request.text, request.attachments) },
      };
    case "send_now":
      return { path: `${turn}/send-now`, method: "POST", body: {} };
    case "approve": {
      const { approval, ...body } = approvalOf(request);
      const path = `approvals/${encodeURIComponent(approval)}`;
      return { path, method: "POST", body };
    }
  }
}

function eventsPath(
  conversation: string,
  since: Cursor | null,
  waitMs?: number,
): string {
  const query = new URLSearchParams();
  if (since !== null) {
    query.set("since", `${since.log}:${since.seq}`);
  }
  if (waitMs !== undefined) {
    query.set("wait_ms", String(waitMs));
  }
  return `conversations/${encodeURIComponent(conversation)}/events?${query}`;
}

/** Ask, and beside it again and again while there is no answer; the first one counts. */
async function askAgainInSilence(ask: () => Promise<unknown>): Promise<unknown> {
  const attempts = [ask()];
  for (;;) {
    const silence = new Promise((resolve) => {
      setTimeout(resolve, SILENCE_MS, attempts);
    });
    const answer = await Promise.race([...attempts, silence]);
    if (answer !== attempts) {
      return answer;
    }
    if (attempts.length < MOST_ATTEMPTS) {
      attempts.push(ask());
    }
  }
}

function textOf(answer: unknown, key: string): string {
  const value = (answer as Readonly<Record<string, unknown>> | null)?.[key];
  if (typeof value !== "string") {
    throw new TypeError(`The answer has no ${key}.`);
  }
  return value;
}

function failureOf(error: unknown): RequestFailure {
  return error instanceof RequestError
    ? error.failure
    : { status: null, problem: requestProblem(null), fromServer: false };
}
