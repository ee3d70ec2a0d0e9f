/** All that one turn answers: its messages in one frame, how it goes and how it ended. */

import { removeHidden } from "../markdown/hidden";
import { neverStarted } from "../turns";
import { ActionsView } from "./actions";
import type { AnswerFacts, FactsSurroundings } from "./answer_facts";
import { copyText } from "./clipboard";
import { arrange, make, makeButton, setText } from "./element";
import { failureWords, mayHelpAgain, needsNewConversation } from "./failures";
import { labelWords } from "./labels";
import { AgentMessageView } from "./message";
import type { MessageSurroundings } from "./message_parts";
import { type NoticeContent, NoticeView, type Remedy } from "./notice";
import type { Extras } from "./part";
import { Slot } from "./slot";
import { StatusView } from "./status";
import { strings } from "./strings";
import type { Action, MessageState, TurnState } from "./types";

/** Phases that the frame itself makes plain: the text grows, or a card turns. */
const SHOWN_BY_CONTENT = new Set(["responding", "using_tool"]);
const COPIED_SHOWN_MS = 1_500;

export interface AnswerSurroundings extends MessageSurroundings, FactsSurroundings {
  act(action: Action): void;
  retry(turn: string): void;
  send(text: string): void;
  /** Show a fresh conversation; absent: not from here. */
  readonly newConversation: (() => void) | undefined;
  /** Whether nothing was begun after this turn. */
  isLast(turn: string): boolean;
  /** Who answers, where that is worth saying; else empty. */
  answeredBy(turn: TurnState): string;
}

export class AnswerView {
  readonly #surroundings: AnswerSurroundings;
  readonly element = make("article", "answer");
  readonly #bubble = make("div", "answer-bubble");
  readonly #by = make("p", "answered-by");
  readonly #messages = make("div", "messages");
  readonly #foot = make("div", "answer-foot");
  readonly #status = new StatusView();
  readonly #copy: HTMLButtonElement;
  readonly #regenerate: HTMLButtonElement;
  readonly #actions: ActionsView;
  readonly #notice: NoticeView;
  readonly #facts: Slot<Extras, AnswerFacts>;
  readonly #views = new Map<string, AgentMessageView>();
  #states: MessageState[] = [];
  #turn: TurnState | undefined;
  /** Once they are shown, they stay. */
  #showsFacts = false;

