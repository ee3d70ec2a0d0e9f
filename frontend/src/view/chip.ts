/** One thing that is to be attached: what it is, how far it is, and a way out. */

import type { Attachment } from "../content";
import { removeHidden } from "../markdown/hidden";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import { strings } from "./strings";

export type ChipState =
  /** Not there yet: it uploads, or the kernel is asked. */
  | "pending"
  | "ready"
  /** It cannot be sent as it is. */
  | "failed";

/** What the tray of things to attach knows of each. */
export interface Chip {
  readonly element: HTMLElement;
  readonly state: ChipState;
  /** What is sent; `null` unless it is ready. */
  readonly block: Attachment | null;
  /** The variable that it shares; `null` for a file. */
  readonly variable: string | null;
  /** Stop what is under way. */
  end(): void;
}

export interface ChipOptions {
  readonly signal: AbortSignal;
  /** Its state or what it sends has changed. */
  readonly changed: () => void;
  readonly remove: (chip: Chip) => void;
}

/** The look of a chip. */
export class ChipView {
  readonly element = make("div", "chip");
  readonly #note = make("span", "chip-note");
  readonly #retry: HTMLButtonElement;

  /**
   * @param label what it is; gets the note beside it
   * @param name for the labels of its buttons
   */
  constructor(
    label: HTMLElement,
    name: string,
    options: {
      readonly signal: AbortSignal;
      readonly retry: () => void;
      readonly remove: () => void;
    },
  ) {
    const { signal } = options;
    const shownName = removeHidden(name);
    this.#retry = makeButton("chip-retry", strings.tryAgain, options.retry, signal);
    const remove = makeButton("chip-remove", makeIcon("cross"), options.remove, signal);
    remove.setAttribute("aria-label", more.about(strings.remove, shownName));
    remove.title = strings.remove;
    this.#retry.setAttribute("aria-label", more.about(strings.tryAgain, shownName));
    label.append(this.#note);
    this.element.append(label, this.#retry, remove);
    this.element.setAttribute("role", "listitem");
  }

  /** @param canRetry whether trying again may help */
  show(state: ChipState, note: string, canRetry = false): void {
    this.element.dataset["state"] = state;
    this.element.setAttribute("aria-busy", String(state === "pending"));
    setText(this.#note, note);
    this.#note.title = state === "failed" ? note : "";
    this.#retry.hidden = !canRetry;
  }
}
