/**
 * The messages in the order of reading: each of the reader's messages, and under it
 * what its turn answers, however the events of several turns are mixed.
 */

import type { Announcer } from "./announcer";
import { AnswerView } from "./answer";
import { arrange, make } from "./element";
import { type MessageSurroundings, UserMessageView } from "./message";
import { strings } from "./strings";
import type { BlockState, ChatModel, MessageState, ToolCallState } from "./types";

/** Where an agent's message without a turn is shown. */
function answerIdOf(message: MessageState): string {
  return message.turn ?? `message:${message.message}`;
}

function userViewId(message: MessageState): string {
  return message.client_message_id ?? message.message;
}

export class Transcript {
  readonly element = make("div", "streamchat-transcript");
  private readonly empty = make(
    "div",
    "streamchat-empty",
    make("p", "streamchat-empty-title", strings.emptyTitle),
    make("p", "streamchat-empty-hint", strings.emptyHint),
  );
  /** By client message id where there is one: the echo takes over the bubble. */
  private readonly users = new Map<string, UserMessageView>();
  private readonly answers = new Map<string, AnswerView>();
  /** Messages of each answer, in order. */
  private readonly answered = new Map<string, MessageState[]>();
  private readonly callsByBlock = new Map<string, ToolCallState>();
  private readonly surroundings: MessageSurroundings & {
    act: ChatModel["act"];
    retry: ChatModel["retry"];
  };

  constructor(
    private readonly model: ChatModel,
    private readonly announcer: Announcer,
    base: Pick<MessageSurroundings, "signal" | "highlight">,
  ) {
    this.surroundings = {
      ...base,
      findCall: (message, block) => this.findCall(message, block),
      turnRuns: (turn) => model.turn(turn ?? "")?.status === "running",
      act: (action) => model.act(action),
      retry: (turn) => model.retry(turn),
    };
  }

  /** Show the whole state, keeping what is on the screen already. */
  reset(): void {
    this.callsByBlock.clear();
    for (const call of this.model.state.tool_calls) this.noteCall(call);
    this.layOut();
    const shown = new Set(this.model.state.messages.map(answerIdOf));
    for (const turn of this.model.state.turns) shown.add(turn.turn);
    for (const id of this.answers.keys()) if (!shown.has(id)) this.answers.delete(id);
    for (const id of this.answers.keys()) this.updateAnswer(id);
    for (const message of this.model.state.messages) {
      if (message.role === "user") this.updateUser(message);
      else this.skipAnnounced(message);
    }
  }

  /** A message began, completed or was discarded, or one of its blocks did. */
  updateMessage(id: string): void {
    const message = this.model.message(id);
    if (message === undefined) return;
    if (message.role === "user") {
      if (!this.users.has(userViewId(message))) this.layOut();
      this.updateUser(message);
      return;
    }
    const answer = answerIdOf(message);
    if (!this.answered.get(answer)?.includes(message)) this.layOut();
    this.updateAnswer(answer);
    this.announceMessage(message);
  }

  /** Text was added to a block: the cost of a token. */
  updateBlock(id: string, block: string): void {
    const message = this.model.message(id);
    if (message === undefined) return;
    const answer = this.answers.get(answerIdOf(message));
    if (answer === undefined) {
      this.updateMessage(id);
      return;
    }
    answer.updateBlock(message, block);
    const at = message.blocks.findIndex((one) => one.block === block);
    const state = message.blocks[at];
    if (state?.kind === "text") this.announcer.sayGrowing(`${id}/${at}`, state.text);
  }

  updateToolCall(id: string): void {
    const call = this.model.toolCall(id);
    if (call === undefined) return;
    this.noteCall(call);
    const message = this.model.message(call.message);
    if (message !== undefined) this.updateAnswer(answerIdOf(message));
  }

  updateTurn(id: string): void {
    const turn = this.model.turn(id);
    if (turn === undefined) return;
    if (turn.status !== "queued" && !this.answers.has(id)) this.layOut();
    const question = this.model.message(turn.message);
    if (question?.role === "user") this.updateUser(question);
    if (turn.status === "running") this.answers.get(id)?.updateTurn(turn);
    else this.updateAnswer(id);
  }

