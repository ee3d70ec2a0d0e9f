/**
 * What the chat's views need to know and may ask for: the seam between the screen
 * and the connection.
 *
 * The state has the names and meanings of the fold (`conversation/state.py` and
 * `state.ts`), with every default filled in: the wire leaves defaults off, the fold
 * puts them back. Views only read it.
 */

import type { Attachment, OutputSchema, Question } from "../content";
import type { KernelChannel } from "../kernel_channel";
import type { ContentBlock, Usage } from "../protocol";
import type { ConversationsButton } from "./conversations_button";
import type { Parts } from "./part";

/** Something to click under an answer; see `Action` in the protocol. */
export interface Action {
  readonly kind: "link" | "button";
  readonly label: string;
  readonly href?: string | null | undefined;
  readonly send?: string | null | undefined;
}

/** The one shape of an error at every boundary. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retryable?: boolean | undefined;
  readonly retry_after_ms?: number | null | undefined;
}

/** One block of a message; `text` grows while it streams. */
export interface BlockState {
  readonly block: string;
  readonly kind: "text" | "thinking" | "tool_use" | "citation" | "server_tool";
  readonly text: string;
  /** Set once the block is complete; a `tool_use` has its call's id in `id`. */
  readonly content?: ContentBlock | null | undefined;
  /** Of thinking: how long it took, once it is complete. */
  readonly duration_ms?: number | null | undefined;
}

/** One message; a user's is complete from the start. */
export interface MessageState {
  readonly message: string;
  readonly role: "user" | "assistant";
  readonly author: { readonly name: string };
  readonly status: "streaming" | "complete" | "partial" | "discarded";
  readonly turn?: string | null | undefined;
  readonly client_message_id?: string | null | undefined;
  /** The user's message that a user's message follows; empty: none. */
  readonly parent?: string | null | undefined;
  readonly blocks: readonly BlockState[];
  readonly stop_reason?: string | null | undefined;
  /** Of the one request to the model that an agent's message answers. */
  readonly usage?: Usage | null | undefined;
  readonly actions: readonly Action[];
  readonly discard_reason?: string | null | undefined;
  /** The JSON Schema of the answer that a user's message wants. */
  readonly output_schema?: OutputSchema | null | undefined;
}

/** One tool call, from the request to its end. */
export interface ToolCallState {
  readonly tool_call: string;
  readonly message: string;
  readonly block: string;
  readonly name: string;
  readonly label: string;
  readonly turn?: string | null | undefined;
  readonly input: { readonly [name: string]: unknown };
  readonly status:
    | "requested"
    | "running"
    | "ok"
    | "error"
    | "denied"
    | "cancelled"
    | "timeout"
    | "unknown";
  readonly progress_message?: string | null | undefined;
  /** Its last messages, while it runs. */
  readonly progress_log: readonly string[];
  /** 0 to 1 when the tool knows it. */
  readonly progress_fraction?: number | null | undefined;
  readonly output?: string | null | undefined;
  readonly truncated: boolean;
  /** Which side runs it; `provider`: the model's endpoint. */
  readonly where: "server" | "kernel" | "provider";
  readonly actions: readonly Action[];
  /** What people are shown beside the output. */
  readonly display: readonly Display[];
  /** What it asks a person, before it runs. */
  readonly approval: ApprovalState | null;
  /** When it began to run, by the server's clock. */
  readonly started_ts?: number | null | undefined;
  readonly duration_ms?: number | null | undefined;
}

/** What a tool's result looks like to people. */
export type Display =
  | {
      readonly type: "table";
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
      readonly total_rows: number;
    }
  | {
      readonly type: "image";
      readonly media_type: string;
      /** Base64. */
      readonly data: string;
      readonly alt?: string | undefined;
    }
  | { readonly type: "text"; readonly text: string };

/** A tool call's question to a person; it waits while `decision` is null. */
export interface ApprovalState {
  readonly approval: string;
  readonly prompt: string;
  readonly risk: "read" | "write" | "exec";
  readonly may_remember: boolean;
  readonly decision: "approved" | "denied" | null;
}

