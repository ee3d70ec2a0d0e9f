/** What a tool was given, what it says while it runs, and what it gave. */

import { removeHidden, showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { ActionsView } from "./actions";
import { makeRowsTable } from "./data_tree";
import { make } from "./element";
import { makeJsonTree } from "./json_tree";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ToolCallState } from "./types";

const LONGEST_SHOWN = 20_000;
/** Where the output is what went wrong, as the model read it. */
const TOLD = new Set(["error", "timeout", "denied", "cancelled", "unknown"]);

/** The inside of a tool's card; each part is made anew only when it changes. */
export class ToolDetails {
  readonly element = make("div", "tool-details");
  readonly #signal: AbortSignal;
  readonly #input = make("div", "tool-detail");
  readonly #log = make("div", "tool-detail");
  readonly #found = make("div", "tool-detail");
  readonly #output = make("div", "tool-detail");
  readonly #shown = new Map<Element, string>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.element.append(this.#input, this.#log, this.#found, this.#output);
  }

  /** Before the call is known: its input as far as the model has written it. */
  announce(text: string): void {
    this.#show(this.#input, text, () => [makeText(text)], strings.toolInput);
  }

  update(call: ToolCallState): void {
    const input = JSON.stringify(call.input, null, 2);
    this.#show(this.#input, input, () => [makeInput(call.input)], strings.toolInput);
    const log = call.progress_log.map(removeHidden).join("\n");
    this.#show(this.#log, log, () => [makeText(log)], more.toolLog);
    // Its links are of no action's bar: they are what was found.
    const links = call.where === "provider" ? call.actions : [];
    const found = links.filter(({ kind }) => kind === "link");
    this.#show(this.#found, JSON.stringify(found), () => [this.#makeLinks(found)]);
    this.#found.hidden = found.length === 0;
    const { output, status, truncated } = call;
    const title = TOLD.has(status) ? more.toolTold : strings.toolOutput;
    const make = (): readonly Element[] => makeOutput(output ?? "", truncated);
    this.#show(this.#output, `${title}\n${output}`, make, title);
    this.#output.hidden = output == null;
  }

  #show(
    place: HTMLElement,
    content: string,
    makeContent: () => readonly Element[],
    title = "",
  ): void {
    if (this.#shown.get(place) === content) return;
    this.#shown.set(place, content);
    place.hidden = content === "";
    const head = title === "" ? [] : [make("div", "tool-detail-title", title)];
    place.replaceChildren(...head, ...makeContent());
  }

  #makeLinks(found: ToolCallState["actions"]): Element {
    const links = new ActionsView(() => undefined, this.#signal);
    links.update(found);
    return links.element;
  }
}

/** Code is read as code; anything else as its names and values. */
function makeInput(input: ToolCallState["input"]): Element {
  const { code, ...others } = input;
  const isCode = typeof code === "string" && Object.keys(others).length === 0;
  return isCode ? makeText(code) : makeText(JSON.stringify(input, null, 2));
}

function makeOutput(output: string, truncated: boolean): readonly Element[] {
  const value = structureOf(output);
  const shown = value === undefined ? makeText(output) : makeStructure(value);
  const isCut = truncated || (value === undefined && output.length > LONGEST_SHOWN);
  return isCut ? [shown, make("p", "tool-truncated", strings.toolTruncated)] : [shown];
}

/** Rows are a table; anything else a tree. */
function makeStructure(value: unknown): HTMLElement {
  return makeRowsTable(value) ?? makeJsonTree(value, 1);
}

/** The object or list that a text stands for; undefined for any other text. */
function structureOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function makeText(text: string): HTMLElement {
  const pre = make("pre", "tool-text");
  pre.tabIndex = 0;
  appendVisible(
    pre,
    showControls(text.slice(0, LONGEST_SHOWN) || strings.toolNoOutput),
  );
  return pre;
}
