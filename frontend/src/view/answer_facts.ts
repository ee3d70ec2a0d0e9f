/** What one answer used, and a way to see where its time went. */

import { make, makeButton } from "./element";
import { more } from "./more_strings";
import type { Parts, Timing } from "./part";
import { Slot } from "./slot";
import type { ServerAccess, TurnState } from "./types";
import { UsageView } from "./usage_view";
import type { WaterfallView } from "./waterfall";

export interface FactsSurroundings {
  readonly server: ServerAccess;
  readonly parts: Parts;
  readonly signal: AbortSignal;
}

export class AnswerFacts {
  readonly element = make("div", "answer-facts");
  readonly #usage = new UsageView();
  readonly #button: HTMLButtonElement;
  readonly #waterfall: Slot<Timing, WaterfallView>;
  #turn: TurnState | null = null;
  #isOpen = false;

  constructor({ server, parts, signal }: FactsSurroundings) {
    const toggle = (): void => this.#toggle();
    this.#button = makeButton("copy timing-button", more.timing, toggle, signal);
    this.#button.title = more.timingHint;
    this.#button.setAttribute("aria-expanded", "false");
    this.#waterfall = new Slot({
      ...{ part: parts.timing, name: more.timing, signal },
      make: ({ WaterfallView }) => new WaterfallView({ server, signal }),
    });
    this.element.append(this.#usage.element, this.#button, this.#waterfall.element);
  }

  update(turn: TurnState): void {
    const isNews = this.#turn?.status !== turn.status;
    this.#turn = { ...turn };
    this.#usage.update(turn);
    if (this.#isOpen && isNews) this.#show();
  }

  #toggle(): void {
    this.#isOpen = !this.#isOpen;
    this.#button.setAttribute("aria-expanded", String(this.#isOpen));
    this.#show();
  }

  #show(): void {
    const turn = this.#turn?.turn ?? "";
    const isOpen = this.#isOpen;
    this.#waterfall.show(isOpen, (view) => view.update(turn, isOpen));
  }
}