/** A person's answer to such a question. */
export interface ApprovalAnswer {
  readonly decision: "approved" | "denied";
  /** `conversation`: the tool need not ask again here. */
  readonly remember?: "once" | "conversation" | undefined;
  /** Replaces the whole input. */
  readonly editedInput?: { readonly [name: string]: unknown } | undefined;
}

/** One turn; `message` is the user's message that it answers. */
export interface TurnState {
  readonly turn: string;
  readonly message: string;
  readonly status:
    | "queued"
    | "running"
    | "completed"
    | "cancelled"
    | "failed"
    | "interrupted";
  readonly agent: string;
  readonly model: string;
  readonly offline: boolean;
  readonly phase?: string | null | undefined;
  /** What the turn does now, in words for the user; empty when it says nothing. */
  readonly label: string;
  /** Why it ended, where that is not plain from the status. */
  readonly stop_reason?: string | null | undefined;
  /** When it began to be answered; `null` when it never did. */
  readonly started_ts?: number | null | undefined;
  readonly finished_ts?: number | null | undefined;
  readonly error?: ErrorBody | null | undefined;
  readonly usage?: Usage | null | undefined;
  /** US dollars, estimated; `null` where it is not known. */
  readonly cost?: number | null | undefined;
}

/** All that a screen shows of a conversation, at one `seq`. */
export interface ConversationState {
  readonly conversation: string;
  /** Number of the last event that is in it. */
  readonly seq: number;
  readonly title: string;
  /** Who answers, as far as somebody chose; by the names of `AgentChoice`. */
  readonly settings: { readonly [name: string]: unknown };
  readonly messages: readonly MessageState[];
  readonly tool_calls: readonly ToolCallState[];
  readonly turns: readonly TurnState[];
  /** Sums over the turns that ended. */
  readonly usage?: Usage | null | undefined;
  readonly cost?: number | null | undefined;
  /** Turns that ended whose cost is not known. */
  readonly unpriced_turns: number;
  /** The user's message at which it is shown and continued. */
  readonly tip?: string | null | undefined;
}

/** How the screen reaches the server now. */
export interface ConnectionStatus {
  readonly transport:
    | "websocket"
    | "sse"
    | "rest"
    | "relay"
    | "connecting"
    | "offline"
    /** The server is there; the conversation begins with the first message. */
    | "ready";
  /** Two or three plain words for the badge, for example "Live". */
  readonly text: string;
  /** Which transport, and why this one, in a sentence or two. */
  readonly detail: string;
  /** Set while nothing can be sent: what is wrong and whether it may pass. */
  readonly problem?: ErrorBody | null | undefined;
}

/** A message of this reader's that the log has not echoed yet. */
export interface OutgoingMessage extends Question {
  readonly client_message_id: string;
  readonly status: "sending" | "failed";
  readonly error?: ErrorBody | null | undefined;
}

/** What this reader asked of a turn, until the log shows what came of it. */
export interface OutgoingRequest {
  readonly key: string;
  readonly kind: "cancel" | "edit" | "send_now" | "approve";
  readonly turn: string;
  /** The new text of an `edit`; the approval that an `approve` answers. */
  readonly text: string;
  readonly status: "sending" | "failed";
  readonly error?: ErrorBody | null | undefined;
}

/** What came of an upload: the block to attach, or why there is none. */
export type Uploaded = { readonly block: Attachment } | { readonly problem: ErrorBody };

/** A variable of the notebook. */
export interface Variable {
  readonly name: string;
  /** Its class, for example `DataFrame`. */
  readonly kind: string;
  /** How large it is, in words; may be empty. */
  readonly shape: string;
}

/** Which part of a variable is shared. */
export interface DigestChoice {
  /** The columns that are allowed; `null` for all but those that look secret. */
  readonly columns: readonly string[] | null;
  /** How many of the first rows. */
  readonly rows: number;
}

