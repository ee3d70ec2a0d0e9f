/** Telling a screen reader what happens, in sentences. */

import { make } from "./element";

const KEPT = 8;
/** Marks within a sentence; an underscore inside a name is none. */
const MARKS = /[*`]+|(?<!\w)_+|_+(?!\w)/g;
/** Marks between sentences and cells, with the line under a table's head. */
const BREAKS = /[#|>]+|:?-{3,}:?|^\s*-(?: \[.\])? /gm;
const SENTENCE_END = /[.!?]+(?=\s)|\n/g;

/** A polite live region that nobody sees. */
export class Announcer {
  readonly element = make("div", "announcer");
  /** How much of each text was said. */
  readonly #said = new Map<string, number>();

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
    const from = this.#said.get(id) ?? 0;
    const rest = text.slice(from);
    let end = 0;
    for (const found of rest.matchAll(SENTENCE_END))
      end = found.index + found[0].length;
    if (end > 0) {
      this.#said.set(id, from + end);
      this.say(rest.slice(0, end));
    }
  }

  /** A text is complete: say what is left of it. */
  sayRest(id: string, text: string): void {
    const from = this.#said.get(id) ?? 0;
    this.#said.set(id, text.length);
    this.say(text.slice(from));
  }

  /** Text that was there before the reader came is not news. */
  skip(id: string, length: number): void {
    this.#said.set(id, length);
  }
}
