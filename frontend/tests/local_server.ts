/**
 * A small server of streamchat.v1 on a local port, with one conversation and faults to
 * choose from. It keeps a log, answers each message with a turn, and serves all three
 * transports from that log, so that a test can compare what a client has with it.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import {
  type Cancel,
  type Command,
  DEFAULT_LIMITS,
  type EditQueued,
  type Event,
  type SendNow,
} from "../src/protocol";
import { Fold } from "../src/state";

export interface Faults {
  /** Refuse every upgrade. */
  sockets?: "blocked";
  /** Refuse streams as a proxy does; or take them and never answer. */
  streams?: "blocked" | "silent";
  /** Nobody is signed in. */
  signedOut?: boolean;
  /** Cut each socket after so many events. */
  cutAfterEvents?: number;
}

/** What may be asked of a turn. */
type TurnCommand = Cancel | EditQueued | SendNow;

const AUTHOR = { id: "u", name: "You", kind: "user" } as const;
const AGENT = { id: "a", name: "Agent", kind: "agent" } as const;

export class LocalServer {
  readonly conversation = "c_1";
  /** The id of a conversation that is made. */
  made = this.conversation;
  readonly faults: Faults = {};
  readonly events: Event[] = [];
  /** Method and path of each request, and each upgrade. */
  readonly requests: string[] = [];
  /** The list of conversations. */
  listed: readonly object[] = [];
  /** Values of the X-XSRFToken header that came with POST requests. */
  readonly xsrfTokens: (string | undefined)[] = [];
  xsrfToken = "x1";
  readonly #http = createServer((request, response) => this.#serve(request, response));
  readonly #webSockets = new WebSocketServer({ noServer: true });
  readonly #connections = new Set<Socket>();
  readonly #watchers = new Set<() => void>();
  readonly #sent = new Map<string, number>();
  #port = 0;

