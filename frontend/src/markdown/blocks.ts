/**
 * Lines to blocks, one line at a time: the block structure of CommonMark with tables,
 * task lists, footnotes and formulas, without raw HTML (a tag is text).
 *
 * The parser keeps the path of open blocks only, so a line costs the depth of that
 * path and never the length of the text. `fork` gives a second parser for a line that
 * is still growing: it may open and close what it likes, and is thrown away.
 */

import { Block, type Fence, type Marker } from "./block";
import { unescapeText } from "./escape";
import { Line } from "./line";
import { normalizeLabel, type References, readDefinition } from "./reference";
import { parseDelimiterRow, splitRow } from "./table";

const DEEPEST_NESTING = 40;
/** A longer list of the document goes on in another one: keeps layout local. */
const ITEMS_PER_LIST = 32;
const ATX_HEADING = /^(#{1,6})(?:[ \t]+|$)/;
const CLOSING_HASHES = /(?:^|[ \t]+)#+[ \t]*$/;
const FENCE = /^(?:(`{3,})([^`]*)|(~{3,})(.*))$/;
const SETEXT_UNDERLINE = /^(?:(=+)|-+)[ \t]*$/;
const RULE = /^(?:(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|(?:-[ \t]*){3,})$/;
const LIST_MARKER = /^(?:([*+-])|(\d{1,9})([.)]))(?=[ \t]|$)/;
const TASK_BOX = /^\[([ xX])\][ \t]+(?=\S)/;

