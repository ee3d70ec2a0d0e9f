/**
 * Colours for code: a file of its own, fetched when a page first shows code.
 *
 * The highlighter's tree becomes runs of text with a scope; no HTML leaves this file.
 */

import highlighter from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import type { CodeRun } from "./markdown";

export { build } from "./build";

const languages = {
  bash,
  css,
  javascript,
  json,
  markdown,
  python,
  r,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, definition] of Object.entries(languages)) {
  highlighter.registerLanguage(name, definition);
}

/** Scopes of the highlighter by the few colours that the chat has. */
const COLOURS: Readonly<Record<string, string>> = {
  keyword: "keyword",
  built_in: "name",
  type: "name",
  literal: "number",
  number: "number",
  operator: "",
  string: "string",
  regexp: "string",
  symbol: "string",
  addition: "string",
  comment: "comment",
  quote: "comment",
  doctag: "comment",
  meta: "comment",
  title: "title",
  section: "title",
  selector: "keyword",
  name: "keyword",
  tag: "",
  attr: "name",
  attribute: "name",
  variable: "name",
  "selector-tag": "keyword",
  "selector-class": "title",
  "selector-id": "title",
  deletion: "keyword",
};

interface TreeNode {
  readonly scope?: string;
  readonly children: readonly (TreeNode | string)[];
}

function colourOf(scope: string | undefined, outer: string): string {
  if (scope === undefined) return outer;
  return COLOURS[scope] ?? COLOURS[scope.split(".")[0] ?? ""] ?? outer;
}

function collectRuns(node: TreeNode, outer: string, runs: CodeRun[]): void {
  const scope = colourOf(node.scope, outer);
  for (const child of node.children) {
    if (typeof child === "string") runs.push({ text: child, scope });
    else collectRuns(child, scope, runs);
  }
}

/** Lines of a patch by how they begin. */
function patchRuns(code: string): CodeRun[] {
  return code.split(/(?<=\n)/).flatMap((line) => {
    const text = line.replace(/\n$/, "");
    const scope = /^\+(?!\+\+ )/.test(text)
      ? "added"
      : /^-(?!-- )/.test(text)
        ? "removed"
        : /^(?:@@|diff |index |--- |\+\+\+ )/.test(text)
          ? "comment"
          : "";
    const end: CodeRun[] = text === line ? [] : [{ text: "\n", scope: "" }];
    return [{ text, scope }, ...end];
  });
}

/** Runs of code with their colours; null for a language that is not known. */
export function highlight(code: string, language: string): CodeRun[] | null {
  if (language === "diff" || language === "patch") return patchRuns(code);
  if (highlighter.getLanguage(language) === undefined) return null;
  const result = highlighter.highlight(code, { language, ignoreIllegals: true });
  const root = (result._emitter as unknown as { rootNode?: TreeNode }).rootNode;
  if (root === undefined) return null;
  const runs: CodeRun[] = [];
  collectRuns(root, "", runs);
  return runs;
}
