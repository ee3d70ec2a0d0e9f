/** What of a growing text is read out: its prose; of code and formulas, that they are. */

import { strings } from "./strings";

/** The point behind the number of a list is none. */
const SENTENCE_END = /(?<!^\s*\d+)[.!?]+(?=\s)|\n/gm;
/** Code between fences, once the line is whole, or a formula that stands alone. */
const BLOCK_START = /^[ \t>]*(?:[-*+] |\d+[.)] )?(`{3,}|~{3,})[^`\n]*\n|\$\$|\\\[/gm;
/** A formula also ends where its paragraph does: it was none. */
const FORMULA_END = /\$\$|\\\]|^[ \t]*\n/gm;
const INLINE_FORMULA = /\\\(.*?\\\)|\$(?=\S)[^$\n]*?(?<=\S)\$(?!\d)/g;

/** Takes a text as it grows; costs as much as what is new in it. */
export class SpokenText {
  /** How much of the text was taken. */
  #taken = 0;
  /** What ends the block that it has come to; null: it is in prose. */
  #blockEnd: RegExp | null = null;

  /**
   * Return what is to be said now, with the marks of its markdown.
   *
   * @param text all of it: what was given before, and more
   * @param isWhole whether nothing follows; else only sentences that are complete
   */
  take(text: string, isWhole: boolean): string {
    let said = "";
    while (this.#taken < text.length) {
      const taken = this.#taken;
      said += this.#blockEnd === null ? this.#prose(text) : this.#block(text);
      if (this.#taken === taken) break;
    }
    if (isWhole) {
      if (this.#blockEnd === null) said += text.slice(this.#taken);
      this.#taken = text.length;
    }
    return said.replace(INLINE_FORMULA, strings.spokenFormula);
  }

  /** Take prose up to a block, else the sentences that are complete. */
  #prose(text: string): string {
    const from = this.#taken;
    BLOCK_START.lastIndex = from;
    const start = BLOCK_START.exec(text);
    if (start !== null) {
      const fence = start[1];
      this.#taken = BLOCK_START.lastIndex;
      if (fence === undefined) this.#blockEnd = FORMULA_END;
      else {
        const marks = `${fence[0]}{${fence.length},}`;
        this.#blockEnd = new RegExp(`^[ \\t>]*${marks}[ \\t]*(?:\\n|$)`, "gm");
      }
      const what = fence === undefined ? strings.spokenFormula : strings.spokenCode;
      return `${text.slice(from, start.index)} ${what}.\n`;
    }
    const rest = text.slice(from);
    for (const found of rest.matchAll(SENTENCE_END))
      this.#taken = from + found.index + found[0].length;
    return text.slice(from, this.#taken);
  }

  /** Take what is known to belong to the block, and its end. */
  #block(text: string): string {
    const end = this.#blockEnd;
    if (end === null) return "";
    end.lastIndex = this.#taken;
    if (end.exec(text) !== null) {
      this.#taken = end.lastIndex;
      this.#blockEnd = null;
    } else {
      // A line that may still become the end is looked at again.
      this.#taken = Math.max(this.#taken, text.lastIndexOf("\n") + 1);
    }
    return "";
  }
}
