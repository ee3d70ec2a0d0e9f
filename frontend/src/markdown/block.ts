/** The block tree: what the lines of a markdown text make. */

export type Kind =
  | "document"
  | "quote"
  | "list"
  | "item"
  | "paragraph"
  | "heading"
  | "code"
  | "math"
  | "note"
  | "rule"
  | "table"
  | "row";

/** Lines that are laid out together; a browser lays out a group anew when it grows. */
export const LINES_PER_CODE_GROUP = 16;

export type Alignment = "left" | "center" | "right" | null;

/** What a list's marker looks like; items with another one begin another list. */
export interface Marker {
  readonly ordered: boolean;
  /** The bullet, or the character after the number. */
  readonly delimiter: string;
  readonly start: number;
}

/** The opening line of a fenced code block. */
export interface Fence {
  readonly character: string;
  readonly length: number;
  readonly indent: number;
}

/**
 * One block. Which fields mean something depends on its kind.
 *
 * `settled`: no later line can change it; it is never painted again.
 */
export class Block {
  children: Block[] = [];
  open = true;
  settled = false;
  /** Text of a leaf: lines joined by newlines. */
  text = "";
  /** Code: groups of lines, each line with its end; only the last group grows. */
  codeGroups: string[] = [];
  /** Code: lines in the last group. */
  #lastGroupLines = 0;
  /** Heading: 1 to 6. */
  level = 0;
  /** Code: the first line after the fence, unescaped. */
  info = "";
  fence: Fence | null = null;
  /** Code without a fence: blank lines that count only when more code follows. */
  heldBlankLines: string[] = [];
  marker: Marker | null = null;
  /** List: its items are separated by blank lines. */
  loose = false;
  /** List: it goes on with the items of the one before. */
  continues = false;
  /** Footnote: its label, as it was written. */
  label = "";
  /** Item, footnote: columns that its later lines are indented by. */
  contentIndent = 0;
  /** Item: null, or whether the box of a task is ticked. */
  task: boolean | null = null;
  alignments: readonly Alignment[] = [];
  cells: readonly string[] = [];
  /** Number of the last line that was blank inside this block. */
  blankLine = 0;

  constructor(readonly kind: Kind) {}

  /** A copy that may change without this one: its closed children are shared. */
  copy(): Block {
    const copy = Object.assign(new Block(this.kind), this);
    copy.children = this.children.slice();
    copy.codeGroups = this.codeGroups.slice();
    copy.heldBlankLines = this.heldBlankLines.slice();
    return copy;
  }

  /** Add a line, with its end, to the code. */
  addCodeLine(line: string): void {
    if (this.codeGroups.length === 0 || this.#lastGroupLines === LINES_PER_CODE_GROUP) {
      this.codeGroups.push("");
      this.#lastGroupLines = 0;
    }
    this.codeGroups[this.codeGroups.length - 1] += line;
    this.#lastGroupLines += 1;
  }
}
