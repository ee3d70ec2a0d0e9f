/**
 * Formulas: their source, and once it is complete and the typesetter is there, the
 * typeset form beside it. The source stays in the document: what is copied is TeX.
 */

import type { Parts } from "../view/part";

/** What formulas need from their surroundings. */
export interface MathSurroundings {
  readonly signal: AbortSignal;
  /** Absent: formulas stay as they were written. */
  readonly parts: Pick<Parts, "math"> | null;
}

/** A formula without its dollars or brackets; null when they are not closed. */
function texOf(source: string): { tex: string; display: boolean } | null {
  const found = /^(?:\$\$(.*)\$\$|\\\[(.*)\\\]|\\\((.*)\\\)|\$(.*)\$)$/s.exec(
    source.trim(),
  );
  if (found === null) return null;
  const display = found[1] ?? found[2];
  const tex = display ?? found[3] ?? found[4] ?? "";
  return { tex, display: display !== undefined };
}

/** Typeset every formula in `parent` that is complete and not typeset yet. */
export function typesetIn(parent: Element, surroundings: MathSurroundings): void {
  for (const element of parent.querySelectorAll(".streamchat-math")) {
    if (element.childElementCount === 1) typesetElement(element, surroundings);
  }
}

function typesetElement(element: Element, { parts, signal }: MathSurroundings): void {
  const source = element.textContent;
  const found = texOf(source);
  // What is marked in it, hidden characters, must not get past the reader.
  const isMarked = element.firstElementChild?.childElementCount !== 0;
  if (parts === null || found === null || isMarked) return;
  const show = ({ typeset }: { typeset: typeof import("../math").typeset }): void => {
    if (signal.aborted || element.textContent !== source) return;
    const math = typeset(found.tex, found.display);
    if (math === null || element.childElementCount !== 1) return;
    element.append(math);
    element.classList.add("streamchat-typeset");
    element.classList.toggle("streamchat-display", found.display);
    element.firstElementChild?.setAttribute("aria-hidden", "true");
  };
  const { module } = parts.math;
  if (module !== null) show(module);
  else parts.math.load().then(show, () => undefined); // The source is still there.
}
