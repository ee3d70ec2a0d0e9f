/** The chat that the views show: a conversation's state and its connection. */

import { claimClientId, newId } from "./client_id";
import { Connection, type ConnectionOptions } from "./connection";
import {
  type Attachment,
  attachmentsOf,
  contentOf,
  type OutputSchema,
  questionOf,
  writtenText,
} from "./content";
import { FileTransfer } from "./file_transfer";
import {
  type KeepingPlaces,
  KeptTexts,
  keepingPlacesOf,
  revisionOf,
} from "./kept_texts";
import type { Event } from "./protocol";
import { RequestAccess } from "./server_access";
import { Fold } from "./state";
import type { TurnRequest } from "./transport/values";
import { attachedTo, lastStarted, openTurns, writtenTextOf } from "./turns";
import type {
  Action,
  ApprovalAnswer,
  Change,
  ChatModel,
  ConnectionStatus,
  ConversationState,
  ErrorBody,
  MessageState,
  OutgoingMessage,
  OutgoingRequest,
  Presence,
  ToolCallState,
  TurnState,
  Uploaded,
} from "./view/types";

export interface ChatOptions
  extends Omit<ConnectionOptions, "listener" | "clientId" | "kept"> {
  /** Where texts are kept over a reload; the window's storages when absent. */
  readonly places?: KeepingPlaces | undefined;
  /** Told the id of a conversation that was made because none was given. */
  readonly onConversation?: ((id: string) => void) | undefined;
  /** Told each event that entered the state, after it did. */
  readonly onEvent?: ((event: Event) => void) | undefined;
}

/** One conversation, connected from `start` until its signal aborts. */
export class Chat implements ChatModel {
  readonly #connection: Connection;
  readonly #signal: AbortSignal;
  readonly #clientId: string;
  readonly #kept: KeptTexts;
  readonly #files: FileTransfer;
  readonly server: RequestAccess;
  readonly #listeners = new Set<(change: Change) => void>();
  #fold = new Fold();
  /** Turns whose messages are being given another text. */
  #edited: ReadonlySet<string> = new Set();

