/**
 * The messages in the order of reading: each of the reader's messages, and under it
 * what its turn answers, in the order in which the turns ran. Messages that wait for
 * their turn are elsewhere.
 *
 * Of a long conversation the end is there at once, where the reader is; what is above
 * follows, from the newest on, while the browser has nothing else to do.
 */

import { Branches, messagesOf, shownMessages } from "../branches";
import { isBusy, lastStarted } from "../turns";
import type { Announcer } from "./announcer";
import { type AnswerSurroundings, AnswerView } from "./answer";
import { arrange, make } from "./element";
import { IdleWork } from "./idle";
import { UserMessageView, type UserSurroundings } from "./message";
import { answerIdOf, type Place, readingOrder, shownOf } from "./order";
import { strings } from "./strings";
import type {
  BlockState,
  ChatModel,
  ConversationState,
  MessageState,
  OutgoingMessage,
  ToolCallState,
  TurnState,
} from "./types";
import type { Toward } from "./versions";

/** Questions and answers that are shown at once: more than any screen has room for. */
const AT_ONCE = 60;

/** What the transcript needs of the chat around it. */
interface TranscriptSurroundings
  extends Pick<AnswerSurroundings, "signal" | "parts" | "newConversation"> {
  /** Something was sent from within. */
  readonly sent: () => void;
  /** The view was placed for the reader, at the end or not. */
  readonly settled: () => void;
  /** Make a change above what the reader looks at, without moving that. */
  readonly growAbove: (change: () => void) => void;
}

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
  /** The answer before each. */
  readonly #previous = new Map<string, string>();
  /** What is above all that is there yet, from top to bottom. */
  #above: Place[] = [];
  readonly #idle: IdleWork;
  #branches: Branches;
  readonly #callsByBlock = new Map<string, ToolCallState>();
  readonly #surroundings: AnswerSurroundings & UserSurroundings;
  /** What each turn was like when everything was put in its place. */
  readonly #statuses = new Map<string, string>();
  /** The turn after which nothing was begun on the branch that is shown. */
  #last: string | undefined;
  /** How many messages there were when everything was put in its place. */
  #placed = 0;
  /** The version that the reader wants to see, and where its switch is to stay. */
  #sought: { version: string; toward: Toward; top: number } | null = null;
  readonly #settled: () => void;
  readonly #growAbove: (change: () => void) => void;

  constructor(model: ChatModel, announcer: Announcer, base: TranscriptSurroundings) {
    this.#model = model;
    this.#announcer = announcer;
    this.#settled = base.settled;
    this.#growAbove = base.growAbove;
    this.#branches = new Branches(model.state);
    this.#idle = new IdleWork((hasTime) => this.#fillAbove(hasTime), base.signal);
    this.#surroundings = {
      ...base,
      selectVersion: (version, toward, from) =>
        void this.#selectVersion(version, toward, from),
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
    const kept = new Set(this.#answers.keys());
    this.#layOut();
    for (const id of kept) this.#updateAnswer(id);
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
    if (this.#answers.has(answer)) this.#announceMessage(message);
  }

  /** Another branch is shown; what stays of the one before is not touched. */
  updateBranch(): void {
    this.#layOut();
  }

  /** Text was added to a block: the cost of a token. */
  updateBlock(id: string, block: string): void {
    const message = this.#model.message(id);
    if (message === undefined) return;
    const answer = this.#answers.get(answerIdOf(message));
    if (answer === undefined) {
      // What is on another branch costs nothing until that is shown.
      if (this.#placed !== this.#model.state.messages.length) this.updateMessage(id);
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
    const { state } = this.#model;
    const order: Element[] = [];
    const users = new Set<string>();
    const before = new Set(this.#answers.keys());
    this.#branches = new Branches(state);
    const shown = shownOf(state, this.#shownMessages());
    const places = readingOrder(shown, isBusy(state));
    this.#noteAnswers(places);
    this.#above = places.slice(0, this.#firstShown(places));
    for (const place of places.slice(this.#above.length)) {
      if (place.kind === "question") users.add(userViewId(place.message));
      order.push(this.#elementAt(place));
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
    for (const { turn, status } of state.turns) this.#statuses.set(turn, status);
    this.#placed = state.messages.length;
    this.#noteLast(shown);
    this.#settleAnswers(before);
    this.#settleSought();
    if (this.#above.length > 0) this.#idle.request();
  }

  #noteAnswers(places: readonly Place[]): void {
    this.#answered.clear();
    this.#previous.clear();
    let previous: string | undefined;
    for (const place of places) {
      if (place.kind !== "answer") continue;
      this.#answered.set(place.id, place.messages);
      if (previous !== undefined) this.#previous.set(place.id, previous);
      previous = place.id;
    }
  }

  /** What is there stays, and what the reader asked to see comes at once. */
  #firstShown(places: readonly Place[]): number {
    const first = places.findIndex((place) =>
      place.kind === "answer"
        ? this.#answers.has(place.id)
        : this.#users.has(userViewId(place.message)) ||
          place.message.message === this.#sought?.version,
    );
    const end = Math.max(0, places.length - AT_ONCE);
    return first < 0 ? end : Math.min(first, end);
  }

  #elementAt(place: Place): Element {
    if (place.kind === "answer") return this.#answerView(place.id).element;
    const { message } = place;
    const view = this.#userView(userViewId(message));
    view.update(message, this.#branches.siblings(message.message));
    return view.element;
  }

  /** Go on upwards; whether there is more. */
  #fillAbove(hasTime: () => boolean): boolean {
    this.#growAbove(() => {
      do {
        const place = this.#above.pop();
        if (place === undefined) return;
        this.element.prepend(this.#elementAt(place));
        if (place.kind === "answer") this.#updateAnswer(place.id);
      } while (hasTime());
    });
    return this.#above.length > 0;
  }

  /** Drop the answers that are not shown any more, and fill those that are new. */
  #settleAnswers(before: ReadonlySet<string>): void {
    for (const id of before) if (!this.#answered.has(id)) this.#answers.delete(id);
    for (const id of this.#answered.keys()) if (!before.has(id)) this.#updateAnswer(id);
  }

  /** The branch that is shown; one that is about to be sent, before it is there. */
  #shownMessages(): readonly MessageState[] {
    const { state } = this.#model;
    const parent = this.#outgoing().find(
      (one) => one.parent !== undefined && one.status === "sending",
    )?.parent;
    return parent === undefined
      ? shownMessages(state)
      : messagesOf(state, this.#branches.pathTo(parent));
  }

  async #selectVersion(
    version: string,
    toward: Toward,
    from: HTMLElement,
  ): Promise<void> {
    const { top } = from.getBoundingClientRect();
    this.#sought = { version, toward, top };
    const problem = await this.#model.selectBranch(version);
    if (problem === null) return;
    this.#sought = null;
    const words = `${strings.notSwitched} ${problem.message}`;
    for (const view of this.#users.values()) if (view.has(from)) view.say(words);
    this.#announcer.say(words);
  }

  /** Keep the switch that was pressed where it was, with what was chosen above it. */
  #settleSought(): void {
    const sought = this.#sought;
    const message = sought && this.#model.message(sought.version);
    const view = message && this.#users.get(userViewId(message));
    if (!sought || !view) return;
    this.#sought = null;
    const top = view.focusVersions(sought.toward).getBoundingClientRect().top;
    const scroller = this.element.parentElement;
    if (scroller !== null) scroller.scrollTop += top - sought.top;
    this.#settled();
  }

  /** Own messages that will be answered at once, and those that were refused. */
  #outgoing(): OutgoingMessage[] {
    const busy = isBusy(this.#model.state);
    return this.#model.outbox.filter(({ status }) => status === "failed" || !busy);
  }

  /** Only the last answer can be continued. */
  #noteLast(shown: Pick<ConversationState, "turns">): void {
    const before = this.#last;
    this.#last = lastStarted(shown)?.turn;
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
    if (agent === "") return "";
    let before: TurnState | undefined;
    let id = this.#previous.get(turn);
    while (id !== undefined && !before?.agent) {
      before = this.#model.turn(id);
      id = this.#previous.get(id);
    }
    if (!before?.agent) return "";
    const isSame = before.agent === agent && before.model === model;
    return isSame ? "" : strings.answeredBy(agent, model);
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
      this.#announcer.skip(`${message.message}/${at}`, block.text);
    });
  }
}
