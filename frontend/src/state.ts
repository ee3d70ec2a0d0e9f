/**
 * The fold: a conversation's state from its events. The same rules as
 * `streamchat_nb/conversation/state.py`, proved on the same recorded logs:
 *
 * - An event with `seq <= state.seq` changes nothing; an unknown type only advances.
 * - An event about a message, block, tool call or turn that is not there is ignored.
 * - `message.completed` replaces the blocks by the authoritative content, `b0…`.
 * - A delta for a block that is complete is ignored.
 * - `turns` are in the order in which they run: `turn.queued` with `ahead` moves a turn
 *   that waits before all others that wait.
 * - `tool.completed` clears the progress: rows of progress may be gone from the log.
 * - `progress_log` has the last messages of the progress, no two alike in a row.
 * - A block of thinking knows how long it was thought; `message.completed` keeps that.
 * - A user's message without a `parent` that is there follows the `tip`, and becomes it.
 *   A state of before there were branches is one branch.
 * - Another branch is shown at its newest message; so is a tip's that is taken back.
 *
 * No clock, no I/O; constant time per event.
 */

import { Branches } from "./branches";
import {
  type BlockCompleted,
  type BlockDelta,
  type BlockKind,
  type BlockStarted,
  type BlockState,
  type ContentBlock,
  type ConversationCreated,
  type ConversationState,
  type ConversationUpdated,
  type Event,
  fillApprovalState,
  fillBlockState,
  fillConversationState,
  fillToolCallState,
  fillTurnState,
  type MessageCompleted,
  type MessageCreated,
  type MessageDiscarded,
  type MessageEdited,
  type MessageState,
  type ToolApprovalRequested,
  type ToolApprovalResolved,
  type ToolCallState,
  type ToolCompleted,
  type ToolProgress,
  type ToolRequested,
  type ToolStarted,
  type TurnFinished,
  type TurnQueued,
  type TurnStarted,
  type TurnState,
  type TurnStatus,
  type Usage,
  type WireConversationState,
} from "./protocol";
import type { Change } from "./view/types";

/** How many messages of a tool's progress are kept. */
const PROGRESS_LINES = 20;

type ToolEvent = ToolStarted | ToolProgress | ToolCompleted;
type TurnEvent = TurnQueued | TurnStarted | TurnStatus | TurnFinished;

/** Applies events to the state it owns. */
export class Fold {
  /** The state at `state.seq`. Read-only by custom: `apply` changes it in place. */
  readonly state: ConversationState;
  readonly #messages: Map<string, MessageState>;
  readonly #toolCalls: Map<string, ToolCallState>;
  readonly #turns: Map<string, TurnState>;
  readonly #blocks = new Map<string, BlockState>();

  /** @param wire where to go on from: a snapshot's state, copied as far as it changes */
  constructor(wire: WireConversationState = {}) {
    this.state = fillConversationState(wire);
    this.#messages = new Map(this.state.messages.map((m) => [m.message, m]));
    this.#toolCalls = new Map(this.state.tool_calls.map((c) => [c.tool_call, c]));
    this.#turns = new Map(this.state.turns.map((t) => [t.turn, t]));
    for (const message of this.state.messages) {
      for (const block of message.blocks) {
        this.#blocks.set(blockKey(message.message, block.block), block);
      }
    }
    if (this.state.tip === null) {
      this.#makeOneBranch();
    }
  }

  message(id: string): MessageState | undefined {
    return this.#messages.get(id);
  }

  toolCall(id: string): ToolCallState | undefined {
    return this.#toolCalls.get(id);
  }

  turn(id: string): TurnState | undefined {
    return this.#turns.get(id);
  }