  constructor(options: ChatOptions) {
    const { conversation, kind, window, signal } = options;
    this.#signal = signal;
    this.#clientId = claimClientId(kind, window, signal);
    const places = options.places ?? keepingPlacesOf(window);
    this.#kept = new KeptTexts(conversation, places);
    this.#files = new FileTransfer({
      ...{ conversation, signal, requests: options.requests },
      begin: () => this.#connection.dispatch({ type: "begin" }),
    });
    this.server = new RequestAccess({
      ...{ requests: options.requests, apiUrl: options.apiUrl, signal },
      isInReach: () =>
        options.kernel?.isOnly !== true && this.connection.transport !== "relay",
      channel: options.kernel?.channel ?? null,
      begun: (ended) => this.#files.begun(ended),
    });
    this.#connection = new Connection({
      ...options,
      clientId: this.#clientId,
      kept: this.#kept.messages,
      listener: {
        apply: (event) => {
          const change = this.#fold.apply(event);
          if (change !== null) {
            this.#tell(change);
          }
          options.onEvent?.(event);
        },
        reset: (state) => {
          this.#fold = new Fold(state);
          this.#tell({ kind: "reset" });
        },
        conversation: (id) => {
          this.#kept.begin(id);
          this.#files.conversation = id;
          options.onConversation?.(id);
        },
        statusChanged: () => this.#tell({ kind: "connection" }),
        outboxChanged: () => {
          this.#keep();
          this.#tell({ kind: "outbox" });
        },
        presenceChanged: () => this.#tell({ kind: "presence" }),
      },
    });
  }

  /** Begin to connect; call once. */
  start(): void {
    this.#connection.dispatch({ type: "start" });
  }

  get state(): ConversationState {
    return this.#fold.state;
  }

  get connection(): ConnectionStatus {
    return this.#connection.machine.status;
  }

  get outbox(): readonly OutgoingMessage[] {
    return this.#connection.machine.outbox;
  }

  get requests(): readonly OutgoingRequest[] {
    return this.#connection.machine.requests;
  }

  get presence(): Presence {
    const { participants, count } = this.#connection.machine.presence;
    const seats = participants.map(({ client, user, name = "", kind = "tool" }) => ({
      ...{ user, name, kind },
      isThis: client === this.#clientId,
    }));
    return { seats, count };
  }

  get isOffline(): boolean {
    const last = lastStarted(this.#fold.state);
    return last?.offline ?? this.#connection.machine.offline ?? false;
  }

  get messageBytesLimit(): number {
    return this.#connection.machine.limits.message_bytes;
  }

  get artifactBytesLimit(): number {
    return this.#connection.machine.limits.artifact_bytes;
  }

  message(id: string): MessageState | undefined {
    return this.#fold.message(id);
  }

  toolCall(id: string): ToolCallState | undefined {
    return this.#fold.toolCall(id);
  }

  turn(id: string): TurnState | undefined {
    return this.#fold.turn(id);
  }

  subscribe(listener: (change: Change) => void, signal: AbortSignal): void {
    if (!signal.aborted) {
      this.#listeners.add(listener);
      signal.addEventListener("abort", () => this.#listeners.delete(listener), {
        once: true,
      });
    }
  }

  /**
   * @param schema the shape of the answer that is wanted; `null`: prose
   * @param parent the user's message that it follows; absent: as the chat goes on
   */
  send(
    text: string,
    attachments: readonly Attachment[] = [],
    schema: OutputSchema | null = null,
    parent?: string,
  ): void {
    this.#send({
      content: contentOf(text, attachments),
      output_schema: schema,
      parent,
    });
  }

  upload(file: File, signal: AbortSignal): Promise<Uploaded> {
    return this.#files.upload(file, signal);
  }

  attachedFile(artifact: string, signal: AbortSignal): Promise<Blob | null> {
    return this.#files.download(artifact, signal);
  }

  resend(clientMessageId: string): void {
    this.#connection.dispatch({ type: "resend", clientMessageId });
  }

  discard(clientMessageId: string): void {
    this.#connection.dispatch({ type: "discard", clientMessageId });
  }

  cancel(): void {
    const { running, waiting } = openTurns(this.#fold.state);
    const turn = running ?? waiting[0];
    if (turn !== undefined) {
      this.#ask({ kind: "cancel", turn: turn.turn, andQueued: true });
    }
  }

  edit(turn: string, text: string): void {
    const message = this.#fold.message(this.#fold.turn(turn)?.message ?? "");
    const attachments = attachedTo(message);
    this.keepDraft(text, turn);
    this.#ask({ kind: "edit", turn, text, attachments });
  }

  remove(turn: string): void {
    this.#ask({ kind: "cancel", turn, andQueued: false });
  }

  sendNow(turn: string): void {
    this.#ask({ kind: "send_now", turn });
  }

  approve(turn: string, approval: string, answer: ApprovalAnswer): void {
    this.#ask({ kind: "approve", turn, approval, ...answer });
  }

  discardRequest(key: string): void {
    this.#connection.dispatch({ type: "discard_request", key });
  }

  draft(turn?: string): string {
    return this.#kept.draft(turn);
  }

  keepDraft(text: string, turn?: string): void {
    this.#kept.keepDraft(text, turn);
  }

  get draftAttachments(): readonly Attachment[] {
    return this.#kept.attachments;
  }

  keepDraftAttachments(attachments: readonly Attachment[]): void {
    this.#kept.keepAttachments(attachments);
  }

  get draftTurns(): readonly string[] {
    return this.#kept.draftTurns;
  }

  retry(turn: string): void {
    this.regenerate(this.#fold.turn(turn)?.message ?? "");
  }

  regenerate(message: string): void {
    const question = this.#fold.message(message);
    this.#sendBeside(question, writtenTextOf(question));
  }

  revise(message: string, text: string): void {
    this.keepDraft("", revisionOf(message));
    this.#sendBeside(this.#fold.message(message), text);
  }

  async selectBranch(message: string): Promise<ErrorBody | null> {
    const came = await this.server.ask(
      (id) => `conversations/${encodeURIComponent(id)}`,
      { method: "PATCH", body: { tip: message }, signal: this.#signal },
    );
    return "problem" in came ? came.problem : null;
  }

  act(action: Action): void {
    if (action.kind === "button" && action.send) {
      this.send(action.send);
    }
  }

  reconnect(): void {
    this.#connection.dispatch({ type: "reconnect" });
  }

  /** Send another version of a message, with what is attached to it. */
  #sendBeside(message: MessageState | undefined, text: string): void {
    this.#send({
      content: contentOf(text, attachedTo(message)),
      output_schema: message?.output_schema,
      parent: message?.parent,
    });
  }

  #send(asked: Parameters<typeof questionOf>[0]): void {
    const { content } = asked;
    if (writtenText(content).trim() !== "" || attachmentsOf(content).length > 0) {
      const question = questionOf(asked);
      const clientMessageId = newId("w");
      this.#connection.dispatch({ type: "send", clientMessageId, ...question });
    }
  }

  #ask(request: TurnRequest): void {
    this.#connection.dispatch({ type: "ask", request });
  }

  /** Let the browser keep what the log does not have yet. */
  #keep(): void {
    this.#kept.keepMessages(this.outbox);
    const edited = new Set(
      this.requests.filter(({ kind }) => kind === "edit").map(({ turn }) => turn),
    );
    for (const turn of this.#edited) {
      if (!edited.has(turn)) {
        this.keepDraft("", turn);
      }
    }
    this.#edited = edited;
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        // The page hears of it; the connection and the other listeners go on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