/** What may be shared of a variable: `text` is exactly what is sent. */
export interface DataDigest extends Variable {
  readonly text: string;
  readonly columns: readonly DigestColumn[];
}

export interface DigestColumn {
  readonly name: string;
  readonly dtype: string;
  readonly included: boolean;
  /** Its name says that it holds a secret. */
  readonly secret: boolean;
}

/** Why there is no answer of a notebook, or of the server. */
export interface NoAnswer {
  /** `not_found`: there is no such variable; `no_answer`: the kernel is busy or gone. */
  readonly problem: ErrorBody;
}

/** What the server answered: JSON. */
export interface Answered {
  readonly answer: unknown;
}

/** The server, beside the conversation. */
export interface ServerAccess {
  /** URL of the API, ending in `/`. */
  readonly apiUrl: string;
  /** Whether the browser itself reaches the server, as links need it. */
  readonly isInReach: boolean;
  /** The messages of the kernel behind the chat, where there is one. */
  readonly channel: KernelChannel | null;
  /**
   * Ask for JSON. The promise is kept, with a problem where there is no answer.
   *
   * @param path relative to the API; made of the conversation's id, which is waited
   *   for, and made where there is none
   */
  ask(
    path: string | ((conversation: string) => string),
    options: AskOptions,
  ): Promise<Answered | NoAnswer>;
}

export interface AskOptions {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal: AbortSignal;
  /** 10 s when absent. */
  readonly timeoutMs?: number;
}

/** The notebook's data, where a kernel is behind the chat. Its promises are kept. */
export interface DataSource {
  /** Variables whose names have `prefix` in them, the likeliest first. */
  names(prefix: string, signal: AbortSignal): Promise<readonly Variable[] | NoAnswer>;
  digest(
    name: string,
    choice: DigestChoice,
    signal: AbortSignal,
  ): Promise<DataDigest | NoAnswer>;
}

/** One place from which the conversation is followed. */
export interface Seat {
  /** Whose it is. */
  readonly user: string;
  /** What it calls itself; may be empty. */
  readonly name: string;
  readonly kind: "widget" | "page" | "kernel" | "tool";
  readonly isThis: boolean;
}

/** Who follows the conversation now; of many, not all are named. */
export interface Presence {
  readonly seats: readonly Seat[];
  readonly count: number;
}

/**
 * What changed, one per event. A listener may rely on the model's state being the
 * one *after* the change.
 */
export type Change =
  /** Anything may differ: a snapshot came, or another conversation. */
  | { readonly kind: "reset" }
  /** A message began, completed or was discarded, or one of its blocks did. */
  | { readonly kind: "message"; readonly message: string }
  /** Text was appended to a block. */
  | {
      readonly kind: "delta";
      readonly message: string;
      readonly block: string;
      readonly delta: string;
    }
  | { readonly kind: "tool_call"; readonly tool_call: string }
  | { readonly kind: "turn"; readonly turn: string }
  /** The title or the settings. */
  | { readonly kind: "conversation" }
  /** Another branch is shown; the title and the settings may differ, too. */
  | { readonly kind: "branch" }
  /** How the server is reached, or who would answer. */
  | { readonly kind: "connection" }
  /** What was asked for and is not in the log yet: messages, requests. */
  | { readonly kind: "outbox" }
  | { readonly kind: "presence" };

/**
 * The one thing that the root view is given. Its methods never throw and never
 * wait: what goes wrong comes back as `outbox`, `connection` or turn state.
 */
export interface ChatModel {
  readonly state: ConversationState;
  readonly connection: ConnectionStatus;
  /** In the order of sending; an entry leaves when its echo enters the state. */
  readonly outbox: readonly OutgoingMessage[];
  /** In the order of asking; one leaves when it was done, a failed one when dropped. */
  readonly requests: readonly OutgoingRequest[];
  readonly presence: Presence;
  /** Whether the offline demo answers. */
  readonly isOffline: boolean;
  /** Longest text of one message with its shared data, in UTF-8 bytes. */
  readonly messageBytesLimit: number;
  /** Largest file that can be attached, in bytes. */
  readonly artifactBytesLimit: number;

