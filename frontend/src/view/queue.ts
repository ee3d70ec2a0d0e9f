/** The messages that wait for their turn, in running order: each to change or drop. */

import { attachmentNames, attachmentsOf, writtenText } from "../content";
import { attachedTo, neverStarted, openTurns, writtenTextOf } from "../turns";
import { arrange, make, setText } from "./element";
import { more } from "./more_strings";
import { QueuedMessageView, type QueueSurroundings } from "./queued_message";
import { strings } from "./strings";
import type { OutgoingMessage, OutgoingRequest } from "./types";

export class QueueView {
  readonly #surroundings: QueueSurroundings;
  readonly element = make("div", "queue");
  readonly #title = make("h2", "queue-title");
  readonly #list = make("ol", "queue-list");
  readonly #items = new Map<string, QueuedMessageView>();
  readonly #outgoing = new Map<string, HTMLElement>();
  #announced: number;

  constructor(surroundings: QueueSurroundings) {
    this.#surroundings = surroundings;
    this.#announced = surroundings.announced;
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-label", strings.queue);
    this.element.append(this.#title, this.#list);
    this.element.hidden = true;
  }

  /** Bring everything up to date. */
  update(): void {
    const { model } = this.#surroundings;
    const { running, waiting } = openTurns(model.state);
    const focused = document.activeElement;
    const hadFocus = this.#list.contains(focused);
    const turns = new Set(waiting.map(({ turn }) => turn));
    for (const [turn, item] of this.#items) {
      if (turns.has(turn)) continue;
      this.#items.delete(turn);
      this.#giveBack(turn, item.leave());
    }
    this.#takeRefused(turns);
    this.#takeDrafts(turns);
    const elements: Element[] = waiting.map(({ turn, message }) => {
      const item = this.#itemOf(turn);
      item.update(model.message(message), this.#requestOf(turn), running !== undefined);
      return item.element;
    });
    const isBusy = running !== undefined || waiting.length > 0;
    elements.push(...this.#outgoingElements(isBusy ? model.outbox : []));
    arrange(this.#list, elements);
    this.element.hidden = elements.length === 0;
    setText(this.#title, more.queueTitle(elements.length));
    this.#announce(waiting.length);
    if (hadFocus && focused !== document.activeElement) this.#refocus(focused);
  }

  #itemOf(turn: string): QueuedMessageView {
    let item = this.#items.get(turn);
    if (item === undefined) {
      item = new QueuedMessageView(turn, this.#surroundings);
      this.#items.set(turn, item);
    }
    return item;
  }

  #requestOf(turn: string): OutgoingRequest | undefined {
    const requests = this.#surroundings.model.requests;
    return requests.filter((request) => request.turn === turn).at(-1);
  }

  /** What the server refused is shown where it was asked, and asked no more. */
  #takeRefused(turns: ReadonlySet<string>): void {
    const { model } = this.#surroundings;
    for (const request of model.requests) {
      if (request.status !== "failed") continue;
      model.discardRequest(request.key);
      if (turns.has(request.turn)) this.#itemOf(request.turn).showRefusal(request);
      else this.#giveBack(request.turn, request.text);
    }
  }

  /** Changes that were being typed when the page ended, for messages that wait no more. */
  #takeDrafts(turns: ReadonlySet<string>): void {
    const { model } = this.#surroundings;
    for (const turn of model.draftTurns) {
      const isOver = !turns.has(turn) && model.turn(turn) !== undefined;
      if (isOver && this.#requestOf(turn) === undefined)
        this.#giveBack(turn, model.draft(turn));
    }
  }

  /** Nothing that was typed for a message is lost when it does not wait any more. */
  #giveBack(id: string, text: string): void {
    const { model, giveBack } = this.#surroundings;
    model.keepDraft("", id);
    const turn = model.turn(id);
    const written = writtenTextOf(model.message(turn?.message ?? ""));
    if (text.trim() === "" || text === written) return;
    const isGone = turn !== undefined && neverStarted(turn);
    const attachments = attachedTo(model.message(turn?.message ?? ""));
    giveBack(text, attachments, isGone ? more.removedMeanwhile : more.tooLateToChange);
  }

  #outgoingElements(outbox: readonly OutgoingMessage[]): HTMLElement[] {
    const sending = outbox.filter(({ status }) => status === "sending");
    const ids = new Set(sending.map((message) => message.client_message_id));
    for (const id of this.#outgoing.keys()) if (!ids.has(id)) this.#outgoing.delete(id);
    return sending.map(({ client_message_id: id, content }) => {
      let element = this.#outgoing.get(id);
      if (element === undefined) {
        const note = make("p", "queued-note", strings.sending);
        const text = writtenText(content) || attachmentNames(attachmentsOf(content));
        const words = make("div", "queued-text", text);
        element = make("li", "queued", words, note);
        element.dataset["state"] = "sending";
        this.#outgoing.set(id, element);
      }
      return element;
    });
  }

  #announce(count: number): void {
    if (this.#announced !== count) {
      this.#surroundings.say(more.announceQueue(count));
    }
    this.#announced = count;
  }

  /** What was moved keeps the focus; what is gone gives it to the message field. */
  #refocus(focused: Element | null): void {
    if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus();
    else if (!this.#list.contains(document.activeElement)) {
      this.#surroundings.focusComposer();
    }
  }
}
