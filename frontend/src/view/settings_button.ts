/** The button that opens the settings, and the place where they open. */

import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import type { PanelView } from "./panel";
import type { Panel, Part } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { ChatModel } from "./types";

export interface SettingsOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly part: Part<Panel>;
  readonly say: (text: string) => void;
}

export class SettingsButton {
  readonly button: HTMLButtonElement;
  /** Lies over the conversation while it is open. */
  readonly element = make("div", "panel-place");
  readonly #panel: Slot<Panel, PanelView>;

  constructor({ signal, model, part, say }: SettingsOptions) {
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
        new PanelView({ signal, model, say, close: () => this.#toggle() }),
    });
    this.element.append(this.#panel.element);
    this.element.hidden = true;
  }

  /** Show what has changed, if it is open. */
  update(): void {
    if (!this.element.hidden) this.#panel.view?.update();
  }

  #toggle(): void {
    const isOpen = this.element.hidden;
    this.element.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.#panel.show(true, (panel) => panel.open());
    else this.button.focus();
  }
}
