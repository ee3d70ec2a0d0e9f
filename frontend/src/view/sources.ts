/** What an answer cites: a numbered list under its text, and numbers that lead there. */

import { safeLink } from "../markdown/address";
import { removeHidden } from "../markdown/hidden";
import { makeAnchor } from "../markdown/inline_view";
import { CITED, type Source } from "./citations";
import { make, makeButton } from "./element";
import { makeFold } from "./fold";
import { more } from "./more_strings";
import { strings } from "./strings";

/** The sources of one text. */
export class SourcesView {
  readonly element = make("details", "sources");
  readonly #signal: AbortSignal;
  readonly #count = make("span", "sources-summary");
  readonly #list = make("ol", "sources-list");
  #shown = "";

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.element.append(makeFold(this.#count), this.#list);
  }

  /**
   * Bring it up to date.
   *
   * @param text where the numbers are, once it is whole; they become buttons
   */
  update(sources: readonly Source[], text: HTMLElement | null): void {
    this.element.hidden = sources.length === 0;
    const next = JSON.stringify(sources);
    if (next !== this.#shown) {
      this.#shown = next;
      this.#count.textContent = strings.sources(sources.length);
      this.#list.replaceChildren(...sources.map(makeItem));
    }
    if (text !== null) this.#linkNumbers(text, sources.length);
  }

  #linkNumbers(text: HTMLElement, count: number): void {
    const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    const found: Text[] = [];
    while (walker.nextNode()) {
      const node = walker.currentNode as Text;
      const isCode = node.parentElement?.closest("pre, code, button") != null;
      if (!isCode && node.data.search(CITED) >= 0) found.push(node);
    }
    for (const node of found) this.#linkNumbersIn(node, count);
  }

  #linkNumbersIn(node: Text, count: number): void {
    const pieces: (Node | string)[] = [];
    let from = 0;
    for (const { 0: marker, 1: digits, index } of node.data.matchAll(CITED)) {
      const number = Number(digits);
      if (number < 1 || number > count) continue;
      pieces.push(node.data.slice(from, index), this.#makeNumber(number));
      from = index + marker.length;
    }
    if (pieces.length > 0) node.replaceWith(...pieces, node.data.slice(from));
  }

  #makeNumber(number: number): HTMLElement {
    const show = (): void => {
      this.element.open = true;
      const item = this.#list.children[number - 1] as HTMLElement | undefined;
      item?.focus();
    };
    const button = makeButton("cite", String(number), show, this.#signal);
    button.setAttribute("aria-label", more.source(number));
    return make("sup", "", button);
  }
}

function makeItem({ title, url, quotes, place }: Source): HTMLElement {
  const link = safeLink(url, location.origin);
  const name = removeHidden(title) || link?.destination || more.sourceUnnamed;
  const item = make("li", "source");
  item.tabIndex = -1;
  if (link === null) item.append(make("span", "source-title", name));
  else {
    const anchor = makeAnchor(link.href);
    anchor.title = link.href;
    anchor.append(name);
    item.append(anchor);
    if (name !== link.destination) {
      item.append(make("span", "link-destination", ` (${link.destination})`));
    }
  }
  if (place !== "") item.append(make("span", "source-place", removeHidden(place)));
  for (const quote of quotes) {
    item.append(make("blockquote", "source-quote", removeHidden(quote)));
  }
  return item;
}
