/** JSON as a tree of folded lines; what is folded is made when somebody opens it. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make } from "./element";
import { makeFold } from "./fold";
import { more } from "./more_strings";

/** Entries shown at first, and added by each wish for more. */
const PAGE = 100;
const SHORT_CHARACTERS = 120;
/** Longer texts are shown to here. */
const LONGEST_CHARACTERS = 100_000;

/** A tree of one value; below its entries `openDepth` levels are unfolded at first. */
export function makeJsonTree(value: unknown, openDepth = 0): HTMLElement {
  const tree = make("div", "json");
  if (typeof value === "object" && value !== null) {
    showMore(tree, Object.entries(value), Array.isArray(value), openDepth);
  } else {
    tree.append(makeEntry("", value, openDepth));
  }
  return tree;
}

function makeEntry(name: string, value: unknown, openDepth: number): Element {
  const label = make("span", "json-name");
  appendVisible(label, showControls(name));
  if (typeof value === "object" && value !== null) {
    return makeFolded(label, value, openDepth);
  }
  if (typeof value === "string" && isLong(value)) return makeText(label, value);
  return make("div", "json-line", label, makePlain(value));
}

function isLong(text: string): boolean {
  return text.length > SHORT_CHARACTERS || text.includes("\n");
}

function makePlain(value: unknown): HTMLElement {
  const element = make("span", "data-value");
  element.dataset["kind"] = value === null ? "null" : typeof value;
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  appendVisible(element, showControls(text));
  return element;
}

function makeText(label: HTMLElement, text: string): HTMLElement {
  const start = make("span", "json-hint");
  appendVisible(start, showControls(text.slice(0, SHORT_CHARACTERS)));
  const fold = make("details", "json-fold", makeFold(label, start));
  onFirstOpen(fold, () => {
    const pre = make("pre", "tool-text");
    pre.tabIndex = 0;
    appendVisible(pre, showControls(text.slice(0, LONGEST_CHARACTERS)));
    fold.append(pre);
  });
  return fold;
}

function makeFolded(
  label: HTMLElement,
  value: object,
  openDepth: number,
): HTMLDetailsElement {
  const entries = Object.entries(value);
  const size = more.entries(entries.length);
  const hint = make("span", "json-hint", hintOf(value, size));
  const fold = make("details", "json-fold", makeFold(label, hint));
  const fill = (): void => {
    const list = make("div", "json-entries");
    fold.append(list);
    showMore(list, entries, Array.isArray(value), openDepth - 1);
  };
  if (openDepth > 0) {
    fold.open = true;
    fill();
  } else {
    onFirstOpen(fold, fill);
  }
  return fold;
}

/** What tells entries of a list apart while they are folded. */
function hintOf(value: object, size: string): string {
  const { role, type, name } = value as Readonly<Record<string, unknown>>;
  const words = [role, type, name].filter((one) => typeof one === "string");
  return words.length > 0 ? words.join(" · ") : size;
}

function showMore(
  list: HTMLElement,
  entries: readonly (readonly [string, unknown])[],
  isList: boolean,
  openDepth: number,
): void {
  for (const [name, value] of entries.slice(0, PAGE)) {
    const shown = isList ? String(Number(name) + 1) : name;
    list.append(makeEntry(shown, value, openDepth));
  }
  const rest = entries.slice(PAGE);
  if (rest.length === 0) return;
  const button = make("button", "quiet-button", more.moreEntries(rest.length));
  button.type = "button";
  button.addEventListener("click", () => {
    button.remove();
    showMore(list, rest, isList, openDepth);
  });
  list.append(button);
}

function onFirstOpen(fold: HTMLDetailsElement, act: () => void): void {
  const opened = (): void => {
    if (!fold.open) return;
    fold.removeEventListener("toggle", opened);
    act();
  };
  fold.addEventListener("toggle", opened);
}
