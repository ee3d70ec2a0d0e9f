/** A connection machine in a simulated world: time goes on when the test says so. */

import { ConnectionMachine, type MachineOptions } from "../src/connection_machine";
import { type Attachment, contentOf, writtenText } from "../src/content";
import { type Command, DEFAULT_LIMITS } from "../src/protocol";
import type {
  Cursor,
  EventPage,
  Input,
  Output,
  TurnRequest,
} from "../src/transport/values";

type OutputOf<T extends Output["type"]> = Extract<Output, { readonly type: T }>;

export const CONVERSATION = "c_1";
export const LOG = "log1";

/** Nothing answered. */
export const NO_ANSWER = {
  status: null,
  problem: { code: "server_unreachable", message: "", retryable: true },
  fromServer: false,
};

export class Simulation {
  now = 1_000;
  readonly machine: ConnectionMachine;
  /** Everything that was asked for, in order. */
  readonly outputs: Output[] = [];
  #read = 0;

  constructor(options: Partial<MachineOptions> = {}) {
    this.machine = new ConnectionMachine({
      conversation: CONVERSATION,
      kind: "widget",
      clientId: "b_1",
      random: () => 0.5,
      ...options,
    });
  }

  input(input: Input): this {
    this.outputs.push(...this.machine.handle(input, this.now));
    return this;
  }

  /** Let time pass; every deadline on the way is met. */
  advance(milliseconds: number): this {
    const until = this.now + milliseconds;
    for (let wakes = 0; ; wakes += 1) {
      const { deadline } = this.machine;
      if (deadline === null || deadline > until) {
        break;
      }
      if (wakes > 1_000) {
        throw new Error(`The machine is awake all the time at ${this.now}.`);
      }
      this.now = Math.max(this.now, deadline);
      this.input({ type: "wake" });
    }
    this.now = until;
    return this;
  }