  readonly server: ServerAccess;

  /** Look-ups by id, in constant time. */
  message(id: string): MessageState | undefined;
  toolCall(id: string): ToolCallState | undefined;
  turn(id: string): TurnState | undefined;

  /** Call `listener` after every change until `signal` aborts. */
  subscribe(listener: (change: Change) => void, signal: AbortSignal): void;

  /** Put a message into the outbox and send it. */
  send(text: string, attachments?: readonly Attachment[]): void;
  /**
   * Upload a file, to be attached to a message of this conversation. Ends when
   * `signal` aborts; whatever happens, the promise is kept.
   */
  upload(file: File, signal: AbortSignal): Promise<Uploaded>;
  /** The bytes of an attached file; `null` where they cannot be had. */
  attachedFile(artifact: string, signal: AbortSignal): Promise<Blob | null>;
  /** Send a failed message of the outbox again, under the same id. */
  resend(clientMessageId: string): void;
  /** Drop a failed message of the outbox. */
  discard(clientMessageId: string): void;
  /** Stop the running turn and all that wait. */
  cancel(): void;
  /** Give the message of a turn that waits another text. */
  edit(turn: string, text: string): void;
  /** Take a turn that waits out of the queue. */
  remove(turn: string): void;
  /** Let a turn that waits go next. */
  sendNow(turn: string): void;
  /** Answer a tool call of a turn that asks first. */
  approve(turn: string, approval: string, answer: ApprovalAnswer): void;
  /** Drop a failed request. */
  discardRequest(key: string): void;
  /** What was being written when the page ended, or the message of `turn` changed to. */
  draft(turn?: string): string;
  /** Keep what is being written over a reload; an empty text is forgotten. */
  keepDraft(text: string, turn?: string): void;
  /** What was attached to the new message when the page ended. */
  readonly draftAttachments: readonly Attachment[];
  keepDraftAttachments(attachments: readonly Attachment[]): void;
  /** Turns whose messages were being changed when the page ended. */
  readonly draftTurns: readonly string[];
  /** Ask again what a failed, cancelled or interrupted turn was to answer. */
  retry(turn: string): void;
  /** Ask a message of the user again, beside it; what was answered stays. */
  regenerate(message: string): void;
  /** Send another text beside a message of the user; what is attached stays. */
  revise(message: string, text: string): void;
  /** Show the branch of a message, in all places; gives what went wrong, if anything. */
  selectBranch(message: string): Promise<ErrorBody | null>;
  /** Do what a button says. Links are followed by the browser. */
  act(action: Action): void;
  /** Connect now instead of waiting for the next attempt. */
  reconnect(): void;
}

/** `auto` follows JupyterLab's theme, else the system's. */
export type Theme = "auto" | "light" | "dark";

/** Where lines begin; `auto`: as on the page around. */
export type Direction = "auto" | "ltr" | "rtl";

/** How the root view is made. */
export interface ChatViewOptions {
  /** Ends the view: removes its listeners and its elements. */
  readonly signal: AbortSignal;
  /** The list of conversations, to stand in this chat; there is none without. */
  readonly conversations?: ConversationsButton | undefined;
  readonly theme?: Theme | undefined;
  readonly direction?: Direction | undefined;
  /** A widget has a bounded height, a page fills its window, a panel its container. */
  readonly layout?: "widget" | "page" | "panel" | undefined;
  /** The notebook's data, to be shared; there is none on a page without a kernel. */
  readonly dataSource?: DataSource | undefined;
  /** What is loaded when it is first needed; one for all views of a chat. */
  readonly parts: Parts;
  /** Shows a fresh conversation in place of this one; absent: not from here. */
  readonly newConversation?: (() => void) | undefined;
}