  constructor(surroundings: AnswerSurroundings) {
    this.#surroundings = surroundings;
    const { signal } = surroundings;
    this.element.setAttribute("aria-label", strings.assistant);
    this.#copy = makeButton(
      "copy",
      strings.copy,
      () => void this.#copyAnswer(),
      signal,
    );
    const regenerate = (): void => {
      if (this.#turn !== undefined) surroundings.retry(this.#turn.turn);
    };
    this.#regenerate = makeButton(
      "copy regenerate",
      strings.regenerate,
      regenerate,
      signal,
    );
    this.#regenerate.title = strings.regenerateDetail;
    this.#facts = new Slot({
      ...{ part: surroundings.parts.extras, name: strings.usageTitle, signal },
      make: ({ AnswerFacts }) => new AnswerFacts(surroundings),
    });
    this.#foot.append(
      this.#status.element,
      this.#copy,
      this.#regenerate,
      this.#facts.element,
    );
    this.#bubble.append(this.#by, this.#messages, this.#foot);
    this.#actions = new ActionsView((action) => surroundings.act(action), signal);
    this.#notice = new NoticeView(signal);
    this.element.append(this.#bubble, this.#notice.element, this.#actions.element);
  }

  /** The text of the answer, as the model wrote it; of pieces in a row, one text. */
  get text(): string {
    return this.#states
      .filter((state) => state.status !== "discarded")
      .flatMap((state) =>
        state.blocks
          .map(({ kind, text }) => (kind === "text" ? text : "\0"))
          .join("")
          .split(/\0+/),
      )
      .filter((text) => text !== "")
      .join("\n\n");
  }

  /** Bring everything up to date; `messages` in their order in the conversation. */
  update(turn: TurnState | undefined, messages: readonly MessageState[]): void {
    this.#states = [...messages];
    const ids = new Set(messages.map((message) => message.message));
    for (const id of this.#views.keys()) if (!ids.has(id)) this.#views.delete(id);
    for (const message of messages) this.#viewOf(message.message).update(message);
    arrange(
      this.#messages,
      messages.map((message) => this.#viewOf(message.message).element),
    );
    this.updateTurn(turn);
  }

  /** Bring one block up to date: the cost of a token. */
  updateBlock(message: MessageState, block: string): void {
    this.#viewOf(message.message).updateBlock(message, block);
  }

  /** Bring the frame up to date: status, actions, how it ended. */
  updateTurn(turn: TurnState | undefined): void {
    this.#turn = turn;
    const running = turn?.status === "running" || (!turn && this.#isStreaming());
    this.element.dataset["state"] = running ? "running" : (turn?.status ?? "completed");
    this.#status.update(running ? this.#statusLabel(turn) : null);
    const by = turn === undefined ? "" : this.#surroundings.answeredBy(turn);
    setText(this.#by, removeHidden(by));
    this.#by.hidden = by === "";
    this.#showsFacts ||= turn !== undefined && hasFacts(turn);
    this.#facts.show(this.#showsFacts, (facts) => {
      if (turn !== undefined) facts.update(turn);
    });
    const text = this.text;
    this.#copy.hidden = running || text === "";
    this.#regenerate.hidden = turn?.status !== "completed";
    this.#bubble.hidden = !running && this.#isEmpty() && !this.#showsFacts;
    this.#notice.update(running || !turn ? null : this.#noticeFor(turn, text !== ""));
    this.#actions.update(this.#states[this.#states.length - 1]?.actions ?? []);
  }

  #noticeFor(turn: TurnState, answered: boolean): NoticeContent | null {
    if (neverStarted(turn)) {
      const remedies = [this.#again(turn, strings.sendAgain)];
      return { tone: "note", what: unansweredWords(turn), remedies };
    }
    const kept = answered ? strings.keptAnswer : strings.keptMessage;
    const last = this.#states.at(-1);
    const onward = this.#canContinue(turn) ? [this.#continue] : [];
    const remedies = [...onward, this.#again(turn, strings.askAgain)];
    switch (turn.status) {
      case "completed":
        return noticeOfEnd(turn.stop_reason ?? last?.stop_reason ?? "", {
          onward,
          fresh: this.#fresh,
        });
      case "cancelled": {
        const unseen = turn.stop_reason === "no_subscribers";
        const what = unseen ? strings.stoppedUnseen : strings.stopped;
        return { tone: "note", what, remedies };
      }
      case "interrupted":
        return { tone: "error", what: strings.turnInterrupted, kept, remedies };
      case "failed": {
        const { error } = turn;
        const what = failureWords(turn, !this.#isEmpty());
        const fresh = needsNewConversation(error) ? this.#fresh : [];
        const all = mayHelpAgain(error) ? [...fresh, ...remedies] : fresh;
        return { tone: "error", what, detail: error?.message, kept, remedies: all };
      }
      default:
        return null;
    }
  }

  /** Half of an answer that is data is not gone on with: it would be of no shape. */
  #canContinue({ turn }: TurnState): boolean {
    const { isLast, wantsData } = this.#surroundings;
    return !this.#isEmpty() && isLast(turn) && !wantsData(turn);
  }

  get #fresh(): readonly Remedy[] {
    const { newConversation } = this.#surroundings;
    return newConversation === undefined
      ? []
      : [{ label: strings.newConversation, act: newConversation }];
  }

  get #continue(): Remedy {
    const act = (): void => this.#surroundings.send(strings.continueMessage);
    return { label: strings.continueAnswer, act };
  }

  #again(turn: TurnState, label: string): Remedy {
    return { label, act: () => this.#surroundings.retry(turn.turn) };
  }

  /** What the frame itself makes plain needs no words: text, a card, a thought. */
  #statusLabel(turn: TurnState | undefined): string {
    const isPlain = SHOWN_BY_CONTENT.has(turn?.phase ?? "") || this.#isThinking();
    return turn === undefined || isPlain
      ? ""
      : labelWords(turn.label) || strings.working;
  }

  #isThinking(): boolean {
    const last = this.#states.at(-1);
    const block = last?.status === "streaming" ? last.blocks.at(-1) : undefined;
    return block?.kind === "thinking" && block.content == null;
  }

  #isStreaming(): boolean {
    return this.#states.some((state) => state.status === "streaming");
  }

  #isEmpty(): boolean {
    return this.#states.every((state) => state.blocks.length === 0);
  }

  #viewOf(message: string): AgentMessageView {
    let view = this.#views.get(message);
    if (view === undefined) {
      view = new AgentMessageView(this.#surroundings);
      this.#views.set(message, view);
    }
    return view;
  }

  async #copyAnswer(): Promise<void> {
    const copied = await copyText(this.text);
    this.#copy.textContent = copied ? strings.copied : strings.copyFailed;
    setTimeout(() => {
      this.#copy.textContent = strings.copy;
    }, COPIED_SHOWN_MS);
  }
}

/** Ways on from an answer: more of it, or a fresh conversation. */
interface WaysOn {
  readonly onward: readonly Remedy[];
  readonly fresh: readonly Remedy[];
}

/** What a reader is to know of how a completed answer ended; mostly nothing. */
function noticeOfEnd(reason: string, { onward, fresh }: WaysOn): NoticeContent | null {
  switch (reason) {
    case "superseded":
      return { tone: "note", what: strings.superseded };
    case "max_tokens":
    case "length":
      return { tone: "note", what: strings.cutForLength, remedies: onward };
    case "refusal":
      return { tone: "error", what: strings.refused, detail: strings.refusedDetail };
    case "model_context_window_exceeded": {
      const [what, detail] = [strings.tooLongToRead, strings.tooLongDetail];
      return { tone: "error", what, detail, remedies: fresh };
    }
    default:
      return null;
  }
}

/** Whether there is more to say of a turn: it has ended, or takes its time. */
function hasFacts({ status, phase, started_ts }: TurnState): boolean {
  const isSlow = phase != null && phase !== "thinking" && phase !== "responding";
  return started_ts != null && (status !== "running" || isSlow);
}

/** Why a message was not answered at all. */
function unansweredWords({ status, stop_reason }: TurnState): string {
  if (status === "interrupted") return strings.neverStartedInterrupted;
  return stop_reason === "no_subscribers"
    ? strings.neverStartedUnseen
    : strings.neverStarted;
}
