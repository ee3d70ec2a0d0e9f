/**
 * The text of a leaf block to inlines: CommonMark without raw HTML, with
 * strike-through, bare web addresses and TeX between dollars or brackets.
 */

import { makeRun, type Run, resolveEmphasis } from "./emphasis";
import { decodeEntity, readEntity } from "./escape";
import { splitHidden } from "./hidden";
import { type Inline, plainText } from "./inline";
import {
  normalizeLabel,
  type Reference,
  type References,
  readDestination,
  readLabel,
  readTitle,
  skipSpace,
} from "./reference";

const ORDINARY = /[^\n\\`[\]!<&*_~$hw]+|[A-Za-z0-9]+/y;
const SPACES_AT_END = / +$/;
const AUTOLINK = /<([A-Za-z][A-Za-z0-9.+-]{1,31}:[^\s<>]*)>/y;
const MAIL_AUTOLINK =
  /<([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*)>/y;
const BARE_ADDRESS = /(?:https?:\/\/|www\.)[^\s<`]+/y;
const ADDRESS_TAIL = /(?:[?!.,:;*_~'"]|&[A-Za-z0-9]+;)+$/;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const LONGEST_MATH = 2000;
/** A formula that has not ended after so much is not taken for one. */
const LONGEST_OPEN_MATH = 300;
const FOOTNOTE = /\[\^([^\s[\]\\^]{1,64})\](?!\()/y;

/** An opening bracket that a closing one may still turn into a link or image. */
interface Bracket {
  readonly kind: "bracket";
  readonly image: boolean;
  /** Where its text begins in the source. */
  readonly start: number;
  /** A link cannot hold a link: set once one was made inside. */
  dead: boolean;
  /** Another bracket came after it, so its text is no plain label. */
  nested: boolean;
}

type Entry = Inline | Run | Bracket;

export interface InlineOptions {
  /** More may follow: show what is still open as if it were closed here. */
  readonly growing?: boolean;
  /** Footnotes may still be defined. */
  readonly mayBeDefined?: boolean;
  /** Take addresses without angle brackets as links too. */
  readonly bareAddresses?: boolean;
}

export interface ParsedInlines {
  readonly inlines: readonly Inline[];
  /** Labels that looked like references and are not defined (yet). */
  readonly missing: readonly string[];
}

class InlineParser {
  readonly #source: string;
  readonly #references: References;
  #at = 0;
  readonly #entries: Entry[] = [];
  /** Where in `entries` the brackets are. */
  readonly #brackets: number[] = [];
  readonly #missing: string[] = [];
  #backticks: Map<number, number[]> | null = null;
  readonly #growing: boolean;
  readonly #mayBeDefined: boolean;
  readonly #bareAddresses: boolean;

  constructor(source: string, references: References, options: InlineOptions) {
    this.#source = source;
    this.#references = references;
    this.#growing = options.growing ?? false;
    this.#mayBeDefined = options.mayBeDefined ?? false;
    this.#bareAddresses = options.bareAddresses ?? true;
  }

  parse(): ParsedInlines {
    while (this.#at < this.#source.length) this.#step();
    const inlines = this.#resolve(this.#entries, this.#growing);
    return { inlines: markHidden(inlines), missing: this.#missing };
  }

  #step(): void {
    switch (this.#source[this.#at]) {
      case "\n":
        this.#readLineEnd();
        break;
      case "\\":
        this.#readBackslash();
        break;
      case "`":
        this.#readCode();
        break;
      case "*":
      case "_":
      case "~":
        this.#readRun();
        break;
      case "!":
      case "[":
      case "]":
        this.#readBracket();
        break;
      default:
        this.#readOther();
    }
  }

  #readBracket(): void {
    const character = this.#source[this.#at];
    if (character === "[") {
      if (!this.#readNote()) this.#openBracket(false);
    } else if (character === "]") this.#closeBracket();
    else if (this.#source[this.#at + 1] === "[") this.#openBracket(true);
    else this.#takeText(1);
  }

  #readOther(): void {
    switch (this.#source[this.#at]) {
      case "<":
        if (!this.#readAutolink()) this.#takeText(1);
        break;
      case "&":
        this.#readCharacterReference();
        break;
      case "$":
        this.#readDollars();
        break;
      default:
        if (!this.#readBareAddress()) this.#takeOrdinary();
    }
  }

  #addText(text: string): void {
    this.#entries.push({ kind: "text", text });
  }

  #takeText(count: number): void {
    this.#addText(this.#source.slice(this.#at, this.#at + count));
    this.#at += count;
  }

  #takeOrdinary(): void {
    ORDINARY.lastIndex = this.#at;
    this.#takeText(ORDINARY.exec(this.#source)?.[0].length ?? 1);
  }

  #readLineEnd(): void {
    this.#at += 1;
    const last = this.#entries[this.#entries.length - 1];
    const spaces = last?.kind === "text" ? SPACES_AT_END.exec(last.text) : null;
    if (last?.kind === "text" && spaces !== null) {
      const text = last.text.slice(0, spaces.index);
      this.#entries[this.#entries.length - 1] = { kind: "text", text };
    }
    const hard = spaces !== null && spaces[0].length >= 2;
    if (hard) this.#entries.push({ kind: "break" });
    this.#addText("\n");
    while (this.#source[this.#at] === " ") this.#at += 1;
  }

  #readBackslash(): void {
    const next = this.#source[this.#at + 1];
    if (next === "\n") {
      this.#entries.push({ kind: "break" });
      this.#at += 1;
    } else if ((next === "(" || next === "[") && this.#readBackslashMath(next)) {
      return;
    } else if (next !== undefined && ESCAPABLE.test(next)) {
      this.#addText(next);
      this.#at += 2;
    } else {
      this.#takeText(1);
    }
  }

  #readBackslashMath(open: string): boolean {
    const close = open === "(" ? "\\)" : "\\]";
    const end = this.#findMathEnd(close, 2);
    return this.#readMath(2, end, 2) || (end < 0 && this.#readOpenMath(2));
  }

  #readDollars(): void {
    const [source, at] = [this.#source, this.#at];
    if (source[at + 1] === "$") {
      const end = this.#findMathEnd("$$", 2);
      if (this.#readMath(2, end, 2) || (end < 0 && this.#readOpenMath(2))) return;
      this.#takeText(2);
      return;
    }
    const end = this.#findMathEnd("$", 1);
    const isMath =
      /[^A-Za-z0-9]/.test(source[at - 1] ?? " ") &&
      (end < 0
        ? /^[^\s\d][^$\n]*[\\^_{]/.test(this.#rest(1)) && this.#readOpenMath(1)
        : !isMoney(source.slice(at + 1, end), source[end + 1] ?? "") &&
          this.#readMath(1, end, 1));
    if (!isMath) this.#takeText(1);
  }

  /** What follows, as far as a formula that has not ended yet may reach. */
  #rest(skipped: number): string {
    return this.#source.slice(this.#at + skipped, this.#at + LONGEST_OPEN_MATH + 1);
  }

  /** While a text grows: take a formula that has not ended as one to come. */
  #readOpenMath(open: number): boolean {
    const rest = this.#rest(open);
    if (!this.#growing || rest.trim() === "" || rest.length > LONGEST_OPEN_MATH - open)
      return false;
    this.#entries.push({ kind: "math", text: this.#source.slice(this.#at) });
    this.#at = this.#source.length;
    return true;
  }

  /** Where math that began here ends; looks only as far as math may reach. */
  #findMathEnd(close: string, openLength: number): number {
    const from = this.#at + openLength;
    const found = this.#source.slice(from, from + LONGEST_MATH).indexOf(close);
    return found < 0 ? -1 : from + found;
  }

  #readMath(open: number, end: number, close: number): boolean {
    if (end < 0) return false;
    if (!/[A-Za-z0-9]/.test(this.#source.slice(this.#at + open, end))) return false;
    this.#entries.push({
      kind: "math",
      text: this.#source.slice(this.#at, end + close),
    });
    this.#at = end + close;
    return true;
  }

  #readCode(): void {
    const start = this.#at;
    let length = 1;
    while (this.#source[start + length] === "`") length += 1;
    const from = start + length;
    const end = this.#findBackticks(length, from);
    if (end !== undefined) {
      this.#entries.push({
        kind: "code",
        text: codeText(this.#source.slice(from, end)),
      });
      this.#at = end + length;
    } else if (this.#growing && length === 1 && from < this.#source.length) {
      this.#entries.push({ kind: "code", text: codeText(this.#source.slice(from)) });
      this.#at = this.#source.length;
    } else {
      this.#takeText(length);
    }
  }

  /** Where the next run of exactly `length` backticks begins, from `from` on. */
  #findBackticks(length: number, from: number): number | undefined {
    if (this.#backticks === null) {
      this.#backticks = new Map();
      for (const run of this.#source.matchAll(/`+/g)) {
        const starts = this.#backticks.get(run[0].length) ?? [];
        starts.push(run.index);
        this.#backticks.set(run[0].length, starts);
      }
    }
    const starts = this.#backticks.get(length) ?? [];
    while (starts.length > 0 && (starts[0] as number) < from) starts.shift();
    return starts[0];
  }

  #readRun(): void {
    const [source, at] = [this.#source, this.#at];
    const character = source[at] as string;
    let end = at + 1;
    while (source[end] === character) end += 1;
    const text = source.slice(at, end);
    this.#at = end;
    if (character === "~" && text.length !== 2) {
      this.#addText(text);
      return;
    }
    this.#entries.push(
      makeRun(text, characterBefore(source, at), characterAt(source, end)),
    );
  }

  #readAutolink(): boolean {
    AUTOLINK.lastIndex = this.#at;
    MAIL_AUTOLINK.lastIndex = this.#at;
    const address = AUTOLINK.exec(this.#source);
    const found = address ?? MAIL_AUTOLINK.exec(this.#source);
    if (found === null) return false;
    const text = found[1] as string;
    this.#addBareLink(address === null ? `mailto:${text}` : text, text);
    this.#at += found[0].length;
    return true;
  }

  #readBareAddress(): boolean {
    if (!this.#bareAddresses) return false;
    if (/[A-Za-z0-9]/.test(this.#source[this.#at - 1] ?? "")) return false;
    BARE_ADDRESS.lastIndex = this.#at;
    const found = BARE_ADDRESS.exec(this.#source);
    if (found === null) return false;
    // Inside brackets the address ends where the brackets may.
    const inside = this.#brackets.length > 0 ? /^[^\]]*/.exec(found[0]) : null;
    const text = trimAddress(inside?.[0] ?? found[0]);
    if (/^(?:https?:\/\/|www\.)$/.test(text)) return false;
    this.#addBareLink(text.startsWith("www.") ? `https://${text}` : text, text);
    this.#at += text.length;
    return true;
  }

  #addBareLink(href: string, text: string): void {
    const children: Inline[] = [{ kind: "text", text }];
    this.#entries.push({ kind: "link", href, title: "", bare: true, children });
  }

  #readCharacterReference(): void {
    const entity = readEntity(this.#source, this.#at);
    if (entity === null) {
      this.#takeText(1);
      return;
    }
    this.#addText(decodeEntity(entity));
    this.#at += entity.length;
  }

  #openBracket(image: boolean): void {
    this.#at += image ? 2 : 1;
    const outer = this.#lastBracket();
    if (outer !== undefined) outer.nested = true;
    this.#brackets.push(this.#entries.length);
    const start = this.#at;
    this.#entries.push({ kind: "bracket", image, start, dead: false, nested: false });
  }

  /** A reference to a footnote; one that is a number may be defined later. */
  #readNote(): boolean {
    FOOTNOTE.lastIndex = this.#at;
    const found = FOOTNOTE.exec(this.#source);
    if (found === null) return false;
    const label = found[1] as string;
    const name = normalizeLabel(`^${label}`);
    if (!this.#references.has(name)) {
      this.#missing.push(name);
      if (!this.#mayBeDefined || !/^\d+$/.test(label)) return false;
    }
    this.#entries.push({ kind: "note", text: label });
    this.#at += found[0].length;
    return true;
  }

  #lastBracket(): Bracket | undefined {
    const at = this.#brackets[this.#brackets.length - 1];
    return at === undefined ? undefined : (this.#entries[at] as Bracket);
  }

  #closeBracket(): void {
    const bracket = this.#lastBracket();
    const closing = this.#at;
    this.#at += 1;
    const position = this.#brackets.pop();
    if (bracket === undefined || position === undefined) {
      this.#addText("]");
      return;
    }
    const target = bracket.dead ? null : this.#readTarget(bracket, closing);
    if (target === null) {
      this.#entries[position] = { kind: "text", text: bracket.image ? "![" : "[" };
      if (bracket.dead || !this.#readUnfinishedTarget(position, bracket)) {
        this.#addText("]");
      }
      return;
    }
    this.#entries.push(this.#makeLink(bracket, target, this.#entries.splice(position)));
    if (!bracket.image) this.#killBrackets();
  }

  #makeLink(bracket: Bracket, target: Reference, inside: Entry[]): Inline {
    const children = this.#resolve(inside.slice(1), false).flatMap((child) =>
      child.kind === "link" && child.bare ? child.children : [child],
    );
    if (bracket.image) {
      const alternative = plainText(children);
      const { href: source, title } = target;
      return { kind: "image", source, title, alternative };
    }
    return { kind: "link", ...target, bare: false, children };
  }

  #killBrackets(): void {
    for (const position of this.#brackets) {
      const bracket = this.#entries[position] as Bracket;
      if (!bracket.image) bracket.dead = true;
    }
  }

  /** While a text grows: take `](address that has not ended` as a link to come. */
  #readUnfinishedTarget(position: number, bracket: Bracket): boolean {
    if (
      !this.#growing ||
      !/^\([^\s)]*$/.test(this.#source.slice(this.#at, this.#at + 2049))
    ) {
      return false;
    }
    this.#entries[position] = { kind: "text", text: "" };
    if (bracket.image) this.#entries.splice(position);
    this.#at = this.#source.length;
    return true;
  }

  #readTarget(bracket: Bracket, closing: number): Reference | null {
    return this.#readInlineTarget() ?? this.#readReference(bracket, closing);
  }

  #readInlineTarget(): Reference | null {
    const source = this.#source;
    if (source[this.#at] !== "(") return null;
    const start = skipSpace(source, this.#at + 1);
    const destination = readDestination(source, start);
    if (destination === null) return null;
    let end = skipSpace(source, destination.end);
    const title = end > destination.end ? readTitle(source, end) : null;
    if (title !== null) end = skipSpace(source, title.end);
    if (source[end] !== ")") return null;
    this.#at = end + 1;
    return { href: destination.value, title: title?.value ?? "" };
  }

  #readReference(bracket: Bracket, closing: number): Reference | null {
    const label = readLabel(this.#source, this.#at);
    const full = label !== null && label.value.trim() !== "";
    if (!full && bracket.nested) return null;
    const name = full ? label.value : this.#source.slice(bracket.start, closing);
    const normalized = normalizeLabel(name);
    if (normalized === "" || name.length > 999 || name[0] === "^") return null;
    const reference = this.#references.get(normalized);
    if (reference === undefined) {
      this.#missing.push(normalized);
      return null;
    }
    if (label !== null && (full || label.value === "")) this.#at = label.end;
    return reference;
  }

  #resolve(entries: readonly Entry[], heal: boolean): Inline[] {
    const plain = entries.map((entry): Inline | Run => {
      if (entry.kind !== "bracket") return entry;
      return { kind: "text", text: entry.image ? "![" : "[" };
    });
    return resolveEmphasis(plain, heal);
  }
}

