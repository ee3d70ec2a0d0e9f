/** A chat model that is driven by hand: the real fold, and a record of what was asked. */

import type { Attachment } from "../src/content";
import type { KernelChannel } from "../src/kernel_channel";
import type { Event } from "../src/protocol";
import { Fold } from "../src/state";
import type {
  Action,
  Answered,
  ApprovalAnswer,
  AskOptions,
  Change,
  ChatModel,
  ConnectionStatus,
  ConversationState,
  ErrorBody,
  MessageState,
  NoAnswer,
  OutgoingMessage,
  OutgoingRequest,
  Presence,
  ServerAccess,
  ToolCallState,
  TurnState,
  Uploaded,
} from "../src/view/types";

export const LIVE: ConnectionStatus = {
  transport: "websocket",
  text: "Live",
  detail: "Connected by WebSocket: every word arrives as it is written.",
};

/** An event as tests write it: the envelope is filled in. */
export type ScriptedEvent = { readonly type: string } & Readonly<
  Record<string, unknown>
>;

/** A server whose answers are written down: by method and path, in order. */
export class ScriptedServer implements ServerAccess {
  apiUrl = "http://localhost/streamchat/api/";
  isInReach = true;
  channel: KernelChannel | null = null;
  /** What is answered, by `GET models` and the like; an error body is a problem. */
  readonly answers = new Map<string, unknown>();
  /** What was asked, in order. */
  readonly asked: unknown[][] = [];
  /** Makes what was saved be seen, as the log would. */
  saved: (settings: Readonly<Record<string, unknown>>) => void = () => undefined;

  async ask(
    path: string | ((conversation: string) => string),
    { method = "GET", body }: AskOptions,
  ): Promise<Answered | NoAnswer> {
    const place = typeof path === "string" ? path : path("c");
    this.asked.push(body === undefined ? [method, place] : [method, place, body]);
    const answer = await this.answers.get(`${method} ${place.replace(/\?.*/, "")}`);
    if (answer === undefined) {
      return { problem: { code: "not_found", message: "There is no such route." } };
    }
    if ((answer as ErrorBody).code !== undefined) {
      return { problem: answer as ErrorBody };
    }
    if (method === "PATCH")
      this.saved((body as { settings: object }).settings as never);
    return { answer };
  }
}

export class ScriptedModel implements ChatModel {
  readonly server = new ScriptedServer();
  connection: ConnectionStatus = LIVE;
  outbox: OutgoingMessage[] = [];
  requests: OutgoingRequest[] = [];
  presence: Presence = { seats: [], count: 0 };
  isOffline = false;
  messageBytesLimit = 65_536;
  artifactBytesLimit = 10_485_760;
  draftAttachments: readonly Attachment[] = [];
  /** What comes of the next uploads, by file name. */
  readonly uploads = new Map<string, Promise<Uploaded>>();
  /** The bytes of attached files. */
  readonly files = new Map<string, Blob>();
  /** What was being written, by turn; the new message under "". */
  readonly drafts = new Map<string, string>();
  /** What the view asked for, in order. */
  readonly asked: unknown[][] = [];
  private fold = new Fold();
  private readonly listeners = new Set<(change: Change) => void>();

  get state(): ConversationState {
    return this.fold.state;
  }

  get listenerCount(): number {
    return this.listeners.size;
  }

  message(id: string): MessageState | undefined {
    return this.fold.message(id);
  }

  toolCall(id: string): ToolCallState | undefined {
    return this.fold.toolCall(id);
  }

  turn(id: string): TurnState | undefined {
    return this.fold.turn(id);
  }

  subscribe(listener: (change: Change) => void, signal: AbortSignal): void {
    this.listeners.add(listener);
    signal.addEventListener("abort", () => this.listeners.delete(listener));
  }

  /** Append events to the log, as a server would deliver them. */
  play(...events: ScriptedEvent[]): void {
    for (const event of events) {
      const seq = this.fold.state.seq + 1;
      const full = { conversation: "c", seq, prev: seq - 1, ts: seq * 40, ...event };
      const change = this.fold.apply({ ...full, seq } as unknown as Event);
      if (change !== null) this.emit(change);
    }
  }

  /** Start over with a conversation made of events, as after a snapshot. */
  replace(...events: ScriptedEvent[]): void {
    this.fold = new Fold();
    const listeners = [...this.listeners];
    this.listeners.clear();
    this.play(...events);
    for (const listener of listeners) this.listeners.add(listener);
    this.emit({ kind: "reset" });
  }

  emit(change: Change): void {
    for (const listener of this.listeners) listener(change);
  }

  setConnection(connection: ConnectionStatus): void {
    this.connection = connection;
    this.emit({ kind: "connection" });
  }

  setOutbox(outbox: OutgoingMessage[]): void {
    this.outbox = outbox;
    this.emit({ kind: "outbox" });
  }

  setRequests(requests: OutgoingRequest[]): void {
    this.requests = requests;
    this.emit({ kind: "outbox" });
  }

  setPresence(presence: Presence): void {
    this.presence = presence;
    this.emit({ kind: "presence" });
  }

  send(text: string, attachments: readonly Attachment[] = []): void {
    this.asked.push(["send", text, ...attachments]);
  }

  async upload(file: File): Promise<Uploaded> {
    this.asked.push(["upload", file.name]);
    const problem = { code: "unscripted", message: "Nobody expects this file." };
    return (await this.uploads.get(file.name)) ?? { problem };
  }

  async attachedFile(artifact: string): Promise<Blob | null> {
    return this.files.get(artifact) ?? null;
  }

  keepDraftAttachments(attachments: readonly Attachment[]): void {
    this.draftAttachments = attachments;
  }

  resend(clientMessageId: string): void {
    this.asked.push(["resend", clientMessageId]);
  }

  discard(clientMessageId: string): void {
    this.asked.push(["discard", clientMessageId]);
  }

  cancel(): void {
    this.asked.push(["cancel"]);
  }

  regenerate(message: string): void {
    this.asked.push(["regenerate", message]);
  }

  revise(message: string, text: string): void {
    this.asked.push(["revise", message, text]);
    this.keepDraft("", `message:${message}`);
  }

  /** What comes of choosing a branch; `null`: it is shown. */
  branchProblem: ErrorBody | null = null;

  async selectBranch(message: string): Promise<ErrorBody | null> {
    this.asked.push(["selectBranch", message]);
    if (this.branchProblem === null) {
      this.play({ type: "conversation.updated", tip: message });
    }
    return this.branchProblem;
  }

  edit(turn: string, text: string): void {
    this.asked.push(["edit", turn, text]);
  }

  remove(turn: string): void {
    this.asked.push(["remove", turn]);
  }

  approve(turn: string, approval: string, answer: ApprovalAnswer): void {
    this.asked.push(["approve", turn, approval, answer]);
  }

  sendNow(turn: string): void {
    this.asked.push(["sendNow", turn]);
  }

  discardRequest(key: string): void {
    this.setRequests(this.requests.filter((request) => request.key !== key));
  }

  draft(turn = ""): string {
    return this.drafts.get(turn) ?? "";
  }

  keepDraft(text: string, turn = ""): void {
    if (text === "") this.drafts.delete(turn);
    else this.drafts.set(turn, text);
  }

  get draftTurns(): readonly string[] {
    return [...this.drafts.keys()].filter((turn) => turn !== "");
  }

  retry(turn: string): void {
    this.asked.push(["retry", turn]);
  }

  act(action: Action): void {
    this.asked.push(["act", action]);
  }

  reconnect(): void {
    this.asked.push(["reconnect"]);
  }
}