  /** Apply one event and say what it changed; `null` for nothing but `seq`. */
  apply(event: Event): Change | null {
    const seq = event.seq ?? 0;
    if (seq <= this.state.seq) {
      return null;
    }
    this.state.seq = seq;
    switch (event.type) {
      case "block.delta":
        return this.#appendDelta(event);
      case "block.started":
        return this.#startBlock(event);
      case "block.completed":
        return this.#completeBlock(event);
      case "message.created":
        return this.#createMessage(event);
      case "message.edited":
        return this.#editMessage(event);
      case "message.completed":
      case "message.discarded":
        return this.#endMessage(event);
      case "tool.requested":
        return this.#requestTool(event);
      case "tool.approval_requested":
      case "tool.approval_resolved":
        return this.#updateApproval(event);
      case "tool.started":
      case "tool.progress":
      case "tool.completed":
        return this.#updateTool(event);
      case "turn.queued":
      case "turn.started":
      case "turn.status":
      case "turn.finished":
        return this.#updateTurn(event);
      case "conversation.created":
      case "conversation.updated":
        return this.#updateConversation(event);
      default:
        event satisfies never; // a type from a newer server
        return null;
    }
  }

  #appendDelta({ message, block, delta }: BlockDelta): Change | null {
    const state = this.#blocks.get(blockKey(message, block));
    if (state === undefined || state.content !== null) {
      return null;
    }
    state.text += delta;
    return { kind: "delta", message, block, delta };
  }

  #startBlock({ message, block, kind, ts = 0 }: BlockStarted): Change | null {
    const owner = this.#messages.get(message);
    const key = blockKey(message, block);
    if (owner === undefined || this.#blocks.has(key)) {
      return null;
    }
    const started_ts = kind === "thinking" ? ts : null;
    const state = fillBlockState({ block, kind, started_ts });
    owner.blocks.push(state);
    this.#blocks.set(key, state);
    return { kind: "message", message };
  }

  #completeBlock(event: BlockCompleted): Change | null {
    const state = this.#blocks.get(blockKey(event.message, event.block));
    if (state === undefined) {
      return null;
    }
    state.content = event.content ?? null;
    state.text = textOf(state.content) ?? state.text;
    state.partial = event.partial ?? false;
    if (state.started_ts !== null) {
      state.duration_ms = (event.ts ?? 0) - state.started_ts;
    }
    return { kind: "message", message: event.message };
  }

  #createMessage(event: MessageCreated): Change | null {
    if (this.#messages.has(event.message)) {
      return null;
    }
    const message: MessageState = {
      message: event.message,
      role: event.role,
      author: event.author,
      ts: event.ts ?? 0,
      status: "streaming",
      turn: event.turn ?? null,
      client_message_id: event.client_message_id ?? null,
      parent: event.parent ?? null,
      blocks: [],
      stop_reason: null,
      usage: null,
      actions: [],
      discard_reason: null,
      edited: false,
      output_schema: event.output_schema ?? null,
    };
    if (event.role === "user") {
      message.parent = this.#parentOf(event);
      this.state.tip = event.message;
    }
    this.state.messages.push(message);
    this.#messages.set(event.message, message);
    if (event.content) {
      this.#replaceBlocks(message, event.content);
      message.status = "complete";
    }
    return { kind: "message", message: event.message };
  }

  #parentOf({ parent }: MessageCreated): string {
    const isKnown = this.#messages.get(parent ?? "")?.role === "user";
    return (isKnown ? parent : parent === "" ? "" : this.state.tip) ?? "";
  }

  /** Let each message of a user follow the one before. */
  #makeOneBranch(): void {
    for (const message of this.state.messages) {
      if (message.role === "user") {
        message.parent = this.state.tip ?? "";
        this.state.tip = message.message;
      }
    }
  }

  #showBranch(message: string): void {
    this.state.tip = new Branches(this.state).newest(message) || null;
  }

  #editMessage({ message, content }: MessageEdited): Change | null {
    const state = this.#messages.get(message);
    if (state === undefined) {
      return null;
    }
    this.#replaceBlocks(state, content);
    state.edited = true;
    return { kind: "message", message };
  }

  #endMessage(event: MessageCompleted | MessageDiscarded): Change | null {
    const message = this.#messages.get(event.message);
    if (message === undefined) {
      return null;
    }
    if (event.type === "message.discarded") {
      message.status = "discarded";
      message.discard_reason = event.reason;
    } else {
      this.#replaceBlocks(message, event.content);
      message.status = event.partial ? "partial" : "complete";
      message.stop_reason = event.stop_reason ?? null;
      message.usage = event.usage ?? null;
      message.actions = [...(event.actions ?? [])];
    }
    return { kind: "message", message: event.message };
  }

  #replaceBlocks(message: MessageState, content: readonly ContentBlock[]): void {
    const old = new Map<string, BlockState>();
    for (const state of message.blocks) {
      old.set(`${state.block} ${state.kind}`, state);
      this.#blocks.delete(blockKey(message.message, state.block));
    }
    message.blocks = content.map((item, index) => {
      const [block, kind] = [`b${index}`, kindOf(item)];
      const before = old.get(`${block} ${kind}`);
      return {
        ...{ block, kind, text: textOf(item) ?? "", content: item, partial: false },
        started_ts: before?.started_ts ?? null,
        duration_ms: before?.duration_ms ?? null,
      };
    });
    for (const block of message.blocks) {
      this.#blocks.set(blockKey(message.message, block.block), block);
    }
  }

  #requestTool(event: ToolRequested): Change | null {
    const { tool_call, message, block, name, label, input } = event;
    if (this.#toolCalls.has(tool_call)) {
      return null;
    }
    const call = fillToolCallState({ tool_call, message, block, name, label, input });
    call.where = event.where ?? "server";
    call.turn = event.turn ?? null;
    call.risk = event.risk ?? "read";
    this.state.tool_calls.push(call);
    this.#toolCalls.set(tool_call, call);
    return { kind: "tool_call", tool_call };
  }

  #updateApproval(event: ToolApprovalRequested | ToolApprovalResolved): Change | null {
    const { tool_call } = event;
    const call = this.#toolCalls.get(tool_call);
    if (call === undefined) {
      return null;
    }
    if (event.type === "tool.approval_requested") {
      const { approval, input_hash, prompt, risk } = event;
      call.approval = fillApprovalState({ approval, input_hash, prompt, risk });
      call.approval.may_remember = event.may_remember ?? true;
      call.approval.expires_at = event.expires_at ?? null;
      return { kind: "tool_call", tool_call };
    }
    if (call.approval?.approval !== event.approval) {
      return null;
    }
    call.approval.decision = event.decision;
    call.approval.by = event.by ?? null;
    call.approval.reason = event.reason ?? null;
    if (event.edited_input) {
      call.input = event.edited_input;
      call.approval.is_edited = true;
    }
    return { kind: "tool_call", tool_call };
  }

  #updateTool(event: ToolEvent): Change | null {
    const call = this.#toolCalls.get(event.tool_call);
    if (call === undefined) {
      return null;
    }
    switch (event.type) {
      case "tool.started":
        call.status = "running";
        call.attempt = event.attempt ?? 1;
        call.started_ts = event.ts ?? 0;
        break;
      case "tool.progress":
        noteProgress(call, event);
        break;
      case "tool.completed":
        call.status = event.status;
        call.output = event.output;
        call.truncated = event.truncated ?? false;
        call.artifact = event.artifact ?? null;
        call.display = [...(event.display ?? [])];
        call.actions = [...(event.actions ?? [])];
        call.duration_ms = event.duration_ms ?? null;
        call.progress_message = null;
        call.progress_fraction = null;
        call.progress_log = [];
        break;
    }
    return { kind: "tool_call", tool_call: event.tool_call };
  }

  #updateTurn(event: TurnEvent): Change | null {
    const turn = event.turn ?? null;
    if (turn === null) {
      return null;
    }
    const known = this.#turns.get(turn);
    switch (event.type) {
      case "turn.queued":
        if (known !== undefined && !event.ahead) {
          return null;
        }
        this.#queueTurn(known ?? this.#addTurn(turn, event.message), event);
        break;
      case "turn.started":
        startTurn(known ?? this.#addTurn(turn, event.message), event);
        break;
      default:
        if (known === undefined) {
          return null;
        }
        if (event.type === "turn.status") {
          known.phase = event.phase;
          known.label = event.label;
          known.retry_in_ms = event.retry_in_ms ?? null;
        } else {
          finishTurn(known, event);
          this.#takeEnd(known);
        }
    }
    return { kind: "turn", turn };
  }

  /** Add what a turn used to what the conversation used; show what is left. */
  #takeEnd(turn: TurnState): void {
    const { state } = this;
    if (turn.message === state.tip) {
      this.#showBranch(turn.message);
    }
    state.usage = summedUsage(state.usage, turn.usage);
    if (turn.cost !== null) {
      state.cost = (state.cost ?? 0) + turn.cost;
    } else if (turn.started_ts !== null && !turn.offline) {
      state.unpriced_turns += 1;
    }
  }

  #queueTurn(turn: TurnState, { ahead }: TurnQueued): void {
    const { turns } = this.state;
    if (ahead && turn.status === "queued") {
      turns.splice(turns.indexOf(turn), 1);
      const first = turns.findIndex(({ status }) => status === "queued");
      turns.splice(first === -1 ? turns.length : first, 0, turn);
    }
  }

  #addTurn(turn: string, message: string): TurnState {
    const state = fillTurnState({ turn, message, status: "queued" });
    this.state.turns.push(state);
    this.#turns.set(turn, state);
    return state;
  }

  #updateConversation(event: ConversationCreated | ConversationUpdated): Change {
    const { state } = this;
    if (event.type === "conversation.created") {
      state.conversation = event.conversation ?? "";
      state.created_ts = event.ts ?? 0;
      state.title = event.title ?? "";
    } else {
      state.title = event.title ?? state.title;
    }
    state.settings = event.settings ? { ...event.settings } : state.settings;
    const tip = event.type === "conversation.updated" ? event.tip : null;
    if (tip != null && this.#messages.get(tip)?.role === "user") {
      this.#showBranch(tip);
      return { kind: "branch" };
    }
    return { kind: "conversation" };
  }
}

