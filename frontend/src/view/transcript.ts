/**
 * The messages in the order of reading: each of the reader's messages, and under it
 * what its turn answers, in the order in which the turns ran. Messages that wait for
 * their turn are elsewhere.
 */

import { isBusy, lastStarted } from "../turns";
import type { Announcer } from "./announcer";
import { type AnswerSurroundings, AnswerView } from "./answer";
import { arrange, make } from "./element";
import { UserMessageView } from "./message";
import { answerIdOf, readingOrder } from "./order";
import { strings } from "./strings";
import type {
  BlockState,
  ChatModel,
  MessageState,
  OutgoingMessage,
  ToolCallState,
  TurnState,
} from "./types";

function userViewId(message: MessageState): string {
  return message.client_message_id ?? message.message;
}

export class Transcript {
  readonly #model: ChatModel;
  readonly #announcer: Announcer;
  readonly element = make("div", "transcript");
  readonly #empty = make(
    "div",
    "empty",
    make("p", "empty-title", strings.emptyTitle),
    make("p", "empty-hint", strings.emptyHint),
  );
  /** By client message id where there is one: the echo takes over the bubble. */
  readonly #users = new Map<string, UserMessageView>();
  readonly #answers = new Map<string, AnswerView>();
  /** Messages of each answer, in order. */
  readonly #answered = new Map<string, readonly MessageState[]>();
  readonly #callsByBlock = new Map<string, ToolCallState>();
  readonly #surroundings: AnswerSurroundings;
  /** What each turn was like when everything was put in its place. */
  readonly #statuses = new Map<string, string>();
  /** The turn after which nothing was begun. */
  #last: string | undefined;

  constructor(
    model: ChatModel,
    announcer: Announcer,
    base: Pick<AnswerSurroundings, "signal" | "parts" | "newConversation">,
  ) {
    this.#model = model;
    this.#announcer = announcer;
    this.#surroundings = {
      ...base,
      highlight: base.parts.highlight,
      server: model.server,
      attachedFile: (artifact, signal) => model.attachedFile(artifact, signal),
      findCall: (message, block) => this.#findCall(message, block),
      answer: (turn, approval, answer) => model.approve(turn, approval, answer),
      answering: (approval) =>
        model.requests.find(
          ({ kind, text }) => kind === "approve" && text === approval,
        ),
      turnRuns: (turn) => model.turn(turn ?? "")?.status === "running",
      act: (action) => model.act(action),
      retry: (turn) => model.retry(turn),
      send: (text) => model.send(text),
      isLast: (turn) => turn === this.#last,
      wantsData: (turn) => this.#questionOf(turn)?.output_schema != null,
      answeredBy: (turn) => this.#answeredBy(turn),
    };
  }

  /** Show the whole state, keeping what is on the screen already. */
  reset(): void {
    this.#callsByBlock.clear();
    this.#statuses.clear();
    for (const call of this.#model.state.tool_calls) this.#noteCall(call);
    this.#layOut();
    for (const id of this.#answers.keys())
      if (!this.#answered.has(id)) this.#answers.delete(id);
    for (const id of this.#answers.keys()) this.#updateAnswer(id);
    for (const message of this.#model.state.messages) {
      if (message.role === "assistant") this.#skipAnnounced(message);
    }
  }

  /** A message began, completed or was discarded, or one of its blocks did. */
  updateMessage(id: string): void {
    const message = this.#model.message(id);
    if (message === undefined) return;
    if (message.role === "user") {
      this.#layOut();
      return;
    }
    const answer = answerIdOf(message);
    if (!this.#answered.get(answer)?.includes(message)) this.#layOut();
    this.#updateAnswer(answer);
    this.#announceMessage(message);
  }

  /** Text was added to a block: the cost of a token. */
  updateBlock(id: string, block: string): void {
    const message = this.#model.message(id);
    if (message === undefined) return;
    const answer = this.#answers.get(answerIdOf(message));
    if (answer === undefined) {
      this.updateMessage(id);
      return;
    }
    answer.updateBlock(message, block);
    const at = message.blocks.findIndex((one) => one.block === block);
    const state = message.blocks[at];
    if (state?.kind === "text") this.#announcer.sayGrowing(`${id}/${at}`, state.text);
  }

  updateToolCall(id: string): void {
    const call = this.#model.toolCall(id);
    if (call === undefined) return;
    this.#noteCall(call);
    const message = this.#model.message(call.message);
    if (message !== undefined) this.#updateAnswer(answerIdOf(message));
  }

  updateTurn(id: string): void {
    const turn = this.#model.turn(id);
    if (turn === undefined) return;
    if (turn.status !== this.#statuses.get(id)) this.#layOut();
    if (turn.status === "running") this.#answers.get(id)?.updateTurn(turn);
    else this.#updateAnswer(id);
  }

  /** Messages that are not echoed yet come and go. */
  updateOutbox(): void {
    this.#layOut();
    for (const { kind, turn } of this.#model.requests) {
      if (kind === "approve") this.#updateAnswer(turn);
    }
  }

  /** Put everything in its place, making what is missing and dropping what is gone. */
  #layOut(): void {
    const order: Element[] = [];
    const users = new Set<string>();
    this.#answered.clear();
    for (const place of readingOrder(this.#model.state)) {
      if (place.kind === "answer") {
        this.#answered.set(place.id, place.messages);
        order.push(this.#answerView(place.id).element);
        continue;
      }
      const id = userViewId(place.message);
      const view = this.#userView(id);
      view.update(place.message);
      users.add(id);
      order.push(view.element);
    }
    for (const outgoing of this.#outgoing()) {
      const id = outgoing.client_message_id;
      if (users.has(id)) continue;
      const view = this.#userView(id);
      view.updateOutgoing(outgoing);
      users.add(id);
      order.push(view.element);
    }
    for (const id of this.#users.keys()) if (!users.has(id)) this.#users.delete(id);
    if (order.length === 0) order.push(this.#empty);
    arrange(this.element, order);
    for (const { turn, status } of this.#model.state.turns)
      this.#statuses.set(turn, status);
    this.#noteLast();
  }

  /** Own messages that will be answered at once, and those that were refused. */
  #outgoing(): OutgoingMessage[] {
    const busy = isBusy(this.#model.state);
    return this.#model.outbox.filter(({ status }) => status === "failed" || !busy);
  }

  /** Only the last answer can be continued. */
  #noteLast(): void {
    const before = this.#last;
    this.#last = lastStarted(this.#model.state)?.turn;
    if (before !== undefined && before !== this.#last) this.#updateAnswer(before);
  }

  #answerView(id: string): AnswerView {
    let view = this.#answers.get(id);
    if (view === undefined) {
      view = new AnswerView(this.#surroundings);
      this.#answers.set(id, view);
    }
    return view;
  }

  #userView(id: string): UserMessageView {
    let view = this.#users.get(id);
    if (view === undefined) {
      view = new UserMessageView(this.#model, this.#surroundings);
      this.#users.set(id, view);
    }
    return view;
  }

  #updateAnswer(id: string): void {
    this.#answers.get(id)?.update(this.#model.turn(id), this.#answered.get(id) ?? []);
  }

  #noteCall(call: ToolCallState): void {
    this.#callsByBlock.set(`${call.message}/${call.block}`, call);
  }

  #findCall(message: string, block: BlockState): ToolCallState | undefined {
    const { content } = block;
    if (content?.type === "tool_use") return this.#model.toolCall(content.id);
    if (content?.type === "provider") {
      return this.#model.toolCall(String(content.data["id"]));
    }
    return this.#callsByBlock.get(`${message}/${block.block}`);
  }

  #questionOf(turn: string | null | undefined): MessageState | undefined {
    return this.#model.message(this.#model.turn(turn ?? "")?.message ?? "");
  }

  /** Who answers, where that is another one than before; else empty. */
  #answeredBy({ turn, agent, model }: TurnState): string {
    const { turns } = this.#model.state;
    const at = turns.findIndex((one) => one.turn === turn);
    const before = turns
      .slice(0, Math.max(0, at))
      .filter((one) => one.agent !== "")
      .at(-1);
    const isSame = before?.agent === agent && before.model === model;
    const isKnown = agent !== "" && before !== undefined && !isSame;
    return isKnown ? strings.answeredBy(agent, model) : "";
  }

  #announceMessage(message: MessageState): void {
    message.blocks.forEach((block, at) => {
      if (block.kind !== "text") return;
      const id = `${message.message}/${at}`;
      if (message.status === "streaming") this.#announcer.sayGrowing(id, block.text);
      else this.#announcer.sayRest(id, block.text);
    });
  }

  #skipAnnounced(message: MessageState): void {
    message.blocks.forEach((block, at) => {
      this.#announcer.skip(`${message.message}/${at}`, block.text.length);
    });
  }
}
