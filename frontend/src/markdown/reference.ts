/** Link destinations, titles and the definitions of link references. */

import { unescapeText } from "./escape";

export interface Reference {
  readonly href: string;
  readonly title: string;
}

export type References = Map<string, Reference>;

/** A piece of source that was read, and where reading goes on. */
interface Piece {
  readonly value: string;
  readonly end: number;
}

const LONGEST_LABEL = 999;
const DEEPEST_PARENTHESES = 32;
/** What counts in a bare destination: its end, parentheses, and escaped characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: a control character ends it
const DESTINATION_MARK = /[\x00-\x20\x7f()]|\\[!-/:-@[-`{-~]/g;
const LABEL = /\[((?:[^\\[\]]|\\[\s\S])*)\]/y;
const BRACKETED_DESTINATION = /<((?:[^<>\n\\]|\\.)*)>/y;
const TITLES = [
  /"((?:[^"\\]|\\[\s\S])*)"/y,
  /'((?:[^'\\]|\\[\s\S])*)'/y,
  /\(((?:[^()\\]|\\[\s\S])*)\)/y,
];

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** The form under which labels are the same label. */
export function normalizeLabel(label: string): string {
  return label.trim().replace(/\s+/g, " ").toLowerCase().toUpperCase();
}

/** Read `[label]` at `at`; its value is the text between the brackets. */
export function readLabel(source: string, at: number): Piece | null {
  const found = match(LABEL, source, at);
  const label = found?.[1];
  if (label === undefined || label.length > LONGEST_LABEL) return null;
  return { value: label, end: LABEL.lastIndex };
}

/** Skip white space with at most one line end. */
export function skipSpace(source: string, at: number): number {
  const found = match(/[ \t]*\n?[ \t]*/y, source, at);
  return at + (found?.[0].length ?? 0);
}

/** Where a bare destination from `at` on ends; null when it cannot be one. */
function endOfBareDestination(source: string, at: number): number | null {
  let depth = 0;
  DESTINATION_MARK.lastIndex = at;
  for (;;) {
    const found = DESTINATION_MARK.exec(source);
    const mark = found?.[0] ?? " ";
    if (mark === "(") depth += 1;
    else if (mark === ")" && depth > 0) depth -= 1;
    else if (mark.length === 1)
      return depth === 0 ? (found?.index ?? source.length) : null;
    if (depth > DEEPEST_PARENTHESES) return null;
  }
}

/** Read a link's destination at `at`, in angle brackets or bare. */
export function readDestination(source: string, at: number): Piece | null {
  if (source[at] === "<") {
    const found = match(BRACKETED_DESTINATION, source, at);
    if (found === null) return null;
    return { value: unescapeText(found[1] ?? ""), end: at + found[0].length };
  }
  const end = endOfBareDestination(source, at);
  return end === null ? null : { value: unescapeText(source.slice(at, end)), end };
}

/** Read a title in quotes or parentheses at `at`. */
export function readTitle(source: string, at: number): Piece | null {
  for (const pattern of TITLES) {
    const found = match(pattern, source, at);
    if (found !== null) {
      return { value: unescapeText(found[1] ?? ""), end: at + found[0].length };
    }
  }
  return null;
}

/** End of the line if nothing but white space is left on it, else null. */
function readLineEnd(source: string, at: number): number | null {
  const found = match(/[ \t]*(?:\n|$)/y, source, at);
  return found === null ? null : at + found[0].length;
}

/**
 * Read one definition (`[label]: destination "title"`) at the start of `source`.
 *
 * Returns the definition and where it ends, or null when there is none.
 */
export function readDefinition(
  source: string,
): { label: string; reference: Reference; end: number } | null {
  const label = readLabel(source, 0);
  if (label === null || source[label.end] !== ":") return null;
  if (label.value.trim() === "") return null;
  const start = skipSpace(source, label.end + 1);
  const destination = readDestination(source, start);
  if (destination === null || destination.end === start) return null;
  const afterSpace = skipSpace(source, destination.end);
  const title = afterSpace > destination.end ? readTitle(source, afterSpace) : null;
  const titled = title === null ? null : readLineEnd(source, title.end);
  const end = titled ?? readLineEnd(source, destination.end);
  if (end === null) return null;
  const reference = {
    href: destination.value,
    title: titled === null ? "" : (title?.value ?? ""),
  };
  return { label: normalizeLabel(label.value), reference, end };
}