  constructor() {
    this.append({ type: "conversation.created" });
    this.#http.on("connection", (socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
    this.#http.on("upgrade", (request, socket, head) => {
      this.requests.push(`UPGRADE ${request.url}`);
      if (this.faults.sockets === "blocked") {
        socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) =>
        this.#serveSocket(webSocket),
      );
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/base/`;
  }

  /** How many sockets, streams and held requests wait for news. */
  get readers(): number {
    return this.#watchers.size;
  }

  /** The state of a client that has everything. */
  get state(): Fold["state"] {
    const fold = new Fold();
    for (const event of this.events) {
      fold.apply(event);
    }
    return fold.state;
  }

  /** Listen; on the same port as before when it listened before. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) =>
      this.#http.listen(this.#port, "127.0.0.1", resolve),
    );
    this.#port = (this.#http.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    for (const socket of this.#connections) {
      socket.destroy();
    }
    await closed;
  }

  append(fields: object): number {
    const seq = this.events.length + 1;
    const envelope = { conversation: this.conversation, seq, prev: seq - 1, ts: seq };
    this.events.push({ ...fields, ...envelope } as Event);
    for (const watcher of this.#watchers) {
      watcher();
    }
    return seq;
  }

  /** Put a user's message into the log, once, and an answer of a few words. */
  send(clientMessageId: string, content: unknown, output_schema?: unknown): number {
    const known = this.#sent.get(clientMessageId);
    if (known !== undefined) {
      return known;
    }
    const number = this.#sent.size + 1;
    const turn = `t${number}`;
    const isBusy = this.state.turns.some(({ status }) => status === "running");
    const seq = this.append({
      ...{ type: "message.created", message: `q${number}`, role: "user", turn },
      ...{ author: AUTHOR, client_message_id: clientMessageId, content, output_schema },
    });
    this.#sent.set(clientMessageId, seq);
    if (isBusy) {
      this.append({ type: "turn.queued", message: `q${number}`, turn });
      return seq;
    }
    this.answer(number);
    return seq;
  }

  /** Let the turn of the message that came as this one begin and end. */
  answer(number: number): void {
    const turn = `t${number}`;
    this.append({ type: "turn.started", message: `q${number}`, agent: "a", turn });
    this.append({
      ...{ type: "message.created", message: `m${number}`, role: "assistant" },
      ...{ author: AGENT, turn },
    });
    this.stream(`m${number}`, ["All ", "that ", "was ", "seen."], turn);
    this.append({ type: "turn.finished", turn, status: "completed" });
  }

  /** Do what is asked of a turn: the head after it, or why not. */
  ask(request: TurnCommand): number | { code: string; message: string } {
    const { turns } = this.state;
    const asked = turns.find(({ turn }) => turn === request.turn);
    const { turn } = request;
    if (request.type === "cancel") {
      const waiting = request.and_queued
        ? turns.filter(({ status }) => status === "queued")
        : [];
      for (const each of new Set([turn, ...waiting.map((one) => one.turn)])) {
        const isRemoved = asked?.status === "queued" && !request.and_queued;
        const stop_reason = isRemoved ? "removed" : null;
        const status = "cancelled";
        this.append({ type: "turn.finished", turn: each, status, stop_reason });
      }
    } else if (asked?.status !== "queued") {
      return { code: "not_queued", message: "It is being answered already." };
    } else if (request.type === "edit_queued") {
      const { content } = request;
      this.append({ type: "message.edited", message: asked.message, content, turn });
    } else {
      const { message } = asked;
      this.append({ type: "turn.queued", message, turn, ahead: true });
    }
    return this.events.length;
  }

  stream(message: string, deltas: readonly string[], turn: string): void {
    const block = { message, block: "b0", kind: "text", turn };
    this.append({ type: "block.started", ...block });
    for (const delta of deltas) {
      this.append({ type: "block.delta", ...block, delta });
    }
    const content = { type: "text", text: deltas.join("") };
    this.append({ type: "message.completed", message, content: [content], turn });
  }

  // the socket

  #serveSocket(socket: WebSocket): void {
    const say = (frame: object): void => socket.send(JSON.stringify(frame));
    let stop = (): void => undefined;
    socket.on("close", () => stop());
    socket.on("message", (data) => {
      const command = JSON.parse(String(data)) as Command;
      switch (command.type) {
        case "authenticate":
          if (command.token === "jwt") {
            say({ type: "authenticated", re: command.id, user: "You", exp: 9 });
          } else {
            socket.close(4401, "wrong token");
          }
          break;
        case "subscribe":
          stop();
          stop = this.#deliver(command.id as number, command.since?.seq ?? null, say, {
            cut: () => socket.terminate(),
          });
          break;
        case "send": {
          const { id: re, client_message_id, content, output_schema } = command;
          const seq = this.send(client_message_id, content, output_schema);
          say({ type: "ack", re, seq, result: {} });
          break;
        }
        case "cancel":
        case "edit_queued":
        case "send_now": {
          const came = this.ask(command);
          const re = command.id;
          say(
            typeof came === "number"
              ? { type: "ack", re, seq: came }
              : { type: "error", re, ...came },
          );
          break;
        }
        case "ping":
          say({ type: "pong", re: command.id });
          break;
        default:
      }
    });
    say({
      ...{ type: "hello", protocol: "streamchat.v1", connection: "x", server: "local" },
      auth: { required: true, deadline_ms: 30_000 },
      ...{ limits: DEFAULT_LIMITS, heartbeat_ms: 20_000, features: [] },
    });
  }

  #deliver(
    re: number,
    since: number | null,
    say: (frame: object) => void,
    { cut }: { readonly cut?: () => void } = {},
  ): () => void {
    const head = this.events.length;
    const conversation = this.conversation;
    const common = { conversation, log: "log1", head };
    let cursor = since ?? head;
    let delivered = 0;
    if (since === null) {
      say({ type: "subscribed", re, ...common, mode: "snapshot", reason: "new" });
      say({
        ...{ type: "snapshot", conversation, log: "log1", seq: head },
        ...{ part: 1, parts: 1, state: this.state },
      });
    } else {
      say({ type: "subscribed", re, ...common, mode: "replay", from: since });
    }
    const watcher = (): void => {
      for (; cursor < this.events.length; cursor += 1) {
        if (delivered === this.faults.cutAfterEvents) {
          this.#watchers.delete(watcher);
          cut?.();
          return;
        }
        say(this.events[cursor] as object);
        delivered += 1;
      }
    };
    this.#watchers.add(watcher);
    watcher();
    say({ type: "live", conversation, seq: cursor });
    return () => this.#watchers.delete(watcher);
  }

  // requests

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", this.url);
    const path = url.pathname.replace("/base/streamchat/api/", "");
    this.requests.push(`${request.method} ${path}`);
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (this.faults.signedOut) {
      answer(403, { code: "forbidden", message: "Log in." });
      return;
    }
    if (request.method !== "GET") {
      const token = request.headers["x-xsrftoken"] as string | undefined;
      this.xsrfTokens.push(token);
      const hasToken = request.headers.authorization !== undefined;
      if (token !== this.xsrfToken && !hasToken) {
        answer(403, { code: "forbidden", message: "XSRF" });
        return;
      }
    }
    await this.#route(`${request.method} ${path}`, { request, response, url, answer });
  }

  async #route(
    route: string,
    exchange: {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
      readonly url: URL;
      readonly answer: (status: number, body: object) => void;
    },
  ): Promise<void> {
    const { request, response, url, answer } = exchange;
    switch (route) {
      case "POST token":
        answer(200, { token: "jwt", expires_at: 9 });
        break;
      case "GET session":
        answer(200, { user: "You" });
        break;
      case "GET health":
        answer(200, { status: "ok" });
        break;
      case "GET agents":
        answer(200, { agents: [{ name: "a", model: "m", offline: true }] });
        break;
      case "GET conversations":
        answer(200, { conversations: this.listed, next: null });
        return;
      case "POST conversations":
        answer(201, { id: this.made, log: "log1", head: 1, title: "" });
        break;
      case "POST conversations/c_1/messages": {
        const { client_message_id, content, output_schema } = JSON.parse(
          await bodyOf(request),
        );
        answer(202, {
          message: "q",
          turn: "t",
          seq: this.send(client_message_id, content, output_schema),
        });
        break;
      }
      case "GET conversations/c_1/events":
        if (request.headers.accept === "text/event-stream") {
          this.#serveStream(url, response);
        } else {
          await this.#servePage(url, response, answer);
        }
        break;
      default: {
        const command = turnCommandOf(route);
        if (command !== null) {
          const body = JSON.parse(await bodyOf(request));
          const came = this.ask({ ...body, ...command } as TurnCommand);
          if (typeof came === "number") {
            answer(200, { seq: came });
          } else {
            answer(409, came);
          }
          break;
        }
        answer(404, { code: "not_found", message: "There is no such thing." });
      }
    }
  }

  #serveStream(url: URL, response: ServerResponse): void {
    if (this.faults.streams === "silent") {
      return;
    }
    if (this.faults.streams === "blocked") {
      response.writeHead(403, { "Content-Type": "text/html" });
      response.end("<h1>Blocked by the proxy</h1>");
      return;
    }
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    response.write("id: log1:0\nretry: 2000\ndata:\n\n");
    const stop = this.#deliver(0, sinceOf(url), (frame) => {
      response.write(`event: x\ndata: ${JSON.stringify(frame)}\n\n`);
    });
    response.on("close", stop);
  }

  async #servePage(
    url: URL,
    response: ServerResponse,
    answer: (status: number, body: object) => void,
  ): Promise<void> {
    const since = sinceOf(url);
    const head = this.events.length;
    if (since === null) {
      answer(200, { log: "log1", head, mode: "snapshot", snapshot: this.state });
      return;
    }
    if (since >= head) {
      await this.#news(Number(url.searchParams.get("wait_ms")), response);
    }
    const events = this.events.slice(since);
    const newHead = this.events.length;
    answer(200, { log: "log1", head: newHead, mode: "replay", from: since, events });
  }

  async #news(waitMs: number, response: ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#watchers.add(done);
      response.on("close", done);
    });
  }
}

/** What a request asks of a turn, but for its body. */
function turnCommandOf(route: string): { type: string; turn: string } | null {
  const match =
    /^(POST|PATCH) conversations\/c_1\/turns\/(\w+)(?:\/(cancel|send-now))?$/.exec(
      route,
    );
  if (match === null) {
    return null;
  }
  const [, method, turn = "", action] = match;
  const type = { cancel: "cancel", "send-now": "send_now" }[action ?? ""];
  return { type: method === "PATCH" ? "edit_queued" : (type ?? ""), turn };
}

function sinceOf(url: URL): number | null {
  const since = url.searchParams.get("since");
  return since === null ? null : Number(since.split(":")[1]);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) {
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString("utf8");
}
