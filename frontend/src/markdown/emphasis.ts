/** Runs of `*`, `_` and `~` to emphasis, strong emphasis and strike-through. */

import type { Inline } from "./inline";

/** A run of one delimiter character, not yet known to be markup. */
export interface Run {
  readonly kind: "run";
  readonly character: string;
  /** Length as written; `left` is what no emphasis has used yet. */
  readonly length: number;
  left: number;
  readonly canOpen: boolean;
  readonly canClose: boolean;
}

const WHITE_SPACE = /^\s?$/;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const DEEPEST_NESTING = 24;

/** Classify a run by the characters around it; both may be empty strings. */
export function makeRun(text: string, before: string, after: string): Run {
  const character = text[0] as string;
  const spaceBefore = WHITE_SPACE.test(before);
  const spaceAfter = WHITE_SPACE.test(after);
  const markBefore = PUNCTUATION.test(before);
  const markAfter = PUNCTUATION.test(after);
  const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
  const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
  const strict = character === "_";
  return {
    kind: "run",
    character,
    length: text.length,
    left: text.length,
    canOpen: left && (!strict || !right || markBefore),
    canClose: right && (!strict || !left || markAfter),
  };
}

function fits(opener: Run, closer: Run): boolean {
  if (opener.character !== closer.character) return false;
  if (closer.character === "~") return opener.left === 2 && closer.left === 2;
  const both = opener.canClose || closer.canOpen;
  const sum = opener.length + closer.length;
  const triple = opener.length % 3 === 0 && closer.length % 3 === 0;
  return !both || sum % 3 !== 0 || triple;
}

function wrap(character: string, used: number, children: Inline[]): Inline {
  if (character === "~") return { kind: "strike", children };
  return { kind: used === 2 ? "strong" : "emphasis", children };
}

/** Builds the tree of one level from left to right. */
class Level {
  readonly #out: (Inline | Run)[] = [];
  /** Where in `out` the runs are that may still open, with their nesting. */
  readonly #openers: number[] = [];
  /** Per sort of closer: below this position in `openers` nothing fits. */
  readonly #searched = new Map<string, number>();
  readonly #depths = new Map<Inline, number>();

  add(entry: Inline | Run): void {
    if (entry.kind !== "run") {
      this.#out.push(entry);
      return;
    }
    if (entry.canClose) this.#close(entry);
    if (entry.left === 0) return;
    this.#out.push(entry);
    if (entry.canOpen) this.#openers.push(this.#out.length - 1);
  }

  /** End the level. `heal`: take strong runs that are still open as closed here. */
  finish(heal: boolean): Inline[] {
    if (heal) this.#healOpeners();
    return mergeText(this.#out.map(asText));
  }

  #close(closer: Run): void {
    while (closer.left > 0) {
      const position = this.#findOpener(closer);
      if (position === null) return;
      const at = this.#openers[position] as number;
      const opener = this.#out[at] as Run;
      const used = opener.left >= 2 && closer.left >= 2 ? 2 : 1;
      opener.left -= used;
      closer.left -= used;
      this.#wrapFrom(at, used, opener.character);
      this.#truncateOpeners(opener.left === 0 ? position : position + 1);
      if (opener.left === 0) this.#out.splice(at, 1);
    }
  }

  #wrapFrom(at: number, used: number, character: string): void {
    const children = mergeText(this.#out.splice(at + 1).map(asText));
    const depth =
      1 + Math.max(0, ...children.map((child) => this.#depths.get(child) ?? 0));
    if (depth > DEEPEST_NESTING) {
      this.#out.push(...children);
      return;
    }
    const wrapped = wrap(character, used, children);
    this.#depths.set(wrapped, depth);
    this.#out.push(wrapped);
  }

  #findOpener(closer: Run): number | null {
    const sort = `${closer.character}${closer.canOpen}${closer.length % 3}`;
    const bottom = this.#searched.get(sort) ?? 0;
    for (let at = this.#openers.length - 1; at >= bottom; at--) {
      if (fits(this.#out[this.#openers[at] as number] as Run, closer)) return at;
    }
    this.#searched.set(sort, this.#openers.length);
    return null;
  }

  #truncateOpeners(length: number): void {
    this.#openers.length = length;
    for (const [sort, bottom] of this.#searched) {
      if (bottom > length) this.#searched.set(sort, length);
    }
  }

  #healOpeners(): void {
    for (let at = this.#openers.length - 1; at >= 0; at--) {
      const position = this.#openers[at] as number;
      const run = this.#out[position] as Run;
      if (run.left !== 2 || run.canClose) continue;
      if (position === this.#out.length - 1) this.#out.pop();
      else this.#wrapFrom(position, 2, run.character);
      if (this.#out[position] === run) this.#out.splice(position, 1);
    }
  }
}

function asText(entry: Inline | Run): Inline {
  if (entry.kind !== "run") return entry;
  return { kind: "text", text: entry.character.repeat(entry.left) };
}

function mergeText(inlines: readonly Inline[]): Inline[] {
  const merged: Inline[] = [];
  let text = "";
  for (const inline of inlines) {
    if (inline.kind === "text") {
      text += inline.text;
      continue;
    }
    if (text !== "") merged.push({ kind: "text", text });
    text = "";
    merged.push(inline);
  }
  if (text !== "") merged.push({ kind: "text", text });
  return merged;
}

/** Find the emphasis in one level of entries. */
export function resolveEmphasis(
  entries: readonly (Inline | Run)[],
  heal: boolean,
): Inline[] {
  const level = new Level();
  for (const entry of entries) level.add(entry);
  return level.finish(heal);
}
