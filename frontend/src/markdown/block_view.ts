/** Blocks to elements, each kept for as long as its block stays of the same kind. */

import type { Parts } from "../view/part";
import { strings } from "../view/strings";
import type { Alignment, Block } from "./block";
import { type CodeSurroundings, CodeView } from "./code_view";
import { removeHidden } from "./hidden";
import type { Inline } from "./inline";
import { makeMath, updateInlines } from "./inline_view";
import { parseInlines } from "./inlines";
import { type MathSurroundings, typesetIn } from "./math_view";
import type { References } from "./reference";

/** Children of the document that one element holds: keeps layout local. */
const BLOCKS_PER_SECTION = 8;
/** A growing text longer than this is parsed anew only when it grew by a share. */
const PARSED_AT_ONCE = 2_000;
const REPARSED_SHARE = 1 / 24;

/** What views share while they paint. */
export interface Painting extends CodeSurroundings, MathSurroundings {
  readonly parts: Pick<Parts, "math" | "extras"> | null;
  readonly references: References;
  /** Leaves that named a reference nobody had defined yet. */
  readonly waiting: Set<InlineView>;
  /** The text is over: nothing will be defined any more. */
  isFinished: boolean;
}

/** One block's element. */
interface BlockView {
  readonly element: HTMLElement;
  /** Whether this element can show the block. */
  fits(block: Block): boolean;
  update(block: Block): void;
  /** The block will not change any more. */
  settle(block: Block): void;
  /** The text was replaced: whatever was settled may change once more. */
  unsettle(): void;
}

/** Text with inline markup in one element. */
export class InlineView {
  readonly #painting: Painting;
  #source: string | null = null;
  #inlines: readonly Inline[] = [];
  /** Text at the end that is shown as it came, until it is parsed. */
  #tail: Text | null = null;
  #growing = false;

  constructor(
    readonly element: HTMLElement,
    painting: Painting,
  ) {
    this.#painting = painting;
  }

