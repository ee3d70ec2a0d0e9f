/** A model's reasoning, folded. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make, makeProse, setText } from "./element";
import { makeFold } from "./fold";
import { formatDuration } from "./formats";
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

  /** @param duration_ms how long it took, where that is known */
  update(text: string, complete: boolean, duration_ms?: number | null): void {
    this.#text = text;
    this.element.hidden = complete && text.trim() === "";
    const ended = duration_ms ? strings.thoughtFor(formatDuration(duration_ms)) : "";
    setText(this.#title, complete ? ended || strings.thought : strings.thinking);
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
