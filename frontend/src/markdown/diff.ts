/** What changed between two texts: line by line, and in changed lines word by word. */

export interface DiffPart {
  readonly kind: "same" | "added" | "removed";
  readonly text: string;
}

/** One line of a diff; its parts mark the words that changed. */
export interface DiffLine {
  readonly kind: DiffPart["kind"];
  readonly parts: readonly DiffPart[];
}

/** Cells of the table that finds what two texts share; larger ones are told apart whole. */
const MOST_CELLS = 1_000_000;
const MOST_WORD_CELLS = 40_000;

/** The parts of one sequence that another one keeps, loses and gets, in order. */
function compare(
  before: readonly string[],
  after: readonly string[],
  mostCells: number,
): DiffPart[] {
  let start = 0;
  while (
    start < before.length &&
    start < after.length &&
    before[start] === after[start]
  )
    start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const same = (text: string): DiffPart => ({ kind: "same", text });
  return [
    ...before.slice(0, start).map(same),
    ...compareMiddle(
      before.slice(start, before.length - end),
      after.slice(start, after.length - end),
      mostCells,
    ),
    ...before.slice(before.length - end).map(same),
  ];
}

function compareMiddle(
  before: readonly string[],
  after: readonly string[],
  mostCells: number,
): DiffPart[] {
  const columns = after.length + 1;
  const cells = (before.length + 1) * columns;
  if (cells > mostCells) {
    return [
      ...before.map((text): DiffPart => ({ kind: "removed", text })),
      ...after.map((text): DiffPart => ({ kind: "added", text })),
    ];
  }
  const shared = sharedLengths(before, after);
  const at = (row: number, column: number): number =>
    shared[row * columns + column] as number;
  const parts: DiffPart[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    const [old, next] = [before[row], after[column]];
    if (old !== undefined && old === next) {
      parts.push({ kind: "same", text: old });
      row += 1;
      column += 1;
    } else if (
      next === undefined ||
      (old !== undefined && at(row + 1, column) >= at(row, column + 1))
    ) {
      parts.push({ kind: "removed", text: old as string });
      row += 1;
    } else {
      parts.push({ kind: "added", text: next });
      column += 1;
    }
  }
  return parts;
}

/** How long the longest sequence is that both share, from each row and column on. */
function sharedLengths(
  before: readonly string[],
  after: readonly string[],
): Uint32Array {
  const columns = after.length + 1;
  const shared = new Uint32Array((before.length + 1) * columns);
  for (let row = before.length - 1; row >= 0; row--) {
    for (let column = after.length - 1; column >= 0; column--) {
      const [here, below] = [row * columns + column, (row + 1) * columns + column];
      shared[here] =
        before[row] === after[column]
          ? (shared[below + 1] as number) + 1
          : Math.max(shared[below] as number, shared[here + 1] as number);
    }
  }
  return shared;
}

function wordsOf(line: string): string[] {
  return line.match(/\w+|\s+|[^\w\s]/g) ?? [];
}

/** Two versions of one line, the words of each that the other has not marked. */
function compareWords(before: string, after: string): [DiffLine, DiffLine] {
  const parts = compare(wordsOf(before), wordsOf(after), MOST_WORD_CELLS);
  return [
    { kind: "removed", parts: parts.filter(({ kind }) => kind !== "added") },
    { kind: "added", parts: parts.filter(({ kind }) => kind !== "removed") },
  ];
}

/** The lines of both texts, with what was removed before what came in its place. */
export function diffLines(before: string, after: string): DiffLine[] {
  const parts = compare(before.split("\n"), after.split("\n"), MOST_CELLS);
  const lines: DiffLine[] = [];
  for (let at = 0; at < parts.length; ) {
    const { kind, text } = parts[at] as DiffPart;
    if (kind === "same") {
      lines.push({ kind, parts: [{ kind, text }] });
      at += 1;
      continue;
    }
    const removed: string[] = [];
    const added: string[] = [];
    for (; at < parts.length && parts[at]?.kind !== "same"; at++) {
      const part = parts[at] as DiffPart;
      (part.kind === "removed" ? removed : added).push(part.text);
    }
    lines.push(...changedLines(removed, added));
  }
  return lines;
}

function changedLines(
  removed: readonly string[],
  added: readonly string[],
): DiffLine[] {
  const whole = (kind: DiffPart["kind"], text: string): DiffLine => ({
    kind,
    parts: [{ kind: "same", text }],
  });
  // Lines that stand across from each other are two versions of one.
  const pairs = Math.min(removed.length, added.length);
  const compared = removed
    .slice(0, pairs)
    .map((text, at) => compareWords(text, added[at] as string));
  return [
    ...compared.map(([old]) => old),
    ...removed.slice(pairs).map((text) => whole("removed", text)),
    ...compared.map(([, next]) => next),
    ...added.slice(pairs).map((text) => whole("added", text)),
  ];
}
