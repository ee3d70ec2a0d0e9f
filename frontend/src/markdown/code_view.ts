/** A block of code: its language, a copy button, and groups of lines. */

import { copyText } from "../view/clipboard";
import { strings } from "../view/strings";
import { type Block, LINES_PER_CODE_GROUP } from "./block";
import { removeHidden } from "./hidden";
import { appendVisible } from "./inline_view";

/** A stretch of highlighted code; `scope` names its colour, empty for none. */
export interface CodeRun {
  readonly text: string;
  readonly scope: string;
}

/** Colours code, later and if it can; null when it knows no such language. */
export type Highlight = (code: string, language: string) => Promise<CodeRun[] | null>;

/** What code views need from their surroundings. */
export interface CodeSurroundings {
  readonly signal: AbortSignal;
  readonly highlight: Highlight | null;
}

const LONGEST_HIGHLIGHTED = 60_000;
const COPIED_SHOWN_MS = 1_500;

/** Text without its last line end: blocks of lines end by themselves. */
function withoutLastLineEnd(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

export class CodeView {
  readonly #surroundings: CodeSurroundings;
  readonly element = document.createElement("div");
  readonly #language = document.createElement("span");
  readonly #code = document.createElement("code");
  /** What each group of lines shows. */
  readonly #shown: string[] = [];

  constructor(surroundings: CodeSurroundings) {
    this.#surroundings = surroundings;
    this.element.className = "streamchat-code";
    const header = document.createElement("div");
    header.className = "streamchat-code-header";
    this.#language.className = "streamchat-code-language";
    header.append(this.#language, this.#makeCopyButton());
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.append(this.#code);
    this.element.append(header, pre);
  }

  get #text(): string {
    return this.#shown.join("");
  }

  /** Show a block; lines that did not change are left alone. */
  update(block: Block): void {
    const language = removeHidden(block.info.split(/[\s{,]/)[0] ?? "");
    if (this.#language.textContent !== language) this.#language.textContent = language;
    const groups = block.codeGroups;
    // All groups but the last one shown are full and stay as they are.
    for (let at = Math.max(0, this.#shown.length - 1); at < groups.length; at++) {
      this.#showGroup(at, groups[at] as string);
    }
    while (this.#shown.length > groups.length) {
      this.#shown.pop();
      this.#code.lastElementChild?.remove();
    }
  }

  /** Show a block that may differ anywhere. */
  updateAll(block: Block): void {
    block.codeGroups.forEach((group, at) => {
      if (at < this.#shown.length) this.#showGroup(at, group);
    });
    this.update(block);
  }

  /** The block is complete: colour it when the browser has time. */
  settle(): void {
    const { highlight, signal } = this.#surroundings;
    const language = this.#language.textContent ?? "";
    const text = this.#text;
    if (highlight === null || language === "" || text.length > LONGEST_HIGHLIGHTED)
      return;
    highlight(text, language.toLowerCase()).then(
      (runs) => {
        if (runs === null || signal.aborted || this.#text !== text) return;
        this.#whenNotSelected(() => {
          if (this.#text === text) this.#showRuns(runs);
        });
      },
      () => undefined, // Code without colours is still code.
    );
  }

  #showGroup(at: number, text: string): void {
    const old = this.#shown[at];
    if (old === text) return;
    let group = this.#code.children[at];
    if (group === undefined) {
      group = document.createElement("span");
      group.className = "streamchat-code-lines";
      this.#code.append(group);
    }
    const shown = withoutLastLineEnd(old ?? "");
    const next = withoutLastLineEnd(text);
    const node = group.lastChild;
    const grows = next.startsWith(shown) && group.childNodes.length <= 1;
    const added = grows ? next.slice(shown.length) : "";
    if (grows && node instanceof Text && !/[^\n -~]/.test(added)) {
      node.appendData(added);
    } else {
      group.replaceChildren();
      appendVisible(group, next);
    }
    this.#shown[at] = text;
  }

  #showRuns(runs: readonly CodeRun[]): void {
    const lines = splitLines(runs);
    [...this.#code.children].forEach((group, at) => {
      const first = at * LINES_PER_CODE_GROUP;
      group.replaceChildren();
      lines.slice(first, first + LINES_PER_CODE_GROUP).forEach((line, number) => {
        if (number > 0) group.append("\n");
        for (const run of line) appendRun(group, run);
      });
    });
  }

  /** Replacing nodes would drop the reader's selection: wait until it is gone. */
  #whenNotSelected(then: () => void): void {
    const selected = (): boolean => {
      const selection = document.getSelection();
      if (selection === null || selection.isCollapsed) return false;
      return selection.getRangeAt(0).intersectsNode(this.#code);
    };
    if (!selected()) {
      then();
      return;
    }
    const once = new AbortController();
    const signal = AbortSignal.any([once.signal, this.#surroundings.signal]);
    const check = (): void => {
      if (selected()) return;
      once.abort();
      then();
    };
    document.addEventListener("selectionchange", check, { signal });
  }

  #makeCopyButton(): HTMLButtonElement {
    const { signal } = this.#surroundings;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "streamchat-copy";
    button.textContent = strings.copy;
    button.setAttribute("aria-label", strings.copyCode);
    const copy = async (): Promise<void> => {
      const copied = await copyText(withoutLastLineEnd(this.#text));
      button.textContent = copied ? strings.copied : strings.copyFailed;
      setTimeout(() => {
        button.textContent = strings.copy;
      }, COPIED_SHOWN_MS);
    };
    button.addEventListener("click", () => void copy(), { signal });
    return button;
  }
}

/** Runs line by line, without the line ends. */
function splitLines(runs: readonly CodeRun[]): CodeRun[][] {
  let line: CodeRun[] = [];
  const lines = [line];
  for (const { text, scope } of runs) {
    text.split("\n").forEach((part, at) => {
      if (at > 0) {
        line = [];
        lines.push(line);
      }
      if (part !== "") line.push({ text: part, scope });
    });
  }
  // The last line end ends a line, and begins none.
  if (line.length === 0) lines.pop();
  return lines;
}

function appendRun(group: Element, { text, scope }: CodeRun): void {
  if (scope === "") {
    appendVisible(group, text);
    return;
  }
  const span = document.createElement("span");
  span.className = `streamchat-code-${scope}`;
  appendVisible(span, text);
  group.append(span);
}
