/** The pipes of tables. */

import type { Alignment } from "./block";

const DELIMITER_ROW = /^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

/** Split a row at its pipes; an escaped pipe is part of a cell. */
export function splitRow(line: string): string[] {
  const row = line.trim().replace(/^\|/, "");
  const cells: string[] = [];
  let cell = "";
  for (let at = 0; at < row.length; at++) {
    const character = row[at];
    if (character === "\\" && row[at + 1] === "|") {
      cell += "|";
      at += 1;
    } else if (character === "|") {
      cells.push(cell.trim());
      cell = "";
    } else {
      cell += character;
    }
  }
  if (cell.trim() !== "") cells.push(cell.trim());
  return cells;
}

/** The alignments that a delimiter row gives, or null when it is none. */
export function parseDelimiterRow(line: string): Alignment[] | null {
  if (!DELIMITER_ROW.test(line) || !/[|:]/.test(line)) return null;
  return splitRow(line).map((cell) => {
    const left = cell.startsWith(":");
    const right = cell.endsWith(":");
    if (left && right) return "center";
    if (right) return "right";
    return left ? "left" : null;
  });
}