/** The first line of a formula that goes on over lines. */
const MATH = /^(?:\$\$(?!.*\$\$)|\\\[[ \t]*$)/;
const FOOTNOTE = /^\[\^([^\s[\]\\^]{1,64})\]:/;
const FOOTNOTE_INDENT = 4;

type Start = "container" | "leaf" | "none";

export class BlockParser {
  readonly #tentative;
  readonly root: Block;
  /** The open blocks, from the document to the innermost one. */
  readonly #path: Block[];
  /** How many blocks of the path the current line continues. */
  #depth = 1;
  #lineNumber = 0;

  /**
   * @param references Where definitions go, and where links look them up.
   */
  constructor(
    readonly references: References = new Map(),
    tentative = false,
    path: Block[] = [new Block("document")],
  ) {
    this.#tentative = tentative;
    this.#path = path;
    this.root = path[0] as Block;
  }

  /** The innermost open block. */
  get tip(): Block {
    return this.#path[this.#path.length - 1] as Block;
  }

  /** A parser in the same state whose doings this one does not feel. */
  fork(): BlockParser {
    const path = this.#path.map((block) => block.copy());
    for (let at = 1; at < path.length; at++) {
      const siblings = (path[at - 1] as Block).children;
      siblings[siblings.length - 1] = path[at] as Block;
    }
    const fork = new BlockParser(this.references, true, path);
    fork.#lineNumber = this.#lineNumber;
    return fork;
  }

  /** Take one line, without its line end. */
  addLine(source: string): void {
    this.#lineNumber += 1;
    const line = new Line(source);
    if (!this.#matchOpenBlocks(line)) return;
    const { kind } = this.#container;
    if (kind !== "code" && kind !== "math") {
      let start: Start = "container";
      while (start === "container") start = this.#startBlock(line);
      if (start === "leaf") return;
    }
    this.#addText(line);
  }

  /** The text is over: close everything. */
  finish(): void {
    this.#closeBeyond(0);
  }

  get #container(): Block {
    return this.#path[this.#depth - 1] as Block;
  }

  /** Find how much of the path goes on; false when the line closed a fence. */
  #matchOpenBlocks(line: Line): boolean {
    this.#depth = 1;
    while (this.#depth < this.#path.length) {
      const block = this.#path[this.#depth] as Block;
      if (block.fence !== null && closesFence(line, block.fence)) {
        this.#closeBeyond(this.#depth);
        return false;
      }
      if (!continuesBlock(block, line)) break;
      this.#depth += 1;
    }
    return true;
  }

  /** Try to begin a block at what is left of the line. */
  #startBlock(line: Line): Start {
    if (line.blank) return "none";
    if (line.indented) return this.#startIndentedCode(line);
    const text = line.trimmed;
    if (text[0] === ">" && this.#path.length < DEEPEST_NESTING) {
      line.takeIndent();
      line.take(1);
      line.takeColumns(1);
      this.#open(new Block("quote"));
      return "container";
    }
    if (this.#startNote(line, text)) return "container";
    if (this.#startLeaf(line, text)) return "leaf";
    return this.#startItem(line, text) ? "container" : "none";
  }

  #startLeaf(line: Line, text: string): boolean {
    return (
      this.#startHeading(text) ||
      this.#startFence(line, text) ||
      this.#startMath(text) ||
      this.#underlineParagraph(text) ||
      this.#startTable(text) ||
      this.#startRule(text)
    );
  }

  #startHeading(text: string): boolean {
    const found = ATX_HEADING.exec(text);
    if (found === null) return false;
    const heading = new Block("heading");
    heading.level = (found[1] as string).length;
    heading.text = text.slice(found[0].length).replace(CLOSING_HASHES, "").trim();
    this.#openAndClose(heading);
    return true;
  }

  #startFence(line: Line, text: string): boolean {
    const found = FENCE.exec(text);
    if (found === null) return false;
    const run = (found[1] ?? found[3]) as string;
    const code = new Block("code");
    code.fence = {
      character: run[0] as string,
      length: run.length,
      indent: line.indent,
    };
    code.info = unescapeText((found[2] ?? found[4] ?? "").trim());
    this.#open(code);
    return true;
  }

  #startMath(text: string): boolean {
    if (!MATH.test(text)) return false;
    const math = new Block("math");
    math.text = text.trimEnd();
    this.#open(math);
    return true;
  }

  /** A footnote stands in the document itself, also right after a paragraph. */
  #startNote(line: Line, text: string): boolean {
    const found = FOOTNOTE.exec(text);
    const afterParagraph = this.#depth === 2 && this.#container.kind === "paragraph";
    if (found === null || (this.#depth > 1 && !afterParagraph)) return false;
    const note = new Block("note");
    note.label = found[1] as string;
    note.contentIndent = FOOTNOTE_INDENT;
    const name = normalizeLabel(`^${note.label}`);
    if (!this.#tentative) this.references.set(name, { href: "", title: "" });
    line.takeIndent();
    line.take(found[0].length);
    line.takeIndent();
    this.#open(note);
    return true;
  }

  #addMathLine(math: Block, line: Line): void {
    math.text += `\n${line.trimmed.trimEnd()}`;
    const end = math.text[0] === "$" ? "$$" : "\\]";
    if (math.text.endsWith(end)) this.#closeBeyond(this.#depth - 1);
  }

  #underlineParagraph(text: string): boolean {
    const paragraph = this.#container;
    const found = paragraph.kind === "paragraph" ? SETEXT_UNDERLINE.exec(text) : null;
    if (found === null) return false;
    paragraph.text = this.#takeDefinitions(paragraph.text);
    if (paragraph.text === "") return false;
    const heading = new Block("heading");
    heading.level = found[1] === undefined ? 2 : 1;
    heading.text = paragraph.text.trim();
    this.#replaceContainer(heading);
    this.#closeBeyond(this.#depth - 1);
    return true;
  }

  #startTable(text: string): boolean {
    const paragraph = this.#container;
    if (paragraph.kind !== "paragraph") return false;
    const alignments = parseDelimiterRow(text);
    if (alignments === null) return false;
    const headAt = paragraph.text.lastIndexOf("\n") + 1;
    const cells = splitRow(paragraph.text.slice(headAt));
    if (cells.length !== alignments.length) return false;
    const table = new Block("table");
    table.alignments = alignments;
    if (headAt === 0) {
      this.#replaceContainer(table);
    } else {
      paragraph.text = paragraph.text.slice(0, headAt - 1);
      this.#open(table);
    }
    this.#addRow(table, cells);
    return true;
  }

  #startRule(text: string): boolean {
    if (!RULE.test(text)) return false;
    this.#openAndClose(new Block("rule"));
    return true;
  }

  #startItem(line: Line, text: string): boolean {
    const found = LIST_MARKER.exec(text);
    if (found === null || this.#path.length >= DEEPEST_NESTING) return false;
    const marker: Marker = {
      ordered: found[1] === undefined,
      delimiter: (found[1] ?? found[3]) as string,
      start: Number(found[2] ?? 0),
    };
    const width = found[0].length;
    if (this.#container.kind === "paragraph") {
      // Only a list that looks like one on purpose may interrupt a paragraph.
      if (text.slice(width).trim() === "") return false;
      if (marker.ordered && marker.start !== 1) return false;
    }
    const outerIndent = line.indent;
    line.takeIndent();
    line.take(width);
    const spaces = line.indent;
    const ownSpaces = line.blank || spaces > 4 ? 1 : spaces;
    line.takeColumns(ownSpaces);
    this.#openItem(marker, outerIndent + width + ownSpaces);
    return true;
  }

  #openItem(marker: Marker, contentIndent: number): void {
    if (this.#container.kind === "paragraph") this.#closeBeyond(--this.#depth);
    const before = this.#container;
    if (before.kind !== "list" || !sameMarker(before.marker, marker)) {
      const list = new Block("list");
      list.marker = marker;
      this.#open(list);
    } else if (this.#depth === 2 && before.children.length >= ITEMS_PER_LIST) {
      this.#continueList(before);
    }
    const item = new Block("item");
    item.contentIndent = contentIndent;
    this.#open(item);
  }

  #continueList(before: Block): void {
    const marker = before.marker as Marker;
    const list = new Block("list");
    list.marker = { ...marker, start: marker.start + before.children.length };
    list.continues = true;
    list.loose = before.loose || before.blankLine === this.#lineNumber - 1;
    this.#open(list);
  }

  #startIndentedCode(line: Line): Start {
    if (this.tip.kind === "paragraph") return "none";
    line.takeColumns(4);
    const code = new Block("code");
    code.addCodeLine(`${line.rest}\n`);
    this.#open(code);
    return "leaf";
  }

  /** Give what is left of the line to the block that it belongs to. */
  #addText(line: Line): void {
    const lazy = this.#path.length > this.#depth && this.tip.kind === "paragraph";
    if (lazy && !line.blank) {
      addParagraphLine(this.tip, line.trimmed);
      return;
    }
    this.#closeBeyond(this.#depth);
    const container = this.#container;
    if (line.blank) this.#noteBlankLine();
    if (container.kind === "code") addCode(container, line);
    else if (line.blank) return;
    else if (container.kind === "math") this.#addMathLine(container, line);
    else if (container.kind === "paragraph") addParagraphLine(container, line.trimmed);
    else if (container.kind === "table")
      this.#addRow(container, splitRow(line.trimmed));
    else this.#openParagraph(line.trimmed);
  }

  #openParagraph(text: string): void {
    const paragraph = new Block("paragraph");
    paragraph.text = text;
    const item = this.#container;
    if (item.kind === "item" && item.children.length === 0) {
      const box = TASK_BOX.exec(text);
      if (box !== null) {
        item.task = box[1] !== " ";
        paragraph.text = text.slice(box[0].length);
      }
    }
    this.#open(paragraph);
  }

  #addRow(table: Block, cells: readonly string[]): void {
    const row = new Block("row");
    row.cells = table.alignments.map((_alignment, at) => cells[at] ?? "");
    row.open = false;
    row.settled = !this.#tentative;
    table.children.push(row);
  }

  /** Remember the blank line where a later block may have to know about it. */
  #noteBlankLine(): void {
    const container = this.#container;
    const newItem = container.kind === "item" && container.children.length === 0;
    if (container.fence !== null || newItem) return;
    for (let at = this.#depth - 1; at >= 0; at--) {
      const block = this.#path[at] as Block;
      if (block.kind === "quote") return;
      block.blankLine = this.#lineNumber;
    }
  }

  /** Put a block under the innermost matched block that can hold it. */
  #open(block: Block): void {
    while (!canHold(this.#container, block)) this.#depth -= 1;
    this.#closeBeyond(this.#depth);
    const parent = this.#container;
    const afterBlank =
      parent.children.length > 0 && parent.blankLine === this.#lineNumber - 1;
    if (afterBlank && parent.kind === "list") parent.loose = true;
    if (afterBlank && parent.kind === "item") {
      (this.#path[this.#depth - 2] as Block).loose = true;
    }
    parent.children.push(block);
    this.#path.push(block);
    this.#depth = this.#path.length;
  }

  #openAndClose(block: Block): void {
    this.#open(block);
    this.#closeBeyond(this.#depth - 1);
  }

  #replaceContainer(block: Block): void {
    const siblings = (this.#path[this.#depth - 2] as Block).children;
    siblings[siblings.length - 1] = block;
    this.#path[this.#depth - 1] = block;
  }

  /** Close the blocks of the path from `depth` on, innermost first. */
  #closeBeyond(depth: number): void {
    while (this.#path.length > depth) {
      const block = this.#path.pop() as Block;
      block.open = false;
      block.settled = !this.#tentative;
      if (block.kind === "paragraph") this.#closeParagraph(block);
    }
    if (this.#depth > depth) this.#depth = depth;
  }

  #closeParagraph(paragraph: Block): void {
    paragraph.text = this.#takeDefinitions(paragraph.text).trimEnd();
    if (paragraph.text === "") this.tip.children.pop();
  }

  /** Cut the definitions off the start of a paragraph, and keep them. */
  #takeDefinitions(source: string): string {
    let text = source;
    while (text[0] === "[") {
      const found = readDefinition(text);
      if (found === null) break;
      text = text.slice(found.end);
      if (!this.#tentative && !this.references.has(found.label)) {
        this.references.set(found.label, found.reference);
      }
    }
    return text;
  }
}

