/** One conversation: a store of what there is to show, and what may be asked of it. */

import { Branches } from "../branches";
import { Chat } from "../chat";
import type { Attachment } from "../content";
import type { Event, TurnTrace } from "../protocol";
import type { Requests } from "../transport/requests";
import type { ApprovalAnswer, Change } from "../view/types";
import type { Credential } from "./credential";
import { StreamchatError } from "./errors";
import { type ConversationSnapshot, SnapshotTaker } from "./snapshot";
import { Store } from "./store";

/** A page that is not shown draws no frames: changes are told after this time. */
const HIDDEN_MS = 100;

/** Opens a socket with headers, where the platform's own cannot send any. */
export type OpenSocket = (
  url: string,
  protocol: string,
  headers: Readonly<Record<string, string>>,
) => WebSocket;

export interface ConversationOptions {
  /** Ends the conversation's connection; `close` does so, too. */
  readonly signal?: AbortSignal | undefined;
  /** Told the id of a conversation that was made because none was given. */
  readonly onConversation?: ((id: string) => void) | undefined;
  /** Told each event as it enters the state, before the snapshot with it is. */
  readonly onEvent?: ((event: Event) => void) | undefined;
  /** Whether messages on their way survive a reload of the page; they do by default. */
  readonly keepsUnsent?: boolean | undefined;
}

/** What a server gives a conversation to work with. */
export interface ConversationSeat {
  readonly requests: Requests;
  /** URL of the API, ending in `/`. */
  readonly apiUrl: string;
  readonly credential: Credential;
  /** What this client calls itself. */
  readonly name: string | undefined;
  readonly openSocket: OpenSocket | undefined;
}

/**
 * A conversation, connected until it is closed: over a WebSocket, else an HTTP stream,
 * else plain requests, and again after every loss, with nothing lost or repeated.
 *
 * As a store it has a new snapshot after every change, at most one for each frame that
 * the page draws. Its methods do not wait: what goes wrong is in `outbox`, `requests`
 * and `connection`. Those that return a promise break it with a `StreamchatError`.
 */
export class Conversation extends Store<ConversationSnapshot> {
  readonly #chat: Chat;
  readonly #snapshots: SnapshotTaker;
  readonly #lifetime: AbortController;
  #isDue = false;

  constructor(id: string | null, seat: ConversationSeat, options: ConversationOptions) {
    const lifetime = new AbortController();
    const { signal } = lifetime;
    const { credential, name, requests, apiUrl } = seat;
    const chat = new Chat({
      ...{ conversation: id, kind: "tool", name, requests, apiUrl, signal },
      ...(options.keepsUnsent === false ? { places: NOWHERE } : {}),
      onConversation: options.onConversation,
      onEvent: options.onEvent,
      first: canOpenSockets(seat) ? "websocket" : "sse",
      openSocket: (url, protocol) => openSocket(url, protocol, seat),
      window: globalThis.window,
    });
    const snapshots = new SnapshotTaker(chat);
    super(snapshots.take());
    this.#chat = chat;
    this.#snapshots = snapshots;
    this.#lifetime = lifetime;
    chat.subscribe((change) => this.#note(change), signal);
    signal.addEventListener("abort", () => this.complete(), { once: true });
    options.signal?.addEventListener("abort", () => this.close(), {
      once: true,
      signal,
    });
    void credential.prepare().then(() => {
      if (options.signal?.aborted) {
        this.close();
      } else if (!signal.aborted) {
        chat.start();
      }
    });
  }

  /**
   * Put a message into the outbox and send it.
   *
   * @param parent the user's message that it follows: an earlier one begins a branch,
   *   `""` one at the beginning; absent, it goes on with the branch that is shown
   */
  send(text: string, attachments: readonly Attachment[] = [], parent?: string): void {
    this.#chat.send(text, attachments, null, parent);
  }

  /** Ask a message of the user again, beside it; what was answered stays. */
  regenerate(message: string): void {
    this.#chat.regenerate(message);
  }

  /** Send another text beside a message of the user; what is attached stays. */
  revise(message: string, text: string): void {
    this.#chat.revise(message, text);
  }

  /** Show the branch of a user's message, to everybody, and go on there. */
  async selectBranch(message: string): Promise<void> {
    const problem = await this.#chat.selectBranch(message);
    if (problem !== null) {
      throw new StreamchatError(problem);
    }
  }

  /** The versions of a user's message, it among them, as they were sent. */
  siblings(message: string): readonly string[] {
    return new Branches(this.#chat.state).siblings(message);
  }

  /** Stop the running turn and all that wait. */
  cancel(): void {
    this.#chat.cancel();
  }

  /** Answer a tool call that waits for a person; `snapshot.approvals` has them. */
  approve(approval: string, answer: ApprovalAnswer): void {
    const call = this.#chat.state.tool_calls.find(
      (one) => one.approval?.approval === approval,
    );
    if (call?.turn != null) {
      this.#chat.approve(call.turn, approval, answer);
    }
  }

  /** Give the message of a turn that waits another text. */
  edit(turn: string, text: string): void {
    this.#chat.edit(turn, text);
  }

  /** Take a turn that waits out of the queue. */
  remove(turn: string): void {
    this.#chat.remove(turn);
  }

  /** Let a turn that waits go next. */
  sendNow(turn: string): void {
    this.#chat.sendNow(turn);
  }

  /** Ask again what a failed, cancelled or interrupted turn was to answer. */
  retry(turn: string): void {
    this.#chat.retry(turn);
  }

  /** Send a failed message of the outbox again, under the same id. */
  resend(clientMessageId: string): void {
    this.#chat.resend(clientMessageId);
  }

  /** Drop a failed message of the outbox. */
  discard(clientMessageId: string): void {
    this.#chat.discard(clientMessageId);
  }

  /** Drop a failed request. */
  discardRequest(key: string): void {
    this.#chat.discardRequest(key);
  }

  /** Connect now instead of waiting for the next attempt. */
  reconnect(): void {
    this.#chat.reconnect();
  }

  /** Upload a file; what is returned is attached by `send`. */
  async upload(file: File): Promise<Attachment> {
    const uploaded = await this.#chat.upload(file, this.#lifetime.signal);
    if ("problem" in uploaded) {
      throw new StreamchatError(uploaded.problem);
    }
    return uploaded.block;
  }

  /** The bytes of an attached file; `null` where they cannot be had. */
  download(artifact: string): Promise<Blob | null> {
    return this.#chat.attachedFile(artifact, this.#lifetime.signal);
  }

  /** Where the time of a turn went, and what was sent to a model for it. */
  async trace(turn: string): Promise<TurnTrace> {
    const { signal } = this.#lifetime;
    const place = `turns/${encodeURIComponent(turn)}/trace`;
    const came = await this.#chat.server.ask(
      (id) => `conversations/${encodeURIComponent(id)}/${place}`,
      { signal },
    );
    if ("problem" in came) {
      throw new StreamchatError(came.problem);
    }
    return came.answer as TurnTrace;
  }

