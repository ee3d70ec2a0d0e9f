/** What a running turn does now: words, and dots that move while it does it. */

import { removeHidden } from "../markdown/hidden";
import { make, setText } from "./element";

export class StatusView {
  readonly element = make("div", "status");
  readonly #label = make("span", "status-label");

  constructor() {
    const dots = make("span", "dots");
    dots.setAttribute("aria-hidden", "true");
    for (let dot = 0; dot < 3; dot++) dots.append(make("span", "dot"));
    this.element.append(this.#label, dots);
    this.element.hidden = true;
  }

  /** `null`: nothing runs. An empty label leaves the dots alone. */
  update(label: string | null): void {
    this.element.hidden = label === null;
    // The dots that move are the ellipsis.
    setText(this.#label, removeHidden(label ?? "").replace(/(?:…|\.\.\.)$/, ""));
  }
}