function canHold(parent: Block, child: Block): boolean {
  if (child.kind === "item") return parent.kind === "list";
  return (
    parent.kind === "document" ||
    (child.kind !== "note" && /^(?:quote|item|note)$/.test(parent.kind))
  );
}

function sameMarker(one: Marker | null, other: Marker): boolean {
  return one?.ordered === other.ordered && one.delimiter === other.delimiter;
}

function closesFence(line: Line, fence: Fence): boolean {
  if (line.indented) return false;
  const text = line.trimmed.trimEnd();
  return text.length >= fence.length && text === fence.character.repeat(text.length);
}

function addParagraphLine(paragraph: Block, text: string): void {
  paragraph.text += paragraph.text === "" ? text : `\n${text}`;
}

function addCode(code: Block, line: Line): void {
  const text = `${line.rest}\n`;
  if (code.fence === null && line.blank) {
    code.heldBlankLines.push(text);
    return;
  }
  for (const held of code.heldBlankLines) code.addCodeLine(held);
  code.heldBlankLines = [];
  code.addCodeLine(text);
}

/** Whether an open block goes on with this line; reads the block's part of it. */
function continuesBlock(block: Block, line: Line): boolean {
  switch (block.kind) {
    case "list":
      return true;
    case "quote":
      return continuesQuote(line);
    case "item":
    case "note":
      return continuesItem(block, line);
    case "code":
      return continuesCode(block, line);
    case "paragraph":
    case "table":
    case "math":
      return !line.blank;
    default:
      return false;
  }
}

function continuesQuote(line: Line): boolean {
  if (line.indented || line.trimmed[0] !== ">") return false;
  line.takeIndent();
  line.take(1);
  line.takeColumns(1);
  return true;
}

function continuesItem(item: Block, line: Line): boolean {
  if (line.blank) {
    if (item.children.length === 0) return false;
    line.takeIndent();
    return true;
  }
  if (line.indent < item.contentIndent) return false;
  line.takeColumns(item.contentIndent);
  return true;
}

function continuesCode(code: Block, line: Line): boolean {
  if (code.fence !== null) {
    line.takeColumns(Math.min(code.fence.indent, line.indent));
    return true;
  }
  if (!line.indented && !line.blank) return false;
  line.takeColumns(4);
  return true;
}