  /** Give the conversation another title. */
  async rename(title: string): Promise<void> {
    await this.#patch({ title });
  }

  /**
   * Choose who answers from the next turn on: `agent`, `model`, `effort`, `thinking`, …
   * by the names that the server's settings have; `null` takes a choice back.
   */
  async configure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#patch({ settings });
  }

  /** End the connection; watchers are told that there is no more. */
  close(): void {
    this.#lifetime.abort();
  }

  async #patch(body: unknown): Promise<void> {
    const { signal } = this.#lifetime;
    const came = await this.#chat.server.ask(
      (id) => `conversations/${encodeURIComponent(id)}`,
      { method: "PATCH", body, signal },
    );
    if ("problem" in came) {
      throw new StreamchatError(came.problem);
    }
  }

  #note(change: Change): void {
    this.#snapshots.note(change);
    if (!this.#isDue) {
      this.#isDue = true;
      beforeNextFrame(() => this.#publish());
    }
  }

  #publish(): void {
    if (this.#isDue) {
      this.#isDue = false;
      this.publish(this.#snapshots.take());
    }
  }
}

const NOWHERE = { allTabs: null, thisTab: null };

/** Call with the next frame; soon where there are none. It may be called twice. */
function beforeNextFrame(call: () => void): void {
  if (typeof requestAnimationFrame === "function") {
    requestAnimationFrame(call);
    setTimeout(call, HIDDEN_MS);
  } else {
    queueMicrotask(call);
  }
}

function canOpenSockets({ credential, openSocket }: ConversationSeat): boolean {
  return (
    openSocket !== undefined ||
    !credential.isToken ||
    (typeof document === "undefined" && typeof WebSocket === "function")
  );
}

/**
 * Open a socket that carries the credential. A browser's cannot carry a token, and the
 * server takes none from an address: it throws, and the HTTP stream is used.
 */
function openSocket(url: URL, protocol: string, seat: ConversationSeat): WebSocket {
  const { headers, isToken } = seat.credential;
  if (seat.openSocket !== undefined) {
    return seat.openSocket(url.href, protocol, headers);
  }
  if (!isToken) {
    return new WebSocket(url, protocol);
  }
  if (!canOpenSockets(seat)) {
    throw new TypeError("A browser's WebSocket sends no headers.");
  }
  // Node's own takes headers where a browser's takes protocols.
  const options = { protocols: [protocol], headers } as unknown as string;
  return new WebSocket(url, options);
}
