/** What changed between two texts, for a reader. */

import { type DiffLine, diffLines } from "../markdown/diff";
import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make } from "./element";
import { more } from "./more_strings";

/** Lines around a change that are shown with it. */
const CONTEXT_LINES = 3;
const SIGNS = { same: " ", added: "+", removed: "−" } as const;

/** Two texts line by line: what was removed, what was added, which words differ. */
export class DiffView {
  readonly element = make("div", "diff");
  #shown: string | null = null;

  constructor() {
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", more.diff);
  }

  /** Show what makes `after` of `before`. */
  update(before: string, after: string): void {
    const key = `${before}\0${after}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const lines = diffLines(showControls(before), showControls(after));
    this.element.replaceChildren(...withoutFarLines(lines).map(makeLine));
  }
}

/** Lines near a change; null stands for those that were left out. */
function withoutFarLines(lines: readonly DiffLine[]): (DiffLine | null)[] {
  const isNear = lines.map(() => false);
  lines.forEach(({ kind }, at) => {
    if (kind !== "same") isNear.fill(true, Math.max(0, at - CONTEXT_LINES), at + 4);
  });
  return lines.flatMap((line, at) => {
    if (isNear[at]) return [line];
    return at === 0 || isNear[at - 1] ? [null] : [];
  });
}

function makeLine(line: DiffLine | null): HTMLElement {
  if (line === null) return make("div", "diff-gap", "⋯");
  const { kind, parts } = line;
  const sign = make("span", "diff-sign", SIGNS[kind]);
  const text = make("span", "diff-text");
  for (const part of parts) {
    if (part.kind === "same") appendVisible(text, part.text);
    else appendVisible(text.appendChild(make("mark", "diff-word")), part.text);
  }
  const element = make("div", `diff-${kind}`, sign, text);
  if (kind !== "same") {
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", kind === "added" ? more.added : more.removed);
  }
  return element;
}
