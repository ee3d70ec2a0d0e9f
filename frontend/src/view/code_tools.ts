/**
 * What a block of code gets once the page has time: colours, group by group while the
 * code still comes, and buttons that wrap it or put it into the notebook around.
 */

import type { CodeRun, Highlight } from "../markdown/code_view";
import { appendVisible } from "../markdown/inline_view";
import { notebookHost } from "../notebook_host";
import { makeButton } from "./element";
import { more } from "./more_strings";
import { ReplaceView } from "./replace_view";

/** A block of code, as far as it has come. */
export interface CodeCard {
  readonly element: HTMLElement;
  /** Where buttons are. */
  readonly buttons: HTMLElement;
  /** Holds one element for each group of lines. */
  readonly code: HTMLElement;
  readonly language: string;
  /** The text of each group; only the last one grows. */
  readonly groups: readonly string[];
  /** No line will come any more. */
  readonly isSettled: boolean;
}

export interface CodeToolsSurroundings {
  readonly signal: AbortSignal;
  readonly highlight: Highlight | null;
}

/** Longer ones, lines of many thousand characters, stay plain: no task gets long. */
const LONGEST_COLOURED = 20_000;
/** Text before a group that is read again for it: what began there goes on in it. */
const LONGEST_CONTEXT = 10_000;
/** Languages whose code a notebook's cell may hold. */
const CELL_LANGUAGES = /^(?:i?python3?|py|r|julia|jl)$/;

export class CodeTools {
  readonly #card: CodeCard;
  readonly #surroundings: CodeToolsSurroundings;
  /** What each group shows in colours. */
  readonly #coloured: string[] = [];
  /** The end of the text so far in which a string or comment is still open. */
  #context = "";
  #isColouring = false;
  readonly #wrap: HTMLButtonElement;
  readonly #cellButtons: readonly HTMLButtonElement[];
  readonly #replace: ReplaceView;

  constructor(card: CodeCard, surroundings: CodeToolsSurroundings) {
    this.#card = card;
    this.#surroundings = surroundings;
    const { signal } = surroundings;
    this.#replace = new ReplaceView({
      ...{ signal, from: card.element, code: () => this.#text },
    });
    const make = (label: string, act: () => void): HTMLButtonElement =>
      makeButton("copy", label, act, signal);
    this.#wrap = make(more.wrapCode, () => this.#toggleWrap());
    this.#wrap.setAttribute("aria-pressed", "false");
    this.#cellButtons = [
      make(more.insertCell, () => void this.#insert(false)),
      make(more.insertAndRun, () => void this.#insert(true)),
      make(more.replaceCell, () => void this.#replace.begin()),
    ];
    card.buttons.prepend(...this.#cellButtons, this.#wrap);
    card.element.append(this.#replace.element);
    // A notebook may come and go: it is looked for when the reader comes near.
    for (const name of ["pointerenter", "focusin"]) {
      card.element.addEventListener(name, () => this.#showButtons(), { signal });
    }
    this.#showButtons();
  }

  get #text(): string {
    return this.#card.groups.join("").replace(/\n$/, "");
  }

  /** The code has grown, has changed, or is complete. */
  update(): void {
    const { groups } = this.#card;
    const changed = this.#coloured.findIndex((text, at) => text !== groups[at]);
    if (changed >= 0) {
      this.#coloured.length = changed;
      this.#context = "";
    }
    this.#showButtons();
    if (!this.#isColouring) void this.#colourAll();
  }

  /** Groups that no line is added to. */
  get #fullCount(): number {
    const { groups, isSettled } = this.#card;
    return isSettled ? groups.length : groups.length - 1;
  }

  async #colourAll(): Promise<void> {
    const { highlight, signal } = this.#surroundings;
    const { language } = this.#card;
    if (highlight === null || language === "") return;
    this.#isColouring = true;
    try {
      while (this.#coloured.length < this.#fullCount && !signal.aborted) {
        if (!(await this.#colourNext(highlight, language.toLowerCase()))) break;
        // One group at a time: other things go first.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    } catch {
      // Code without colours is still code.
    } finally {
      this.#isColouring = false;
    }
  }

  /** Colour one more group; false for a language that is not known. */
  async #colourNext(highlight: Highlight, language: string): Promise<boolean> {
    const at = this.#coloured.length;
    const text = this.#card.groups[at] as string;
    const context = this.#context;
    this.#coloured.push(text);
    this.#context = "";
    if (context.length + text.length > LONGEST_COLOURED) return true;
    const runs = await highlight(context + text, language);
    if (runs === null) return false;
    if (this.#coloured[at] !== text) return true;
    const last = runs.at(-1);
    const isOpen = last !== undefined && last.scope !== "" && last.text.endsWith("\n");
    if (isOpen && context.length + text.length <= LONGEST_CONTEXT) {
      this.#context = context + text;
    }
    const group = this.#card.code.children[at];
    if (group !== undefined && this.#card.groups[at] === text) {
      const lines = splitLines(runs).slice(context.split("\n").length - 1);
      this.#whenNotSelected(group, () => {
        if (this.#coloured[at] === text) showLines(group, lines);
      });
    }
    return true;
  }

  /** Replacing nodes would drop the reader's selection: wait until it is gone. */
  #whenNotSelected(group: Element, then: () => void): void {
    const selected = (): boolean => {
      const selection = document.getSelection();
      if (selection === null || selection.isCollapsed) return false;
      return selection.getRangeAt(0).intersectsNode(group);
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

  #showButtons(): void {
    const { element, language, isSettled } = this.#card;
    const fits = isSettled && CELL_LANGUAGES.test(language.toLowerCase());
    const isOffered = fits && notebookHost()?.hasNotebook(element) === true;
    for (const button of this.#cellButtons) button.hidden = !isOffered;
  }

  #toggleWrap(): void {
    const isWrapped = this.#card.element.classList.toggle("streamchat-wrapped");
    this.#wrap.setAttribute("aria-pressed", String(isWrapped));
  }

  async #insert(run: boolean): Promise<void> {
    const from = this.#card.element;
    try {
      await notebookHost()?.insertCell(this.#text, { run, from });
    } catch {
      this.#showButtons(); // The notebook says so itself.
    }
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

function showLines(group: Element, lines: readonly CodeRun[][]): void {
  group.replaceChildren();
  lines.forEach((line, at) => {
    if (at > 0) group.append("\n");
    for (const run of line) appendRun(group, run);
  });
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
