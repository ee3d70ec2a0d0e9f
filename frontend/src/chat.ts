/** The chat that the views show: a conversation's state and its connection. */

import { Connection, type ConnectionOptions } from "./connection";
import { Fold } from "./state";
import type {
  Action,
  Change,
  ChatModel,
  ConnectionStatus,
  ConversationState,
  MessageState,
  OutgoingMessage,
  ToolCallState,
  TurnState,
} from "./view/types";

export interface ChatOptions extends Omit<ConnectionOptions, "listener" | "clientId"> {
  /** Told the id of a conversation that was made because none was given. */
  readonly onConversation?: (id: string) => void;
}

/** One conversation, connected from `start` until its signal aborts. */
export class Chat implements ChatModel {
  readonly #connection: Connection;
  readonly #listeners = new Set<(change: Change) => void>();
  #fold = new Fold();

  constructor(options: ChatOptions) {
    this.#connection = new Connection({
      ...options,
      clientId: newId("b"),
      listener: {
        apply: (event) => {
          const change = this.#fold.apply(event);
          if (change !== null) {
            this.#tell(change);
          }
        },
        reset: (state) => {
          this.#fold = new Fold(state);
          this.#tell({ kind: "reset" });
        },
        conversation: (id) => options.onConversation?.(id),
        statusChanged: () => this.#tell({ kind: "connection" }),
        outboxChanged: () => this.#tell({ kind: "outbox" }),
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

  get messageBytesLimit(): number {
    return this.#connection.machine.limits.message_bytes;
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

  send(text: string): void {
    if (text.trim() !== "") {
      this.#connection.dispatch({ type: "send", clientMessageId: newId("w"), text });
    }
  }

  resend(clientMessageId: string): void {
    this.#connection.dispatch({ type: "resend", clientMessageId });
  }

  discard(clientMessageId: string): void {
    this.#connection.dispatch({ type: "discard", clientMessageId });
  }

  cancel(): void {
    const { turns } = this.#fold.state;
    const turn = turns.filter(({ status }) => status === "running").at(-1);
    if (turn !== undefined) {
      this.#connection.dispatch({ type: "cancel", turn: turn.turn });
    }
  }

  retry(turn: string): void {
    const question = this.#fold.message(this.#fold.turn(turn)?.message ?? "");
    this.send((question?.blocks ?? []).map((block) => block.text).join("\n\n"));
  }

  act(action: Action): void {
    if (action.kind === "button" && action.send) {
      this.send(action.send);
    }
  }

  reconnect(): void {
    this.#connection.dispatch({ type: "reconnect" });
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

/** An id that nobody else has: 128 random bits. */
function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}_${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}
