/** A model's reasoning, folded. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make, makeProse, setText } from "./element";
import { makeFold } from "./fold";
import { strings } from "./strings";

export class ThoughtView {
  readonly element = make("details", "thought");
  readonly #title = make("span", "thought-title");
  readonly #body = makeProse("div", "thought-text");
  #text = "";
  #shown = "";

  constructor(signal: AbortSignal) {
    this.element.append(makeFold(this.#title), this.#body);
    this.element.addEventListener("toggle", () => this.#showText(), { signal });
  }

  update(text: string, complete: boolean): void {
    this.#text = text;
    this.element.hidden = complete && text.trim() === "";
    setText(this.#title, complete ? strings.thought : strings.thinking);
    this.#showText();
  }

  /** A folded text costs nothing; an open one is appended to. */
  #showText(): void {
    if (!this.element.open || this.#text === this.#shown) return;
    if (!this.#text.startsWith(this.#shown)) {
      this.#body.replaceChildren();
      this.#shown = "";
    }
    appendVisible(this.#body, showControls(this.#text.slice(this.#shown.length)));
    this.#shown = this.#text;
  }
}
