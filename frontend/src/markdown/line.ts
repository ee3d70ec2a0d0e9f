/** One line of text and how far it was read, counting tabs as stops of four. */

const TAB_STOP = 4;

export class Line {
  readonly #source: string;
  #offset = 0;
  #column = 0;
  #insideTab = false;

  constructor(source: string) {
    this.#source = source;
  }

  /** Columns of white space ahead. */
  get indent(): number {
    let column = this.#column;
    for (let at = this.#offset; ; at++) {
      const character = this.#source[at];
      if (character === " ") column += 1;
      else if (character === "\t") column += TAB_STOP - (column % TAB_STOP);
      else return column - this.#column;
    }
  }

  /** Four or more columns of white space ahead: code, where code may begin. */
  get indented(): boolean {
    return this.indent >= TAB_STOP;
  }

  get blank(): boolean {
    return this.trimmed === "";
  }

  /** What is left, without leading white space. */
  get trimmed(): string {
    let at = this.#offset;
    while (this.#source[at] === " " || this.#source[at] === "\t") at += 1;
    return this.#source.slice(at);
  }

  /** What is left, a tab that was read in part counting as spaces. */
  get rest(): string {
    if (!this.#insideTab) return this.#source.slice(this.#offset);
    const spaces = " ".repeat(TAB_STOP - (this.#column % TAB_STOP));
    return spaces + this.#source.slice(this.#offset + 1);
  }

  /** Read `count` characters that are not white space. */
  take(count: number): void {
    this.#offset += count;
    this.#column += count;
    this.#insideTab = false;
  }

  /** Read up to `count` columns of white space. */
  takeColumns(count: number): void {
    let left = count;
    while (left > 0) {
      const character = this.#source[this.#offset];
      if (character !== " " && character !== "\t") return;
      const width = character === "\t" ? TAB_STOP - (this.#column % TAB_STOP) : 1;
      const taken = Math.min(width, left);
      this.#column += taken;
      left -= taken;
      this.#insideTab = taken < width;
      if (!this.#insideTab) this.#offset += 1;
    }
  }

  /** Read all white space ahead. */
  takeIndent(): void {
    this.takeColumns(this.indent);
  }
}