  update(source: string, growing: boolean): void {
    const old = this.#source;
    if (source === old && growing === this.#growing && this.#tail === null) return;
    if (growing && old !== null && this.#appendTail(old, source)) return;
    this.#tail?.remove();
    this.#tail = null;
    this.#source = source;
    this.#growing = growing;
    this.parse();
  }

  /** Parse again: a reference may be defined now. */
  parse(): void {
    const { references, waiting, isFinished } = this.#painting;
    const source = this.#source ?? "";
    const parsed = parseInlines(source, references, {
      growing: this.#growing,
      mayBeDefined: !isFinished,
    });
    updateInlines(this.element, this.#inlines, parsed.inlines);
    this.#inlines = parsed.inlines;
    if (/\$|\\[([]/.test(source)) typesetIn(this.element, this.#painting);
    if (parsed.missing.length > 0) waiting.add(this);
    else waiting.delete(this);
  }

  #appendTail(old: string, source: string): boolean {
    const grown = source.length - old.length;
    if (old.length < PARSED_AT_ONCE || grown < 0) return false;
    if (grown > old.length * REPARSED_SHARE || !source.startsWith(old)) return false;
    const rest = source.slice(old.length);
    if (this.#tail === null) {
      this.#tail = document.createTextNode(rest);
      this.element.append(this.#tail);
    } else if (rest.startsWith(this.#tail.data)) {
      this.#tail.appendData(rest.slice(this.#tail.data.length));
    } else {
      this.#tail.data = rest;
    }
    return true;
  }
}

class LeafView implements BlockView {
  readonly #block: Block;
  readonly element: HTMLElement;
  readonly #text: InlineView;

  constructor(block: Block, painting: Painting) {
    this.#block = block;
    const heading = block.kind === "heading";
    this.element = document.createElement(heading ? `h${block.level}` : "p");
    this.#text = new InlineView(this.element, painting);
  }

  fits(block: Block): boolean {
    return block.kind === this.#block.kind && block.level === this.#block.level;
  }

  update(block: Block): void {
    this.#text.update(block.text, !block.settled);
  }

  settle(): void {}

  unsettle(): void {}
}

/** A formula of several lines; typeset once it is complete. */
class MathView implements BlockView {
  readonly #painting: Painting;
  readonly element = document.createElement("div");
  #source = "";

  constructor(painting: Painting) {
    this.#painting = painting;
    this.element.className = "streamchat-math-block";
    this.element.tabIndex = 0;
  }

  fits(block: Block): boolean {
    return block.kind === "math";
  }

  update(block: Block): void {
    if (block.text !== this.#source) {
      this.#source = block.text;
      this.element.replaceChildren(makeMath(block.text));
    }
    if (!block.open) typesetIn(this.element, this.#painting);
  }

  settle(): void {}

  unsettle(): void {}
}

class RuleView implements BlockView {
  readonly element = document.createElement("hr");

  fits(block: Block): boolean {
    return block.kind === "rule";
  }

  update(): void {}

  settle(): void {}

  unsettle(): void {}
}

class CodeBlockView implements BlockView {
  readonly #view: CodeView;
  #whole = false;

  constructor(painting: Painting) {
    this.#view = new CodeView(painting);
  }

  get element(): HTMLElement {
    return this.#view.element;
  }

  fits(block: Block): boolean {
    return block.kind === "code";
  }

  update(block: Block): void {
    if (this.#whole) this.#view.updateAll(block);
    else this.#view.update(block);
    this.#whole = false;
  }

  settle(): void {
    this.#view.settle();
  }

  unsettle(): void {
    this.#whole = true;
  }
}

class RowView implements BlockView {
  readonly element = document.createElement("tr");
  readonly #cells: InlineView[];

  constructor(
    block: Block,
    head: boolean,
    alignments: readonly Alignment[],
    painting: Painting,
  ) {
    this.#cells = block.cells.map((_cell, at) => {
      const cell = document.createElement(head ? "th" : "td");
      if (head) cell.scope = "col";
      const alignment = alignments[at];
      if (alignment) cell.className = `streamchat-align-${alignment}`;
      this.element.append(cell);
      return new InlineView(cell, painting);
    });
  }

  fits(block: Block): boolean {
    return block.kind === "row" && block.cells.length === this.#cells.length;
  }

  update(block: Block): void {
    this.#cells.forEach((cell, at) => {
      cell.update(block.cells[at] ?? "", !block.settled);
    });
  }

  settle(): void {}

  unsettle(): void {}
}

/** A block of blocks; only children that are not settled are ever looked at. */
abstract class ContainerView implements BlockView {
  abstract readonly element: HTMLElement;
  readonly #views: BlockView[] = [];
  #settledCount = 0;

  constructor(protected readonly painting: Painting) {}

  abstract fits(block: Block): boolean;

  update(block: Block): void {
    const { children } = block;
    for (let at = this.#settledCount; at < children.length; at++) {
      const child = children[at] as Block;
      const view = this.#viewFor(at, child, block);
      view.update(child);
      if (child.settled && at === this.#settledCount) {
        view.settle(child);
        this.#settledCount += 1;
      }
    }
    while (this.#views.length > children.length) this.#remove(this.#views.length - 1);
  }

  settle(_block: Block): void {}

  unsettle(): void {
    this.#settledCount = 0;
    for (const view of this.#views) view.unsettle();
  }

  /** The element that holds child number `at`. */
  protected hostOf(_at: number): Element {
    return this.element;
  }

  protected makeView(child: Block, _at: number, _parent: Block): BlockView {
    return makeBlockView(child, this.painting);
  }

  #viewFor(at: number, child: Block, parent: Block): BlockView {
    const old = this.#views[at];
    if (old?.fits(child)) return old;
    const view = this.makeView(child, at, parent);
    this.#views[at] = view;
    if (old === undefined) this.hostOf(at).append(view.element);
    else old.element.replaceWith(view.element);
    return view;
  }

  #remove(at: number): void {
    const host = this.#views[at]?.element.parentElement;
    this.#views[at]?.element.remove();
    this.#views.length = at;
    const made = host?.matches(".streamchat-section, tbody");
    if (made && host?.childElementCount === 0) host.remove();
  }
}

/** The whole text, in sections. */
export class DocumentView extends ContainerView {
  constructor(
    readonly element: HTMLElement,
    painting: Painting,
  ) {
    super(painting);
  }

  fits(block: Block): boolean {
    return block.kind === "document";
  }

  protected override hostOf(at: number): Element {
    const number = Math.floor(at / BLOCKS_PER_SECTION);
    const section = this.element.children[number];
    if (section !== undefined) return section;
    const made = document.createElement("div");
    made.className = "streamchat-section";
    this.element.append(made);
    return made;
  }
}

/** A footnote, in its place: a way back to the text, and what it says. */
class NoteView extends ContainerView {
  readonly element = document.createElement("div");
  readonly #label: string;
  readonly #body = document.createElement("div");

  constructor(block: Block, painting: Painting) {
    super(painting);
    this.#label = block.label;
    const label = removeHidden(block.label);
    const back = document.createElement("button");
    back.type = "button";
    back.className = "streamchat-note-back";
    back.textContent = label;
    back.setAttribute("aria-label", strings.footnoteBack(label));
    this.element.className = "streamchat-note";
    this.element.append(back, this.#body);
  }

  fits(block: Block): boolean {
    return block.kind === "note" && block.label === this.#label;
  }

  protected override hostOf(): Element {
    return this.#body;
  }
}

class QuoteView extends ContainerView {
  readonly element = document.createElement("blockquote");

  fits(block: Block): boolean {
    return block.kind === "quote";
  }
}

class ListView extends ContainerView {
  readonly element: HTMLElement;
  readonly #ordered: boolean;
  readonly #start: number;

  constructor(block: Block, painting: Painting) {
    super(painting);
    this.#ordered = block.marker?.ordered ?? false;
    this.#start = block.marker?.start ?? 1;
    this.element = document.createElement(this.#ordered ? "ol" : "ul");
    if (this.#ordered && this.#start !== 1) {
      (this.element as HTMLOListElement).start = this.#start;
    }
    if (block.continues) this.element.className = "streamchat-continues";
  }

  fits(block: Block): boolean {
    if (block.kind !== "list" || block.marker?.ordered !== this.#ordered) return false;
    return !this.#ordered || block.marker.start === this.#start;
  }

  override update(block: Block): void {
    this.element.classList.toggle("streamchat-loose", block.loose);
    super.update(block);
  }
}

class ItemView extends ContainerView {
  readonly element = document.createElement("li");
  readonly #task: boolean | null;

  constructor(block: Block, painting: Painting) {
    super(painting);
    this.#task = block.task;
    if (this.#task === null) return;
    this.element.className = "streamchat-task";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.disabled = true;
    box.checked = this.#task;
    box.setAttribute("aria-label", this.#task ? strings.taskDone : strings.taskOpen);
    this.element.append(box);
  }

  fits(block: Block): boolean {
    return block.kind === "item" && block.task === this.#task;
  }
}

class TableView extends ContainerView {
  readonly element = document.createElement("div");
  readonly #head = document.createElement("thead");
  readonly #body = document.createElement("tbody");
  readonly #alignments: string;

  constructor(block: Block, painting: Painting) {
    super(painting);
    this.#alignments = block.alignments.join();
    this.element.className = "streamchat-table";
    this.element.tabIndex = 0;
    const table = document.createElement("table");
    table.append(this.#head);
    this.element.append(table);
  }

  fits(block: Block): boolean {
    return block.kind === "table" && block.alignments.join() === this.#alignments;
  }

  override update(block: Block): void {
    super.update(block);
    // A table with a head alone has no body.
    if (block.children.length > 1) this.#head.after(this.#body);
    else this.#body.remove();
  }

  protected override hostOf(at: number): Element {
    return at === 0 ? this.#head : this.#body;
  }

  protected override makeView(child: Block, at: number, table: Block): BlockView {
    return new RowView(child, at === 0, table.alignments, this.painting);
  }
}

function makeBlockView(block: Block, painting: Painting): BlockView {
  switch (block.kind) {
    case "quote":
      return new QuoteView(painting);
    case "list":
      return new ListView(block, painting);
    case "item":
      return new ItemView(block, painting);
    case "table":
      return new TableView(block, painting);
    case "note":
      return new NoteView(block, painting);
    case "math":
      return new MathView(painting);
    case "code":
      return new CodeBlockView(painting);
    case "rule":
      return new RuleView();
    default:
      return new LeafView(block, painting);
  }
}
