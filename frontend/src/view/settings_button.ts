/** The button that opens the settings, and the place where they open. */

import { ContextFollower, ContextMark } from "./context_use";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import type { PanelView } from "./panel";
import type { Panel, Part } from "./part";
import { Slot } from "./slot";
import type { SettingsPlace } from "./steering";
import { strings } from "./strings";
import type { ChatModel } from "./types";

export interface SettingsOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly part: Part<Panel>;
  readonly say: (text: string) => void;
  /** Shows the keys and commands. */
  readonly help: () => void;
}

export class SettingsButton {
  readonly button: HTMLButtonElement;
  /** Lies over the conversation while it is open. */
  readonly element = make("div", "panel-place");
  readonly #panel: Slot<Panel, PanelView>;
  readonly #context: ContextFollower;
  readonly #mark = new ContextMark();
  readonly #say: (text: string) => void;
  #isWarned = false;

  constructor({ signal, model, part, say, help }: SettingsOptions) {
    this.#say = say;
    this.#context = new ContextFollower(model, () => this.update(), signal);
    const context = this.#context;
    this.button = makeButton(
      "settings",
      makeIcon("settings"),
      () => this.#toggle(),
      signal,
    );
    this.button.prepend(this.#mark.element);
    this.button.setAttribute("aria-expanded", "false");
    this.#showContext();
    this.#panel = new Slot({
      ...{ part, name: strings.settings, signal },
      make: ({ PanelView }) =>
        new PanelView({
          ...{ signal, model, say, help, context },
          close: () => this.#toggle(),
        }),
    });
    this.element.append(this.#panel.element);
    this.element.hidden = true;
  }

  /** Show what has changed: how full the context is, and the rest if it is open. */
  update(): void {
    this.#showContext();
    if (!this.element.hidden) this.#panel.view?.update();
  }

  /** @param place what is wanted there */
  open(place: SettingsPlace): void {
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.#panel.show(true, (panel) => panel.open(place));
  }

  #showContext(): void {
    const use = this.#context.use();
    const words = this.#mark.update(use);
    const label = words === "" ? strings.settings : `${strings.settings}. ${words}`;
    this.button.setAttribute("aria-label", label);
    this.button.title = label;
    const isNearlyFull = use?.isNearlyFull === true;
    if (isNearlyFull && !this.#isWarned) this.#say(words);
    this.#isWarned = isNearlyFull;
  }

  #toggle(): void {
    if (this.element.hidden) {
      this.open("choices");
      return;
    }
    this.element.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    this.button.focus();
  }
}
