/** The button that opens the settings, and the place where they open. */

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

  constructor({ signal, model, part, say, help }: SettingsOptions) {
    this.button = makeButton(
      "settings",
      makeIcon("settings"),
      () => this.#toggle(),
      signal,
    );
    this.button.setAttribute("aria-label", strings.settings);
    this.button.setAttribute("aria-expanded", "false");
    this.button.title = strings.settings;
    this.#panel = new Slot({
      ...{ part, name: strings.settings, signal },
      make: ({ PanelView }) =>
        new PanelView({ signal, model, say, help, close: () => this.#toggle() }),
    });
    this.element.append(this.#panel.element);
    this.element.hidden = true;
  }

  /** Show what has changed, if it is open. */
  update(): void {
    if (!this.element.hidden) this.#panel.view?.update();
  }

  /** @param place what is wanted there */
  open(place: SettingsPlace): void {
    this.element.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.#panel.show(true, (panel) => panel.open(place));
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
