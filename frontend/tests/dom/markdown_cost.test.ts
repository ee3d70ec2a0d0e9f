/** Texts that were made to be slow are not: the cost grows with the length. */

import { expect, test } from "vitest";
import { BlockParser } from "../../src/markdown/blocks";
import { parseInlines } from "../../src/markdown/inlines";

const UNITS: Readonly<Record<string, string>> = {
  "opening brackets": "[",
  "closing brackets": "]",
  "empty brackets": "[]",
  "opening stars": "*a ",
  "closing stars": "a* ",
  "mixed runs": "*a_ ",
  "strong runs": "**a",
  backticks: "`a``b",
  "links without an end": "[a](",
  "titles without an end": '[a](b "',
  "images without an end": "![a](",
  "math without an end": "\\(a",
  dollars: "$a ",
  "escaped brackets": "[a\\",
  autolinks: "<a@a.",
  entities: "&a;",
  addresses: "http://a(",
  "hard breaks": "a  \n",
  "hidden characters": "a\u200b",
};

const LENGTH = 60_000;
/** Linear cost stays far below this on a busy machine, the square far above it. */
const LIMIT_MS = 6_000;

test.each(Object.entries(UNITS))("%s", (_name, unit) => {
  const text = unit.repeat(LENGTH / unit.length);
  const start = performance.now();
  parseInlines(text, new Map(), { growing: true });
  const parser = new BlockParser();
  for (const line of text.split("\n")) parser.addLine(line);
  parser.fork().finish();
  parser.finish();
  expect(performance.now() - start).toBeLessThan(LIMIT_MS);
});