/** Whether two dollars are about money: spaced, before a digit, an amount and words. */
function isMoney(inside: string, after: string): boolean {
  const amount = /^\d[^\\]*$/.test(inside) && /[A-Za-z]{2}/.test(inside);
  return amount || /^\s|\s$/.test(inside) || /\d/.test(after);
}

function codeText(source: string): string {
  const text = source.replace(/\n/g, " ");
  const padded = text.startsWith(" ") && text.endsWith(" ") && text.trim() !== "";
  return padded ? text.slice(1, -1) : text;
}

function characterBefore(source: string, at: number): string {
  const low = source[at - 1] ?? "";
  return /[\uDC00-\uDFFF]/.test(low) ? source.slice(at - 2, at) : low;
}

function characterAt(source: string, at: number): string {
  const code = source.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
}

/** Cut off what belongs to the sentence rather than to the address. */
function trimAddress(found: string): string {
  let text = found;
  for (;;) {
    const before = text;
    text = text.replace(ADDRESS_TAIL, "");
    const opened = text.split("(").length;
    if (/[)\]]$/.test(text) && text.split(")").length > opened)
      text = text.slice(0, -1);
    else if (text.endsWith("]")) text = text.slice(0, -1);
    if (text === before) return text;
  }
}

/** Set apart the characters that cannot be seen, everywhere in the tree. */
function markHidden(inlines: readonly Inline[]): Inline[] {
  return inlines.flatMap((inline): Inline[] => {
    switch (inline.kind) {
      case "text":
        return splitHidden(inline.text).map(({ hidden, text }) => ({
          kind: hidden ? "hidden" : "text",
          text,
        }));
      case "emphasis":
      case "strong":
      case "strike":
      case "link":
        return [{ ...inline, children: markHidden(inline.children) }];
      default:
        return [inline];
    }
  });
}

/**
 * Parse the text of one leaf block.
 *
 * @param source Lines joined by newlines, without leading white space.
 */
export function parseInlines(
  source: string,
  references: References,
  options: InlineOptions = {},
): ParsedInlines {
  return new InlineParser(source.trimEnd(), references, options).parse();
}
