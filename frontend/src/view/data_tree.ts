/** JSON as something to read: a table where it is rows, a tree elsewhere. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make } from "./element";
import { makeFold } from "./fold";
import { more } from "./more_strings";
import { strings } from "./strings";

const MOST_ITEMS = 200;
const MOST_COLUMNS = 12;
/** Deeper things are folded. */
const OPEN_DEPTH = 3;
const DEEPEST = 32;

type Fields = Readonly<Record<string, unknown>>;

/** A value that is one JSON text, once that is whole. */
export class DataTreeView {
  readonly element = make("div", "data-tree");
  #shown: string | null = null;

  /** @param value what the JSON text stands for */
  update(text: string, value: unknown): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.element.replaceChildren(makeValue(value, 0));
  }
}

/** A block of a kind that is not known here: folded, as it is. */
export class DetailsView {
  readonly element = make("details", "details");
  #shown = "";

  update(data: Fields): void {
    const next = JSON.stringify(data, null, 2);
    if (next === this.#shown) return;
    this.#shown = next;
    const name = typeof data["type"] === "string" ? data["type"] : "";
    const pre = make("pre", "tool-text");
    pre.tabIndex = 0;
    appendVisible(pre, showControls(next.slice(0, 20_000)));
    const words = make("span", "");
    appendVisible(words, showControls(strings.details(name.replaceAll("_", " "))));
    this.element.replaceChildren(makeFold(words), pre);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The table that rows of plain values are; null for anything else. */
export function makeRowsTable(value: unknown): HTMLElement | null {
  if (!Array.isArray(value)) return null;
  const columns = columnsOf(value);
  return columns === null ? null : makeTable(value, columns);
}

function makeValue(value: unknown, depth: number): HTMLElement {
  if (depth > DEEPEST) return makePlain("…");
  if (Array.isArray(value)) return makeRowsTable(value) ?? makeList(value, depth);
  return isFields(value) ? makeFields(value, depth) : makePlain(value);
}

function makePlain(value: unknown): HTMLElement {
  const kind = value === null ? "null" : typeof value;
  const element = make("span", "data-value");
  element.dataset["kind"] = kind;
  const text = typeof value === "string" ? value : String(value);
  appendVisible(element, showControls(text === "" ? more.emptyText : text));
  return element;
}

function makeFields(fields: Fields, depth: number): HTMLElement {
  const list = make("dl", "data-fields");
  const entries = Object.entries(fields);
  for (const [name, value] of entries.slice(0, MOST_ITEMS)) {
    const term = make("dt", "");
    appendVisible(term, showControls(name));
    list.append(term, make("dd", "", makeFolded(value, depth + 1)));
  }
  if (entries.length === 0) return makePlain("{}");
  return withMore(list, entries.length);
}

function makeList(items: readonly unknown[], depth: number): HTMLElement {
  if (items.length === 0) return makePlain("[]");
  const list = make("ul", "data-list");
  for (const item of items.slice(0, MOST_ITEMS)) {
    list.append(make("li", "", makeFolded(item, depth + 1)));
  }
  return withMore(list, items.length);
}

/** Things in things in things are opened by whoever wants to see them. */
function makeFolded(value: unknown, depth: number): HTMLElement {
  const inside = makeValue(value, depth);
  if (depth < OPEN_DEPTH || inside.tagName === "SPAN") return inside;
  const size = Array.isArray(value)
    ? value.length
    : Object.keys(value as Fields).length;
  return make("details", "", makeFold(more.entries(size)), inside);
}

/** The columns of rows that all have nothing but plain values; null for others. */
function columnsOf(items: readonly unknown[]): readonly string[] | null {
  if (items.length < 2 || !items.every(isFields)) return null;
  const columns = [...new Set(items.flatMap((item) => Object.keys(item)))];
  const isPlain = items.every((item) =>
    Object.values(item).every((one) => typeof one !== "object" || one === null),
  );
  const fits = columns.length > 0 && columns.length <= MOST_COLUMNS;
  return fits && isPlain ? columns : null;
}

function makeTable(items: readonly Fields[], columns: readonly string[]): HTMLElement {
  const head = make("tr", "");
  for (const name of columns) {
    const cell = make("th", "");
    cell.scope = "col";
    appendVisible(cell, showControls(name));
    head.append(cell);
  }
  const rows = items
    .slice(0, MOST_ITEMS)
    .map((item) =>
      make(
        "tr",
        "",
        ...columns.map((name) =>
          make("td", "", ...(name in item ? [makePlain(item[name])] : [])),
        ),
      ),
    );
  const table = make("table", "", make("thead", "", head), make("tbody", "", ...rows));
  const scroller = make("div", "display-scroller", table);
  scroller.tabIndex = 0;
  return withMore(make("figure", "display-table", scroller), items.length);
}

function withMore(element: HTMLElement, count: number): HTMLElement {
  if (count <= MOST_ITEMS) return element;
  const rest = make("p", "data-more", more.tableMore(MOST_ITEMS, count));
  return make("div", "", element, rest);
}
