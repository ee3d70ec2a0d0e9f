/** A block of code: its language, a copy button, and groups of lines. */

import { copyText } from "../view/clipboard";
import type { CodeCard, CodeTools } from "../view/code_tools";
import type { Parts } from "../view/part";
import { strings } from "../view/strings";
import type { Block } from "./block";
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
  /** Absent: code is plain, and can be copied only. */
  readonly parts: Pick<Parts, "extras"> | null;
}

const COPIED_SHOWN_MS = 1_500;

/** Text without its last line end: blocks of lines end by themselves. */
function withoutLastLineEnd(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

export class CodeView implements CodeCard {
  readonly #surroundings: CodeSurroundings;
  readonly element = document.createElement("div");
  readonly #language = document.createElement("span");
  readonly buttons = document.createElement("span");
  readonly code = document.createElement("code");
  /** What each group of lines shows. */
  readonly groups: string[] = [];
  isSettled = false;
  #tools: CodeTools | null = null;
  #asked = false;

  constructor(surroundings: CodeSurroundings) {
    this.#surroundings = surroundings;
    this.element.className = "streamchat-code";
    const header = document.createElement("div");
    header.className = "streamchat-code-header";
    this.#language.className = "streamchat-code-language";
    this.buttons.className = "streamchat-code-buttons";
    this.buttons.append(this.#makeCopyButton());
    header.append(this.#language, this.buttons);
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.append(this.code);
    this.element.append(header, pre);
  }

  get language(): string {
    return this.#language.textContent;
  }

  /** Show a block; lines that did not change are left alone. */
  update(block: Block): void {
    const language = removeHidden(block.info.split(/[\s{,]/)[0] ?? "");
    if (this.language !== language) this.#language.textContent = language;
    const groups = block.codeGroups;
    // All groups but the last one shown are full and stay as they are.
    for (let at = Math.max(0, this.groups.length - 1); at < groups.length; at++) {
      this.#showGroup(at, groups[at] as string);
    }
    while (this.groups.length > groups.length) {
      this.groups.pop();
      this.code.lastElementChild?.remove();
    }
    this.#bringTools();
  }

  /** Show a block that may differ anywhere. */
  updateAll(block: Block): void {
    this.isSettled = false;
    block.codeGroups.forEach((group, at) => {
      if (at < this.groups.length) this.#showGroup(at, group);
    });
    this.update(block);
  }

  /** The block is complete. */
  settle(): void {
    this.isSettled = true;
    this.#bringTools();
  }

  /** Colours and more buttons come when their code is there. */
  #bringTools(): void {
    const { parts, signal } = this.#surroundings;
    this.#tools?.update();
    if (this.#asked || parts === null) return;
    this.#asked = true;
    parts.extras.load().then(
      ({ CodeTools }) => {
        if (signal.aborted) return;
        this.#tools = new CodeTools(this, this.#surroundings);
        this.#tools.update();
      },
      () => undefined, // Plain code is still code.
    );
  }

  #showGroup(at: number, text: string): void {
    const old = this.groups[at];
    if (old === text) return;
    let group = this.code.children[at];
    if (group === undefined) {
      group = document.createElement("span");
      group.className = "streamchat-code-lines";
      this.code.append(group);
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
    this.groups[at] = text;
  }

  #makeCopyButton(): HTMLButtonElement {
    const { signal } = this.#surroundings;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "streamchat-copy";
    button.textContent = strings.copy;
    button.setAttribute("aria-label", strings.copyCode);
    const copy = async (): Promise<void> => {
      const copied = await copyText(withoutLastLineEnd(this.groups.join("")));
      button.textContent = copied ? strings.copied : strings.copyFailed;
      setTimeout(() => {
        button.textContent = strings.copy;
      }, COPIED_SHOWN_MS);
    };
    button.addEventListener("click", () => void copy(), { signal });
    return button;
  }
}