function startTurn(turn: TurnState, event: TurnStarted): void {
  turn.status = "running";
  turn.agent = event.agent;
  turn.model = event.model ?? "";
  turn.offline = event.offline ?? false;
  turn.started_ts = event.ts ?? 0;
}

function finishTurn(turn: TurnState, event: TurnFinished): void {
  turn.status = event.status;
  turn.phase = null;
  turn.label = "";
  turn.retry_in_ms = null;
  turn.stop_reason = event.stop_reason ?? null;
  turn.error = event.error ?? null;
  turn.usage = event.usage ?? null;
  turn.cost = event.cost ?? null;
  turn.finished_ts = event.ts ?? 0;
}

/** The sum per kind of token; what neither counted stays away. */
function summedUsage(one: Usage | null, other: Usage | null): Usage | null {
  if (one === null || other === null) {
    return one ?? other;
  }
  const sum: Record<string, number> = {};
  for (const usage of [one, other]) {
    for (const [kind, count] of Object.entries(usage)) {
      if (count !== null) {
        sum[kind] = (sum[kind] ?? 0) + count;
      }
    }
  }
  return sum;
}

function blockKey(message: string, block: string): string {
  return `${message}\n${block}`;
}

/** The text that a block shows by itself, if its kind has any. */
function textOf(content: ContentBlock | null): string | null {
  switch (content?.type) {
    case "text":
      return content.text;
    case "thinking":
      return content.thinking;
    default:
      return null;
  }
}

function kindOf(content: ContentBlock): BlockKind {
  switch (content.type) {
    case "thinking":
      return "thinking";
    case "tool_use":
      return "tool_use";
    case "provider":
      return "server_tool";
    default:
      return "text";
  }
}

function noteProgress(call: ToolCallState, { message, fraction }: ToolProgress): void {
  call.progress_fraction = fraction ?? call.progress_fraction;
  if (message == null) return;
  call.progress_message = message;
  if (call.progress_log.at(-1) !== message) {
    call.progress_log = [...call.progress_log.slice(1 - PROGRESS_LINES), message];
  }
}
