/** Values of a conversation that do not change, from the fold that changes in place. */

import { shownMessages } from "../branches";
import { openTurns } from "../turns";
import type {
  BlockState,
  Change,
  ChatModel,
  ConnectionStatus,
  ConversationState,
  MessageState,
  OutgoingMessage,
  OutgoingRequest,
  Presence,
  ToolCallState,
  TurnState,
} from "../view/types";

/** All that there is to show of a conversation, at one moment. */
export interface ConversationSnapshot extends ConversationState {
  /** How the server is reached now. */
  readonly connection: ConnectionStatus;
  /** Sent by this client and not in the log yet. */
  readonly outbox: readonly OutgoingMessage[];
  /** What this client asked of turns, until the log shows what came of it. */
  readonly requests: readonly OutgoingRequest[];
  /** Who follows the conversation. */
  readonly presence: Presence;
  /** Whether the offline demo answers. */
  readonly isOffline: boolean;
  /** The turn that is being answered. */
  readonly running: TurnState | undefined;
  /** The turns that wait, in the order in which they will run. */
  readonly waiting: readonly TurnState[];
  /** The tool calls that wait for a person's answer. */
  readonly approvals: readonly ToolCallState[];
  /** Of the messages those of the branch that is shown. */
  readonly shown: readonly MessageState[];
}

type Item = MessageState | ToolCallState | TurnState;

/**
 * Takes snapshots. What did not change between two of them is the same object in both.
 */
export class SnapshotTaker {
  readonly #chat: ChatModel;
  /** What is out of date: ids of messages, tool calls and turns; `null` for all. */
  #changed: Set<string> | null = null;
  readonly #messages = new Copies<MessageState>((message, before) => ({
    ...message,
    blocks: message.blocks.map((block, at) => copyOf(block, before?.blocks[at])),
  }));
  readonly #toolCalls = new Copies<ToolCallState>((call) => ({
    ...call,
    approval: call.approval && { ...call.approval },
  }));
  readonly #turns = new Copies<TurnState>((turn) => ({ ...turn }));
  #shown: readonly MessageState[] = [];

  constructor(chat: ChatModel) {
    this.#chat = chat;
  }

  /** Note what changed. */
  note(change: Change): void {
    switch (change.kind) {
      case "reset":
        this.#changed = null;
        break;
      case "message":
      case "delta":
        this.#changed?.add(change.message);
        break;
      case "tool_call":
        this.#changed?.add(change.tool_call);
        break;
      case "turn":
        this.#changed?.add(change.turn);
        break;
      default:
    }
  }

  take(): ConversationSnapshot {
    const { state, connection, outbox, requests, presence, isOffline } = this.#chat;
    const changed = this.#changed;
    this.#changed = new Set();
    const messages = this.#messages.of(state.messages, (m) => m.message, changed);
    const toolCalls = this.#toolCalls.of(state.tool_calls, (c) => c.tool_call, changed);
    const turns = this.#turns.of(state.turns, (t) => t.turn, changed);
    const copied = { ...state, messages, tool_calls: toolCalls, turns };
    this.#shown = sameOr(this.#shown, shownMessages(copied));
    return {
      ...copied,
      ...{ connection, presence, isOffline, ...openTurns(copied) },
      outbox: [...outbox],
      requests: [...requests],
      approvals: toolCalls.filter(isAsking),
      shown: this.#shown,
    };
  }
}

/** Copies of the items of one list; those that did not change stay. */
class Copies<One extends Item> {
  readonly #copy: (item: One, before: One | undefined) => One;
  #byId = new Map<string, One>();
  #list: readonly One[] = [];

  constructor(copy: (item: One, before: One | undefined) => One) {
    this.#copy = copy;
  }

  of(
    items: readonly One[],
    idOf: (item: One) => string,
    changed: ReadonlySet<string> | null,
  ): readonly One[] {
    const before = changed === null ? new Map<string, One>() : this.#byId;
    const byId = new Map<string, One>();
    const list = items.map((item) => {
      const id = idOf(item);
      const known = before.get(id);
      const isSame = known !== undefined && !changed?.has(id);
      const copy = isSame ? known : this.#copy(item, known);
      byId.set(id, copy);
      return copy;
    });
    this.#byId = byId;
    this.#list = sameOr(this.#list, list);
    return this.#list;
  }
}

/** The list of before where there is the same in it. */
function sameOr<One>(before: readonly One[], list: readonly One[]): readonly One[] {
  const isSame =
    list.length === before.length && list.every((one, at) => one === before[at]);
  return isSame ? before : list;
}

function copyOf(block: BlockState, before: BlockState | undefined): BlockState {
  const isSame =
    before?.block === block.block &&
    before.text === block.text &&
    before.content === block.content;
  return isSame ? before : { ...block };
}

/** Whether a tool call waits for a person. */
function isAsking({ approval, status }: ToolCallState): boolean {
  return approval !== null && approval.decision === null && status === "requested";
}
