/** Every word of the chat is in the catalogs, is used, and is in every language. */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { words as connection } from "../../src/connection_words";
import { catalogs as german } from "../../src/language_de";
import { more } from "../../src/view/more_strings";
import { strings } from "../../src/view/strings";

const sources = resolve(import.meta.dirname, "../../src");
const files = readdirSync(sources, { recursive: true, encoding: "utf-8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(sources, name), "utf-8") }));

/** Where there are words for readers, or none of ours. */
const CATALOGS =
  /^(?:connection_words|widget_words|view\/(?:(?:more_)?strings|labels)|language_\w+|protocol)\.ts$|^client\//;

/** What a reader would see: words in a row, or one with a capital letter. */
const WORDS = /\p{L}{2,} \p{L}|^\p{Lu}\p{Ll}+[.…!?]?$/u;

/** Names of keys, headers and types, and what is written for programs. */
const NO_WORDS = new Set(
  (
    "Alt|ArrowDown|ArrowUp|Authorization|Backspace|Bearer |Delete|End|Enter|Escape|" +
    "Files|Home|Mod|Shift|Tab|noopener noreferrer|The conversation is not there.|" +
    "It was deleted."
  ).split("|"),
);

/** Whether only programs read what is within a node. */
function isForPrograms(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return true;
  if (ts.isTypeNode(node)) return true;
  // What is thrown is for those who read logs.
  if (ts.isNewExpression(node)) return /Error|TooLong/.test(node.expression.getText());
  // A list of names, written as one text.
  if (ts.isPropertyAccessExpression(node)) return node.name.text === "split";
  return isClassName(node);
}

function isClassName(node: ts.Node): boolean {
  const { parent } = node;
  if (parent === undefined) return false;
  if (ts.isCallExpression(parent)) {
    const at = parent.arguments.indexOf(node as ts.Expression);
    const called = parent.expression.getText();
    if (called === "make" && at === 1) return true;
    if (called === "makeButton" && at === 0) return true;
    if (called.endsWith("setAttribute"))
      return at === 0 || /class/.test(parent.arguments[0]?.getText() ?? "");
  }
  return ts.isBinaryExpression(parent) && parent.left.getText().endsWith(".className");
}

/** The texts of a source that a reader may see. */
function textsOf(name: string, text: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
  const visit = (node: ts.Node): void => {
    if (isForPrograms(node)) return;
    if (
      ts.isStringLiteralLike(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddleOrTemplateTail(node)
    )
      found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function wordsElsewhere(name: string, text: string): string[] {
  return textsOf(name, text)
    .filter((one) => WORDS.test(one) && !NO_WORDS.has(one))
    .map((one) => `${name}: ${one}`);
}

/** Every text of a catalog by its path; functions are called with plain values. */
function flat(words: object, path = ""): [string, string][] {
  return Object.entries(words).flatMap(([key, value]): [string, string][] => {
    const here = `${path}${key}`;
    if (typeof value === "object") return flat(value, `${here}.`);
    if (typeof value !== "function") return [[here, String(value)]];
    return ["", "x", 1, 2].map((one) => [
      `${here}(${one})`,
      String(value(...Array(value.length).fill(one))),
    ]);
  });
}

const english = { strings, more, connection };

/** Texts that are the same in German. */
const SAME = new Set(
  (
    "strings.chat|strings.textFile|more.textFile|more.keyNames|more.agent|" +
    "more.checkNames.websocket|more.exportFormats"
  ).split("|"),
);

describe("the words of the chat", () => {
  test("are all in the catalogs", () => {
    const elsewhere = files
      .filter(({ name }) => !CATALOGS.test(name))
      .flatMap(({ name, text }) => wordsElsewhere(name, text));
    expect(elsewhere).toEqual([]);
  });

  test("would be found elsewhere", () => {
    const text = `setText(title, "Not here"); field.title = isOn ? "On" : \`\${name} ran out\`;
      const view = make("div", "quiet-button wide", "Send"); throw new Error("No way.");`;
    expect(wordsElsewhere("view.ts", text)).toEqual([
      ...["view.ts: Not here", "view.ts: On", "view.ts:  ran out", "view.ts: Send"],
    ]);
  });

  test.each(["strings", "more"] as const)("are all used: %s", (name) => {
    const used = new Set(
      files.flatMap(({ text }) =>
        [...text.matchAll(new RegExp(`\\b${name}\\s*\\.(\\w+)|"(\\w+)"`, "g"))].map(
          ([, key, quoted]) => key ?? quoted,
        ),
      ),
    );
    const unused = Object.keys(english[name]).filter((key) => !used.has(key));
    expect(unused).toEqual([]);
  });

  test("have each a German word of its own", () => {
    const translated = new Map(flat(german));
    const left = flat(english).filter(
      ([path, text]) =>
        /\p{L}{3}/u.test(text) &&
        translated.get(path) === text &&
        ![...SAME].some((same) => path.startsWith(same)),
    );
    expect(left).toEqual([]);
    expect(flat(german).map(([path]) => path)).toEqual(
      expect.arrayContaining(flat(english).map(([path]) => path)),
    );
  });
});
