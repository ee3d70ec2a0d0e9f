/** Who answers this conversation, what it used, and whether everything is reached. */

import { CheckView } from "./check_view";
import { ChoiceForm } from "./choice_form";
import { type ContextFollower, contextWords } from "./context_use";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import type { SettingsPlace } from "./steering";
import { strings } from "./strings";
import type { ChatModel } from "./types";
import { costWords, makeRows, usageRows } from "./usage_words";

export interface PanelOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly context: ContextFollower;
  /** Says something to a screen reader. */
  readonly say: (text: string) => void;
  /** Shows the keys and commands. */
  readonly help: () => void;
  readonly close: () => void;
}

export class PanelView {
  readonly #options: PanelOptions;
  readonly element = make("section", "panel");
  readonly #form: ChoiceForm;
  readonly #usage = make("div", "panel-usage");
  readonly #advice = make("p", "choice-problem", strings.contextAdvice);
  readonly #check: CheckView;
  #shownUsage = "";

  constructor(options: PanelOptions) {
    this.#options = options;
    const { signal } = options;
    this.element.setAttribute("role", "dialog");
    this.element.setAttribute("aria-label", strings.settings);
    this.#form = new ChoiceForm(options);
    this.#check = new CheckView(options);
    const close = makeButton("panel-close", makeIcon("cross"), options.close, signal);
    close.setAttribute("aria-label", more.closeSettings);
    close.title = more.close;
    this.element.append(
      make("div", "panel-head", make("h2", "panel-title", more.whoAnswers), close),
      this.#form.element,
      make("h2", "panel-title", more.usage),
      this.#usage,
      this.#advice,
      make("h2", "panel-title", more.checkTitle),
      this.#check.element,
      makeButton("quiet-button panel-help", more.shortcuts, options.help, signal),
    );
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  /** It was opened: ask what can be chosen now, and take the focus. */
  open(place: SettingsPlace): void {
    this.#form.refresh();
    this.update();
    if (place === "check") this.#check.begin();
    else this.element.querySelector<HTMLElement>("button, select")?.focus();
  }

  /** The conversation's settings or its usage may have changed. */
  update(): void {
    this.#form.update();
    this.#showUsage();
  }

  #showUsage(): void {
    const { usage, cost, unpriced_turns } = this.#options.model.state;
    const rows = usage == null ? [] : [...usageRows(usage)];
    const price = costWords(cost, unpriced_turns);
    if (price !== "") rows.push([more.usageCost, price]);
    const use = this.#options.context.use(true);
    if (use !== null) rows.unshift([strings.context, contextWords(use)]);
    this.#advice.hidden = use?.isNearlyFull !== true;
    const shown = JSON.stringify(rows);
    if (shown === this.#shownUsage) return;
    this.#shownUsage = shown;
    if (rows.length === 0) setText(this.#usage, more.usageNone);
    else this.#usage.replaceChildren(makeRows(rows));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation(); // it would stop the answer
    this.#options.close();
  }
}
