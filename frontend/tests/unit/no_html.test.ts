/** Nothing in the sources turns a string into HTML. */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const sources = resolve(import.meta.dirname, "../../src");
const MAKES_HTML =
  /\b(?:innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|srcdoc)\b|document\.write|setHTML|\beval\(|new Function/;

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
}

test("no source writes HTML or runs a string", () => {
  const files = filesIn(sources);
  expect(files.length).toBeGreaterThan(30);
  const guilty = files.filter((file) => MAKES_HTML.test(readFileSync(file, "utf-8")));
  expect(guilty).toEqual([]);
});

test("only character references are parsed, and only where they are decoded", () => {
  const parsing = filesIn(sources).filter((file) =>
    readFileSync(file, "utf-8").includes("DOMParser"),
  );
  expect(parsing.map((file) => file.slice(sources.length + 1))).toEqual([
    join("markdown", "escape.ts"),
  ]);
});
