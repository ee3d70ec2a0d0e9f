/** A notice: what happened, what was kept, what to do. */

import { removeHidden } from "../markdown/hidden";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";

/** Something that the reader can do about it. */
export interface Remedy {
  readonly label: string;
  readonly act: () => void;
}

export interface NoticeContent {
  /** `error` where something went wrong, `note` where it was wanted. */
  readonly tone: "error" | "note";
  /** What happened, in one sentence. */
  readonly what: string;
  /** More about it, for example the server's own words. */
  readonly detail?: string | undefined;
  readonly kept?: string | undefined;
  readonly remedies?: readonly Remedy[] | undefined;
}

export class NoticeView {
  readonly #signal: AbortSignal;
  readonly element = make("div", "notice");
  readonly #what = make("strong", "notice-what");
  readonly #detail = make("span", "notice-detail");
  readonly #kept = make("span", "notice-kept");
  readonly #buttons = make("div", "notice-remedies");
  #remedies: readonly Remedy[] = [];

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    const words = make("div", "notice-words");
    words.append(this.#what, this.#detail, this.#kept);
    this.element.append(makeIcon("warning"), words, this.#buttons);
    this.element.hidden = true;
  }

  /** Show a notice, or none. */
  update(content: NoticeContent | null): void {
    this.element.hidden = content === null;
    if (content === null) return;
    this.element.dataset["tone"] = content.tone;
    setText(this.#what, content.what);
    this.#show(this.#detail, content.detail);
    this.#show(this.#kept, content.kept);
    this.#showRemedies(content.remedies ?? []);
  }

  #showRemedies(remedies: readonly Remedy[]): void {
    const labels = remedies.map(({ label }) => label).join("\n");
    const shown = this.#remedies.map(({ label }) => label).join("\n");
    this.#remedies = remedies;
    this.#buttons.hidden = remedies.length === 0;
    if (labels === shown) return; // a button that has the focus keeps it
    this.#buttons.replaceChildren(
      ...remedies.map(({ label }, at) => {
        const act = (): void => this.#remedies[at]?.act();
        return makeButton("quiet-button", label, act, this.#signal);
      }),
    );
  }

  #show(element: HTMLElement, text: string | undefined): void {
    element.hidden = !text;
    setText(element, removeHidden(text ?? ""));
  }
}
