/** Replacing a cell's code: what would change is shown first, where that is known. */

import { notebookHost } from "../notebook_host";
import { DiffView } from "./diff_view";
import { make, makeButton } from "./element";
import { more } from "./more_strings";

export interface ReplaceViewOptions {
  readonly signal: AbortSignal;
  /** An element of the chat, for the notebook around it. */
  readonly from: HTMLElement;
  code(): string;
}

export class ReplaceView {
  readonly #options: ReplaceViewOptions;
  readonly element = make("div", "replace");
  readonly #diff = new DiffView();
  readonly #replace: HTMLButtonElement;

  constructor(options: ReplaceViewOptions) {
    this.#options = options;
    const { signal } = options;
    const replace = (): void => void this.#finish();
    const leave = (): void => this.#leave();
    this.#replace = makeButton("quiet-button", more.replaceCell, replace, signal);
    const buttons = make("div", "replace-buttons", this.#replace);
    buttons.append(makeButton("quiet-button", more.keepCell, leave, signal));
    this.element.append(this.#diff.element, buttons);
    this.element.hidden = true;
  }

  /** Show what would change; where the host does not tell, replace at once. */
  async begin(): Promise<void> {
    const { from, code } = this.#options;
    const before = await this.#cellCode();
    if (before === undefined) {
      await this.#finish();
      return;
    }
    this.#diff.update(before, code());
    this.element.hidden = false;
    this.#replace.focus();
    from.scrollIntoView({ block: "nearest" });
  }

  async #cellCode(): Promise<string | undefined> {
    try {
      return await notebookHost()?.cellCode?.({ from: this.#options.from });
    } catch {
      return undefined;
    }
  }

  async #finish(): Promise<void> {
    const { from, code } = this.#options;
    try {
      await notebookHost()?.replaceCell(code(), { from });
    } catch {
      return; // The notebook says so itself.
    }
    this.element.hidden = true;
  }

  #leave(): void {
    this.element.hidden = true;
  }
}
