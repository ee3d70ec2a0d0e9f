/** Telling a screen reader what happens, in sentences. */

import { make } from "./element";
import { SpokenText } from "./spoken_text";

const KEPT = 8;
/** Marks within a sentence; an underscore inside a name is none. */
const MARKS = /[*`]+|(?<!\w)_+|_+(?!\w)/g;
/** Marks between sentences and cells, with the line under a table's head. */
const BREAKS = /[#|>]+|:?-{3,}:?|^\s*-(?: \[.\])? /gm;

/** A polite live region that nobody sees. */
export class Announcer {
  readonly element = make("div", "announcer");
  readonly #spoken = new Map<string, SpokenText>();

  constructor() {
    this.element.setAttribute("role", "status");
    this.element.setAttribute("aria-live", "polite");
    this.element.setAttribute("aria-atomic", "false");
  }

  say(text: string): void {
    const plain = text
      .replace(MARKS, "")
      .replace(BREAKS, " ")
      .replace(/\s+/g, " ")
      .trim();
    if (plain === "") return;
    this.element.append(make("p", "", plain));
    while (this.element.childElementCount > KEPT)
      this.element.firstElementChild?.remove();
  }

  /** Say the sentences of a growing text that are complete and were not said yet. */
  sayGrowing(id: string, text: string): void {
    this.say(this.#spokenOf(id).take(text, false));
  }

  /** A text is complete: say what is left of it. */
  sayRest(id: string, text: string): void {
    this.say(this.#spokenOf(id).take(text, true));
  }

  /** Text that was there before the reader came is not news. */
  skip(id: string, text: string): void {
    this.#spokenOf(id).take(text, false);
  }

  #spokenOf(id: string): SpokenText {
    let spoken = this.#spoken.get(id);
    if (spoken === undefined) {
      spoken = new SpokenText();
      this.#spoken.set(id, spoken);
    }
    return spoken;
  }
}