  /** Messages that are not echoed yet come and go. */
  updateOutbox(): void {
    this.layOut();
    for (const outgoing of this.model.outbox) {
      this.users.get(outgoing.client_message_id)?.updateOutgoing(outgoing);
    }
  }

  /** Put everything in its place, making what is missing and dropping what is gone. */
  private layOut(): void {
    this.gatherAnswers();
    const order: Element[] = [];
    const placed = new Set<string>();
    const users = new Set<string>();
    for (const message of this.model.state.messages) {
      if (message.role === "assistant") {
        this.placeAnswer(answerIdOf(message), placed, order);
        continue;
      }
      users.add(userViewId(message));
      order.push(this.userView(userViewId(message)).element);
      for (const turn of this.turnsOf.get(message.message) ?? []) {
        this.placeAnswer(turn, placed, order);
      }
    }
    for (const turn of this.answered.keys()) this.placeAnswer(turn, placed, order);
    for (const { client_message_id } of this.model.outbox) {
      if (users.has(client_message_id)) continue;
      users.add(client_message_id);
      order.push(this.userView(client_message_id).element);
    }
    for (const id of this.users.keys()) if (!users.has(id)) this.users.delete(id);
    if (order.length === 0) order.push(this.empty);
    arrange(this.element, order);
  }

  /** The started turns of each of the reader's messages. */
  private readonly turnsOf = new Map<string, string[]>();

  private gatherAnswers(): void {
    this.turnsOf.clear();
    this.answered.clear();
    for (const turn of this.model.state.turns) {
      if (turn.status === "queued") continue;
      const turns = this.turnsOf.get(turn.message) ?? [];
      turns.push(turn.turn);
      this.turnsOf.set(turn.message, turns);
      this.answered.set(turn.turn, []);
    }
    for (const message of this.model.state.messages) {
      if (message.role === "user") continue;
      const messages = this.answered.get(answerIdOf(message)) ?? [];
      messages.push(message);
      this.answered.set(answerIdOf(message), messages);
    }
  }

  private placeAnswer(id: string, placed: Set<string>, order: Element[]): void {
    if (placed.has(id)) return;
    placed.add(id);
    let view = this.answers.get(id);
    if (view === undefined) {
      view = new AnswerView(this.surroundings);
      this.answers.set(id, view);
    }
    order.push(view.element);
  }

  private userView(id: string): UserMessageView {
    let view = this.users.get(id);
    if (view === undefined) {
      view = new UserMessageView(this.model, this.surroundings.signal);
      this.users.set(id, view);
    }
    return view;
  }

  private updateUser(message: MessageState): void {
    const queued = this.model.state.turns.some(
      (turn) => turn.message === message.message && turn.status === "queued",
    );
    this.userView(userViewId(message)).update(message, queued);
  }

  private updateAnswer(id: string): void {
    this.answers.get(id)?.update(this.model.turn(id), this.answered.get(id) ?? []);
  }

  private noteCall(call: ToolCallState): void {
    this.callsByBlock.set(`${call.message}/${call.block}`, call);
  }

  private findCall(message: string, block: BlockState): ToolCallState | undefined {
    const id = block.content?.id;
    if (id !== undefined) return this.model.toolCall(id);
    return this.callsByBlock.get(`${message}/${block.block}`);
  }

  private announceMessage(message: MessageState): void {
    message.blocks.forEach((block, at) => {
      if (block.kind !== "text") return;
      const id = `${message.message}/${at}`;
      if (message.status === "streaming") this.announcer.sayGrowing(id, block.text);
      else this.announcer.sayRest(id, block.text);
    });
  }

  private skipAnnounced(message: MessageState): void {
    message.blocks.forEach((block, at) => {
      this.announcer.skip(`${message.message}/${at}`, block.text.length);
    });
  }
}
