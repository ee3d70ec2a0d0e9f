/**
 * Markdown that is shown while it arrives. The only place that turns a model's words
 * into elements.
 *
 * Lines become blocks once and for all (`markdown/blocks.ts`); the line that is still
 * growing goes through a fork of the parser that is thrown away, so what is shown is
 * always right for the text so far. A block that no later line can change is never
 * touched again. The cost of a text is linear in its length.
 */

import { DocumentView, type Painting } from "./markdown/block_view";
import { BlockParser } from "./markdown/blocks";
import type { Highlight } from "./markdown/code_view";
import { showControls } from "./markdown/hidden";
import { splitRow } from "./markdown/table";
import type { Parts } from "./view/part";

export type { CodeRun, Highlight } from "./markdown/code_view";

export interface MarkdownOptions {
  /** Ends all listeners. */
  readonly signal: AbortSignal;
  /** Colours finished code blocks; none when absent. */
  readonly highlight?: Highlight | undefined;
  /** What is loaded when a text first needs it; without it there are no formulas. */
  readonly parts?: Pick<Parts, "math" | "extras"> | undefined;
}

/** The start of a line that may still become several things: better not shown. */
const UNDECIDED = /^[\s>*+\-#=_~`|:.)\d]*(?:\[[ xX]?\]?\s*)?$/;
const UNDECIDED_LONGEST = 80;
const MAYBE_CLOSING_FENCE = /^\s*[`~]*\s*$/;

/**
 * Shows one markdown text in an element that it owns.
 *
 * After `append` of all pieces and `finish`, the elements are the same however the
 * text was cut into pieces.
 */
export class StreamingMarkdown {
  readonly #painting: Painting;
  readonly #view: DocumentView;
  #parser: BlockParser;
  /** The text as it came. */
  #received = "";
  /** A last character that only means something with the next one. */
  #carry = "";
  /** The last line, not ended yet. */
  #pending = "";
  #finished = false;

  constructor(container: HTMLElement, options: MarkdownOptions) {
    this.#painting = {
      signal: options.signal,
      highlight: options.highlight ?? null,
      parts: options.parts ?? null,
      references: new Map(),
      waiting: new Set(),
      isFinished: false,
    };
    this.#view = new DocumentView(container, this.#painting);
    this.#parser = new BlockParser(this.#painting.references);
    container.addEventListener("click", goToOtherEnd, { signal: options.signal });
  }

  /** Add text to the end and show it. */
  append(text: string): void {
    if (this.#finished || text === "") return;
    this.#received += text;
    this.#take(text);
    this.#paintGrowing();
  }

  /**
   * The text is complete. `fullText` is the truth when it differs from what was
   * appended; elements that are right already are kept.
   */
  finish(fullText?: string): void {
    if (fullText !== undefined && fullText !== this.#received) this.#replace(fullText);
    if (this.#finished) return;
    this.#finished = true;
    this.#flush();
    this.#painting.isFinished = true;
    this.#parser.finish();
    this.#view.update(this.#parser.root);
    for (const leaf of [...this.#painting.waiting]) leaf.parse();
    this.#painting.waiting.clear();
  }

  #replace(text: string): void {
    if (!this.#finished && text.startsWith(this.#received)) {
      this.#take(text.slice(this.#received.length));
    } else {
      this.#view.unsettle();
      this.#painting.references.clear();
      this.#parser = new BlockParser(this.#painting.references);
      this.#carry = "";
      this.#pending = "";
      this.#finished = false;
      this.#painting.isFinished = false;
      this.#take(text);
    }
    this.#received = text;
  }

  /** Give whole lines to the parser and keep the rest. */
  #take(text: string): void {
    const source = this.#carry + text;
    const cut = /[\r\uD800-\uDBFF]$/.test(source) ? source.length - 1 : source.length;
    this.#carry = source.slice(cut);
    this.#pending += showControls(source.slice(0, cut).replace(/\r\n/g, "\n"));
    const lines = this.#pending.split("\n");
    this.#pending = lines.pop() ?? "";
    for (const line of lines) this.#parser.addLine(line);
  }

  #flush(): void {
    this.#pending += showControls(this.#carry);
    this.#carry = "";
    if (this.#pending !== "") this.#parser.addLine(this.#pending);
    this.#pending = "";
  }

  #paintGrowing(): void {
    let shown = this.#parser;
    if (this.#pending !== "" && !this.#isUndecided()) {
      shown = this.#parser.fork();
      shown.addLine(this.#pending);
    }
    const delimiters = delimitersFor(shown);
    if (delimiters !== null) {
      if (shown === this.#parser) shown = this.#parser.fork();
      shown.addLine(delimiters);
    }
    this.#view.update(shown.root);
  }

  #isUndecided(): boolean {
    if (this.#parser.tip.kind === "code")
      return MAYBE_CLOSING_FENCE.test(this.#pending);
    return this.#pending.length <= UNDECIDED_LONGEST && UNDECIDED.test(this.#pending);
  }
}

/** The row that would make a table of a lone line with pipes, to show it as one. */
function delimitersFor(parser: BlockParser): string | null {
  const { kind, text } = parser.tip;
  if (kind !== "paragraph" || text[0] !== "|" || text.includes("\n")) return null;
  const cells = splitRow(text).length;
  return cells === 0 ? null : `|${"---|".repeat(cells)}`;
}

const NOTE_ENDS = [".streamchat-note-mark", ".streamchat-note-back"] as const;

/** From a footnote's number to its text, and back to the first place that names it. */
function goToOtherEnd({ currentTarget, target }: Event): void {
  if (!(currentTarget instanceof Element && target instanceof Element)) return;
  const from = NOTE_ENDS.findIndex((end) => target.matches(end));
  if (from < 0) return;
  const others = currentTarget.querySelectorAll<HTMLElement>(
    NOTE_ENDS[1 - from] as string,
  );
  const other = [...others].find((one) => one.textContent === target.textContent);
  other?.focus({ preventScroll: true });
  other?.scrollIntoView({ block: "nearest" });
}
