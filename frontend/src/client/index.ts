/** A streamed chat with the agents of a Jupyter server, for any front end. */

export type { Attachment } from "../content";
export type {
  Command,
  ContentBlock,
  DataBlock,
  DocumentBlock,
  Event,
  ImageBlock,
  ProviderBlock,
  RequestSource,
  RequestsKept,
  SpanKind,
  TextBlock,
  ThinkingBlock,
  ToolUseBlock,
  TracedRequest,
  TraceSpan,
  TurnTrace,
  Usage,
  UserBlock,
} from "../protocol";
export type {
  Action,
  ApprovalAnswer,
  ApprovalState,
  BlockState,
  ConnectionStatus,
  ConversationState,
  Display,
  ErrorBody,
  MessageState,
  OutgoingMessage,
  OutgoingRequest,
  Presence,
  Seat,
  ToolCallState,
  TurnState,
} from "../view/types";
export {
  Conversation,
  type ConversationOptions,
  type OpenSocket,
} from "./conversation";
export type { CredentialOptions } from "./credential";
export { StreamchatError } from "./errors";
export {
  type AgentDescription,
  type ConnectOptions,
  type ConversationChanges,
  type ConversationPage,
  type ConversationSummary,
  connect,
  type ExportFormat,
  type ListOptions,
  openConversation,
  Server,
} from "./server";
export type { ConversationSnapshot } from "./snapshot";
export { type Observer, Store, type Subscription } from "./store";
