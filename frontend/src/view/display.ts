/** What a tool's result looks like to people: tables, pictures, and text. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { make } from "./element";
import { more } from "./more_strings";
import type { Display } from "./types";

const PICTURE_DATA = /^[A-Za-z0-9+/]+={0,2}$/;
const LONGEST_SHOWN = 20_000;

/** The elements that show a result, made anew only when the result changes. */
export class DisplayView {
  readonly element = make("div", "displays");
  #shown: readonly Display[] = [];

  update(display: readonly Display[]): void {
    this.element.hidden = display.length === 0;
    if (display === this.#shown) return;
    this.#shown = display;
    this.element.replaceChildren(...display.map(elementOf));
  }
}

function elementOf(display: Display): HTMLElement {
  switch (display.type) {
    case "table":
      return tableOf(display);
    case "image":
      return pictureOf(display);
    case "text":
      return textOf(display.text);
  }
}

function textOf(text: string): HTMLElement {
  const pre = make("pre", "display-text");
  pre.tabIndex = 0;
  appendVisible(pre, showControls(text.slice(0, LONGEST_SHOWN)));
  return pre;
}

function cellOf(tag: "th" | "td", text: string): HTMLElement {
  const cell = make(tag, "");
  appendVisible(cell, showControls(text));
  return cell;
}

function tableOf(display: Extract<Display, { type: "table" }>): HTMLElement {
  const head = make("tr", "", ...display.columns.map((name) => cellOf("th", name)));
  const rows = display.rows.map((row) =>
    make("tr", "", ...row.map((text) => cellOf("td", text))),
  );
  const table = make("table", "", make("thead", "", head), make("tbody", "", ...rows));
  const scroller = make("div", "display-scroller", table);
  scroller.tabIndex = 0;
  const holder = make("figure", "display-table", scroller);
  const rest = display.total_rows - display.rows.length;
  if (rest > 0) {
    const words = more.tableMore(display.rows.length, display.total_rows);
    holder.append(make("figcaption", "", words));
  }
  return holder;
}

function pictureOf(display: Extract<Display, { type: "image" }>): HTMLElement {
  if (!PICTURE_DATA.test(display.data)) return textOf(more.pictureBroken);
  const picture = make("img", "display-picture");
  picture.src = `data:${display.media_type};base64,${display.data}`;
  picture.alt = display.alt ?? "";
  return picture;
}
