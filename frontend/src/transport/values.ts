/** The values that go between the connection's machine and the world around it. */

import type { Attachment, Question } from "../content";
import type {
  Command,
  ErrorBody,
  Event,
  Identifier,
  WireConversationState,
} from "../protocol";
import type { ApprovalAnswer } from "../view/types";

/** The ways to reach the server, the best first. */
export type Transport = "websocket" | "sse" | "rest" | "relay";

const TRANSPORTS: readonly Transport[] = ["websocket", "sse", "rest", "relay"];

/** What to try after `tried` that is still better than what is in use. */
export function nextBetter(tried: Transport, inUse: Transport): Transport | null {
  const next = TRANSPORTS.indexOf(tried) + 1;
  return (next < TRANSPORTS.indexOf(inUse) && TRANSPORTS[next]) || null;
}

/** A position in one log: everything up to `seq` of `log` was seen. */
export interface Cursor {
  readonly log: Identifier;
  readonly seq: number;
}

/** Why a request came back without what was asked for. */
export interface RequestFailure {
  /** The HTTP status; `null` when there was no answer at all. */
  readonly status: number | null;
  readonly problem: ErrorBody;
  /** Whether our server said so, and not something on the way to it. */
  readonly fromServer: boolean;
}

/** One answer of `GET …/events` as JSON. */
export interface EventPage {
  readonly log: Identifier;
  readonly head: number;
  readonly mode: "replay" | "snapshot";
  readonly from?: number;
  readonly events?: readonly Event[];
  readonly snapshot?: WireConversationState;
}

/** Why a session ended. */
export type Failure =
  /** Nothing answers: no server, or no network. */
  | { readonly kind: "unreachable" }
  /** The server is there, but this transport does not get through; `slow` when that
   * took long to find out. */
  | { readonly kind: "blocked"; readonly why: Obstacle; readonly slow?: boolean }
  /** It worked, or would soon; try the same again. */
  | { readonly kind: "broken"; readonly retryAfterMs?: number | undefined }
  /** An event is missing: read again from the cursor, now. */
  | { readonly kind: "gap" }
  /** Trying the same again is of no use. */
  | { readonly kind: "refused"; readonly problem: ErrorBody };

/** What is asked of a turn. */
export type TurnRequest =
  /** End it; `andQueued`: and all that wait. */
  | { readonly kind: "cancel"; readonly turn: Identifier; readonly andQueued: boolean }
  /** Give a message that waits another text; what is attached stays. */
  | {
      readonly kind: "edit";
      readonly turn: Identifier;
      readonly text: string;
      readonly attachments: readonly Attachment[];
    }
  /** Let one that waits go next. */
  | { readonly kind: "send_now"; readonly turn: Identifier }
  /** Answer a tool call of it that asks first. */
  | ({
      readonly kind: "approve";
      readonly turn: Identifier;
      readonly approval: Identifier;
    } & ApprovalAnswer);

/** An answer to an approval as it travels. */
export function approvalOf({
  approval,
  decision,
  remember,
  editedInput,
}: Extract<TurnRequest, { readonly kind: "approve" }>) {
  return {
    approval,
    decision,
    remember: remember ?? "once",
    ...(editedInput === undefined ? {} : { edited_input: editedInput }),
  };
}

/** What came of a request that changes something. */
export type Posted = { readonly seq: number } | { readonly failure: RequestFailure };

/** What stands in the way of a better transport. */
export type Obstacle = "network" | "token";

/** What happened; every input comes with the time. `id` is that of the session. */
export type Input =
  | { readonly type: "start" }
  /** Somebody needs the conversation, though nothing was sent in it. */
  | { readonly type: "begin" }
  /** The machine's deadline has come. */
  | { readonly type: "wake" }
  /** The network came or went, or somebody looks at the page again. */
  | { readonly type: "network" }
  | { readonly type: "visible" }
  /** Nobody looks at the page. */
  | { readonly type: "hidden" }
  /** Somebody asks to connect now. */
  | { readonly type: "reconnect" }
  | { readonly type: "created"; readonly conversation: Identifier }
  | { readonly type: "create_failed"; readonly failure: RequestFailure }
  | { readonly type: "socket_frame"; readonly id: number; readonly data: string }
  | {
      readonly type: "socket_closed";
      readonly id: number;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly type: "token"; readonly id: number; readonly token: string }
  | {
      readonly type: "token_failed";
      readonly id: number;
      readonly failure: RequestFailure;
    }
  /** The kernel is there; whether what was sent waits until a cell has ended. */
  | { readonly type: "relay_alive"; readonly id: number; readonly isWaiting: boolean }
  /** Bytes came, whatever they are. */
  | { readonly type: "stream_heard"; readonly id: number }
  /** An item came; the first one has no data. */
  | { readonly type: "stream_item"; readonly id: number; readonly data: string }
  /** The stream ended; `failure` when it did so against its rules. */
  | {
      readonly type: "stream_closed";
      readonly id: number;
      readonly failure: RequestFailure | null;
    }
  | { readonly type: "page"; readonly id: number; readonly page: EventPage }
  | {
      readonly type: "page_failed";
      readonly id: number;
      readonly failure: RequestFailure;
    }
  | ({ readonly type: "send"; readonly clientMessageId: Identifier } & Question)
  | { readonly type: "resend"; readonly clientMessageId: Identifier }
  | { readonly type: "discard"; readonly clientMessageId: Identifier }
  | { readonly type: "ask"; readonly request: TurnRequest }
  /** Somebody drops a request that was refused. */
  | { readonly type: "discard_request"; readonly key: string }
  | ({ readonly type: "posted"; readonly clientMessageId: Identifier } & Posted)
  | ({ readonly type: "request_posted"; readonly key: string } & Posted)
  /** Who would answer: whether it is the offline demo. */
  | { readonly type: "agent"; readonly offline: boolean }
  | { readonly type: "agent_failed"; readonly failure: RequestFailure };

/** What the machine asks for, in order. Closing what is closed does nothing. */
export type Output =
  | { readonly type: "create_conversation" }
  | { readonly type: "fetch_agent" }
  | { readonly type: "open_socket"; readonly id: number }
  /** Open a socket that the kernel holds. */
  | { readonly type: "open_relay"; readonly id: number }
  | { readonly type: "transmit"; readonly id: number; readonly command: Command }
  | { readonly type: "fetch_token"; readonly id: number }
  | {
      readonly type: "open_stream";
      readonly id: number;
      readonly conversation: Identifier;
      readonly since: Cursor | null;
    }
  | {
      readonly type: "fetch_page";
      readonly id: number;
      readonly conversation: Identifier;
      readonly since: Cursor | null;
      readonly waitMs: number;
    }
  /** End the socket, stream or page request of a session. */
  | { readonly type: "close"; readonly id: number }
  | ({
      readonly type: "post_message";
      readonly conversation: Identifier;
      readonly clientMessageId: Identifier;
    } & Question)
  | {
      readonly type: "post_request";
      readonly conversation: Identifier;
      readonly key: string;
      readonly request: TurnRequest;
    }
  /** Apply an event to the state. */
  | { readonly type: "apply"; readonly event: Event }
  /** Go on from this state. */
  | { readonly type: "reset"; readonly state: WireConversationState }
  /** A conversation was made, and this is its id. */
  | { readonly type: "conversation"; readonly conversation: Identifier }
  | { readonly type: "status_changed" }
  /** What was asked for and is not in the log yet. */
  | { readonly type: "outbox_changed" }
  | { readonly type: "presence_changed" };