  /** The outputs since the last call. */
  news(): Output[] {
    const news = this.outputs.slice(this.#read);
    this.#read = this.outputs.length;
    return news;
  }

  /** All outputs of a type. */
  all<T extends Output["type"]>(type: T): OutputOf<T>[] {
    return this.outputs.filter((output): output is OutputOf<T> => output.type === type);
  }

  /** The last output of a type. */
  last<T extends Output["type"]>(type: T): OutputOf<T> {
    const output = this.all(type).at(-1);
    if (output === undefined) {
      throw new Error(`Nothing of type ${type} was asked for.`);
    }
    return output;
  }

  /** The last command of a type that went over a socket. */
  command<T extends Command["type"]>(
    type: T,
  ): Extract<Command, { readonly type: T }> & { readonly socket: number } {
    const sent = this.all("transmit").filter(({ command }) => command.type === type);
    const last = sent.at(-1);
    if (last === undefined) {
      throw new Error(`No ${type} was sent.`);
    }
    return { ...(last.command as Extract<Command, { type: T }>), socket: last.id };
  }

  /** How many commands of a type went over sockets. */
  commands(type: Command["type"]): Command[] {
    return this.all("transmit")
      .map(({ command }) => command)
      .filter((command) => command.type === type);
  }

  // what a server says

  frame(value: object | string, id = this.last("open_socket").id): this {
    return this.input({ type: "socket_frame", id, data: JSON.stringify(value) });
  }

  hello(socket = this.last("open_socket").id): this {
    const hello = {
      type: "hello",
      protocol: "streamchat.v1",
      connection: "x",
      server: "test",
      auth: { required: true, deadline_ms: 30_000 },
      limits: { ...DEFAULT_LIMITS, message_bytes: 100 },
      heartbeat_ms: 20_000,
      features: [],
    };
    return this.frame(hello, socket);
  }

  token(id = this.last("fetch_token").id): this {
    return this.input({ type: "token", id, token: "jwt" });
  }

  authenticated(): this {
    const { id, socket } = this.command("authenticate");
    const terms = { user: "You", scopes: [], exp: 9 };
    return this.frame({ type: "authenticated", re: id, ...terms }, socket);
  }

  /** Begin to deliver: a snapshot at `seq`, or a replay from the cursor asked for. */
  subscribed(seq = 4): this {
    const { id, since, socket } = this.command("subscribe");
    const head = { re: id, conversation: CONVERSATION, log: LOG, head: seq };
    if (since) {
      const replay = { mode: "replay", from: since.seq };
      return this.frame({ type: "subscribed", ...head, ...replay }, socket);
    }
    const begin = { ...head, mode: "snapshot", reason: "new" };
    this.frame({ type: "subscribed", ...begin }, socket);
    return this.frame(snapshotFrame(seq), socket);
  }

  /** Go through all of a socket's opening. */
  openSocket(seq?: number): this {
    return this.hello().token().authenticated().subscribed(seq);
  }

  /** Go through all of the opening of a socket that the kernel holds. */
  openRelay(seq?: number): this {
    return this.hello(this.last("open_relay").id).authenticated().subscribed(seq);
  }

  /** Nothing answers the page itself. */
  failDirectly(): this {
    const { id } = this.last("fetch_token");
    return this.input({ type: "token_failed", id, failure: NO_ANSWER });
  }

  closeSocket(code = 1006, reason = ""): this {
    const { id } = this.last("open_socket");
    return this.input({ type: "socket_closed", id, code, reason });
  }

  event(seq: number, fields: object = {}): this {
    return this.frame(eventAfter(seq, fields));
  }

  item(value: object | null): this {
    const { id } = this.last("open_stream");
    const data = value === null ? "" : JSON.stringify(value);
    return this.input({ type: "stream_item", id, data });
  }

  /** Go through all of a stream's opening. */
  openStream(seq = 4): this {
    const { since } = this.last("open_stream");
    const head = { re: 0, conversation: CONVERSATION, log: LOG, head: seq };
    this.item(null);
    if (since !== null) {
      return this.item({
        type: "subscribed",
        ...head,
        mode: "replay",
        from: since.seq,
      });
    }
    this.item({ type: "subscribed", ...head, mode: "snapshot" });
    return this.item(snapshotFrame(seq));
  }

  page(page: Partial<EventPage>): this {
    const { id } = this.last("fetch_page");
    return this.input({
      type: "page",
      id,
      page: { log: LOG, head: 4, mode: "replay", events: [], ...page },
    });
  }

  send(text: string, clientMessageId = `w_${text}`): this {
    const content = contentOf(text, []);
    return this.input({ type: "send", clientMessageId, content });
  }

  ask(kind: "cancel" | "send_now", turn: string): this {
    return this.input({
      type: "ask",
      request: kind === "cancel" ? { kind, turn, andQueued: true } : { kind, turn },
    });
  }

  edit(turn: string, text: string, attachments: readonly Attachment[] = []): this {
    const request: TurnRequest = { kind: "edit", turn, text, attachments };
    return this.input({ type: "ask", request });
  }

  /** Fail the way to a WebSocket: the server answers, the socket does not open. */
  blockSocket(): this {
    return this.token().closeSocket();
  }

  /** Fall back to server-sent events. */
  fallToStream(): this {
    this.blockSocket().advance(1_000);
    return this.blockSocket();
  }

  // what came of it

  get applied(): number[] {
    return this.all("apply").map(({ event }) => event.seq ?? 0);
  }

  get status(): string {
    return this.machine.status.text;
  }

  get requests(): string[] {
    return this.machine.requests.map(
      ({ kind, turn, status }) => `${kind} ${turn}: ${status}`,
    );
  }

  get outbox(): string[] {
    return this.machine.outbox.map(
      ({ content, status }) => `${writtenText(content)}: ${status}`,
    );
  }
}

export function snapshotFrame(seq: number, state: object = {}, part = 1, parts = 1) {
  const conversation = CONVERSATION;
  return {
    ...{ type: "snapshot", conversation, log: LOG, seq, part, parts },
    state: { conversation, seq, ...state },
  };
}

export function eventAfter(seq: number, fields: object = {}) {
  return {
    ...{ type: "conversation.updated", conversation: CONVERSATION },
    ...{ title: `title ${seq}`, seq, prev: seq - 1, ts: seq },
    ...fields,
  };
}

export function echo(seq: number, clientMessageId: string) {
  return eventAfter(seq, {
    type: "message.created",
    message: `m${seq}`,
    role: "user",
    author: { id: "u", name: "You", kind: "user" },
    client_message_id: clientMessageId,
    content: [{ type: "text", text: "…" }],
  });
}

export function cursor(seq: number): Cursor {
  return { log: LOG, seq };
}
