/** A notebook's cells as text that goes into a message, as the reader will see it. */

import type { Words } from "./words";

/** One output of a code cell, as a notebook's file has it. */
export interface OutputJson {
  readonly output_type: string;
  readonly [field: string]: unknown;
}

export interface CellText {
  readonly source: string;
  /** What the source is written in, for its fence. */
  readonly language: string;
  readonly outputs: readonly OutputJson[];
}

/** Longest source of a cell that is quoted whole. */
export const SOURCE_CHARACTERS = 20_000;
/** Longest text of all outputs of a cell that is quoted whole. */
export const OUTPUT_CHARACTERS = 8_000;

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";
// The escape sequences of a terminal, which tracebacks are coloured with.
const TERMINAL_SEQUENCE = new RegExp(
  `${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`,
  "g",
);

/** A cell with what it printed, showed and failed with, in markdown. */
export function quoteCell(cell: CellText, notebook: string, words: Words): string {
  const parts = [words.thisCell(notebook), quoteSource(cell, words)];
  const output = cell.outputs.map(textOf).filter((text) => text !== "");
  if (output.length > 0) {
    const text = shortened(output.join("\n"), OUTPUT_CHARACTERS, words);
    parts.push(words.itsOutput, fenced(text, "text"));
  }
  return `${parts.join("\n\n")}\n\n`;
}

/** Several sources of one notebook, one after the other, in markdown. */
export function quoteSources(
  cells: readonly Omit<CellText, "outputs">[],
  notebook: string,
  words: Words,
): string {
  const sources = cells.map((cell) => quoteSource(cell, words));
  return `${[words.thisSelection(notebook), ...sources].join("\n\n")}\n\n`;
}

function quoteSource(cell: Omit<CellText, "outputs">, words: Words): string {
  const source = shortened(cell.source, SOURCE_CHARACTERS, words);
  return fenced(source, cell.language);
}

/** Fenced by more backticks than any line of it could close. */
function fenced(text: string, language: string): string {
  const runs = text.match(/`{3,}/g) ?? [];
  const fence = "`".repeat(Math.max(3, ...runs.map((run) => run.length + 1)));
  return `${fence}${language}\n${text.replace(/\n+$/, "")}\n${fence}`;
}

/** The beginning and the end, which says more of an error than its middle. */
function shortened(text: string, characters: number, words: Words): string {
  if (text.length <= characters) return text;
  const head = text.slice(0, Math.floor(characters / 4));
  const tail = text.slice(head.length - characters);
  return `${head}\n${words.leftOut(text.length - characters)}\n${tail}`;
}

function textOf(output: OutputJson): string {
  switch (output.output_type) {
    case "stream":
      return plain(output["text"]);
    case "error":
      return errorText(output);
    case "execute_result":
    case "display_data":
      return dataText(output["data"]);
    default:
      return "";
  }
}

function errorText(output: OutputJson): string {
  const { traceback } = output;
  const lines = Array.isArray(traceback) ? traceback.map(String) : [];
  if (lines.length > 0) return plain(lines.join("\n"));
  return plain(`${String(output["ename"])}: ${String(output["evalue"])}`);
}

function dataText(data: unknown): string {
  if (typeof data !== "object" || data === null || WIDGET_VIEW in data) return "";
  return plain((data as Record<string, unknown>)["text/plain"]);
}

/** A notebook's text is a string, or the list of its lines. */
function plain(text: unknown): string {
  const whole = Array.isArray(text) ? text.join("") : text;
  if (typeof whole !== "string") return "";
  return whole.replace(TERMINAL_SEQUENCE, "").trimEnd();
}
