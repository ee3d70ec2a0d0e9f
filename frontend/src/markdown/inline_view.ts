/**
 * Inlines to nodes: one node for one inline, and nodes that did not change are kept,
 * so that a selection survives while text is added.
 *
 * Elements come from a closed set and text only ever becomes text nodes: there is no
 * HTML string that could be read as something else.
 */

import { strings } from "../view/strings";
import { isLocalImage, namesDestination, safeLink } from "./address";
import { nameCharacters, removeHidden, splitHidden } from "./hidden";
import { type Inline, plainText } from "./inline";

type Link = Extract<Inline, { kind: "link" }>;
type Image = Extract<Inline, { kind: "image" }>;

const ELEMENTS = { emphasis: "em", strong: "strong", strike: "del" } as const;

/** A mark that says which characters stand here unseen. */
function makeHiddenMark(run: string): HTMLElement {
  const mark = document.createElement("span");
  mark.className = "streamchat-hidden-characters";
  mark.textContent = strings.hiddenCharacters(Array.from(run).length);
  mark.title = nameCharacters(run);
  return mark;
}

/** Append text, its hidden characters as marks. */
export function appendVisible(parent: Element, text: string): void {
  for (const stretch of splitHidden(text)) {
    parent.append(
      stretch.hidden
        ? makeHiddenMark(stretch.text)
        : document.createTextNode(stretch.text),
    );
  }
}

function makeTextElement(name: "code" | "span", text: string): HTMLElement {
  const element = document.createElement(name);
  appendVisible(element, text);
  return element;
}

function makeDestination(text: string): HTMLElement {
  const element = document.createElement("span");
  element.className = "streamchat-link-destination";
  element.textContent = ` (${text})`;
  return element;
}

/** An anchor that opens elsewhere, without a way back to this page. */
export function makeAnchor(href: string): HTMLAnchorElement {
  const anchor = document.createElement("a");
  anchor.href = href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  return anchor;
}

function makeLink(inline: Link): HTMLElement {
  const link = safeLink(inline.href, location.origin);
  if (link === null) {
    const plain = document.createElement("span");
    updateInlines(plain, [], inline.children);
    return plain;
  }
  const anchor = makeAnchor(link.href);
  if (inline.title !== "") anchor.title = removeHidden(inline.title);
  updateInlines(anchor, [], inline.children);
  if (!namesDestination(plainText(inline.children), link)) {
    anchor.append(makeDestination(link.destination));
  }
  return anchor;
}

/** An image whose bytes are here, or a link to one that would have to be fetched. */
function makeImage(inline: Image): HTMLElement {
  const alternative = removeHidden(inline.alternative);
  if (isLocalImage(inline.source, location.origin)) {
    const image = document.createElement("img");
    image.src = inline.source;
    image.alt = alternative;
    image.decoding = "async";
    return image;
  }
  const text = alternative || strings.image;
  const children: Inline[] = [{ kind: "text", text }];
  return makeLink({
    kind: "link",
    href: inline.source,
    title: "",
    bare: false,
    children,
  });
}

/** A formula, shown as it was written until it is typeset. */
export function makeMath(source: string): HTMLElement {
  const math = document.createElement("span");
  math.className = "streamchat-math";
  math.append(makeTextElement("span", source));
  return math;
}

/** The number of a footnote; the one that shows the text listens for clicks. */
function makeNoteMark(label: string): HTMLElement {
  const mark = document.createElement("button");
  mark.type = "button";
  mark.className = "streamchat-note-mark";
  mark.textContent = removeHidden(label);
  mark.setAttribute("aria-label", strings.footnote(removeHidden(label)));
  return mark;
}

function makeNode(inline: Inline): Node {
  switch (inline.kind) {
    case "text":
      return document.createTextNode(inline.text);
    case "hidden":
      return makeHiddenMark(inline.text);
    case "code":
      return makeTextElement("code", inline.text);
    case "math":
      return makeMath(inline.text);
    case "note":
      return makeNoteMark(inline.text);
    case "break":
      return document.createElement("br");
    case "link":
      return makeLink(inline);
    case "image":
      return makeImage(inline);
    default: {
      const element = document.createElement(ELEMENTS[inline.kind]);
      updateInlines(element, [], inline.children);
      return element;
    }
  }
}

function sameInlines(one: readonly Inline[], other: readonly Inline[]): boolean {
  return (
    one.length === other.length &&
    one.every((inline, at) => sameInline(inline, other[at] as Inline))
  );
}

function sameInline(one: Inline, other: Inline): boolean {
  if (one.kind === "link") {
    return (
      other.kind === "link" &&
      one.href === other.href &&
      one.title === other.title &&
      sameInlines(one.children, other.children)
    );
  }
  if (one.kind === "image") {
    return (
      other.kind === "image" &&
      one.source === other.source &&
      one.title === other.title &&
      one.alternative === other.alternative
    );
  }
  if (one.kind !== other.kind) return false;
  if (one.kind === "break") return true;
  if ("text" in one) return one.text === (other as typeof one).text;
  return sameInlines(one.children, (other as typeof one).children);
}

/** Change a node into what it has to be; false when another node is needed. */
function updateNode(node: Node, old: Inline, next: Inline): boolean {
  if (sameInline(old, next)) return true;
  if (old.kind === "text" && next.kind === "text") {
    const text = node as Text;
    if (next.text.startsWith(old.text))
      text.appendData(next.text.slice(old.text.length));
    else text.data = next.text;
    return true;
  }
  if (old.kind !== next.kind) return false;
  switch (next.kind) {
    case "emphasis":
    case "strong":
    case "strike":
      updateInlines(node as Element, (old as typeof next).children, next.children);
      return true;
    default:
      return false;
  }
}

/** Make the nodes of `parent`, which show `old`, show `next`. */
export function updateInlines(
  parent: Element,
  old: readonly Inline[],
  next: readonly Inline[],
): void {
  next.forEach((inline, at) => {
    const node = parent.childNodes[at];
    const shown = old[at];
    if (node === undefined || shown === undefined) parent.append(makeNode(inline));
    else if (!updateNode(node, shown, inline)) node.replaceWith(makeNode(inline));
  });
  while (parent.childNodes.length > next.length) parent.lastChild?.remove();
}
