/** Pieces of text with what they cite, as one text with numbers in it. Pure. */

import { strings } from "./strings";
import type { BlockState } from "./types";

/** One thing that is cited, under its number. */
export interface Source {
  /** May be empty. */
  readonly title: string;
  /** Empty for a document. */
  readonly url: string;
  /** Where in it, for example "page 3"; may be empty. */
  readonly place: string;
  /** The words that are cited. */
  readonly quotes: readonly string[];
}

/** A number in the text, with the thin space that says that we put it there. */
export const CITED = /\u2009\[(\d{1,3})\]/g;

type Fields = Readonly<Record<string, unknown>>;

export interface CitedText {
  readonly text: string;
  readonly sources: readonly Source[];
}

/**
 * Join the pieces of a text that cites: a provider ends a piece where a citation is,
 * in the middle of a sentence. Each source has one number, however often it is cited.
 */
export function citedText(blocks: readonly BlockState[]): CitedText {
  if (blocks.every((block) => citationsOf(block).length === 0)) {
    return { text: blocks.map((block) => block.text).join(""), sources: [] };
  }
  const sources = new Map<string, Source>();
  let text = "";
  for (const block of blocks) {
    const citations = citationsOf(block);
    // Nobody else may write such numbers.
    text += block.text.replace(CITED, "[$1]");
    const numbers = citations.map((citation) => numberOf(citation, sources));
    const marks = [...new Set(numbers)].map((number) => `\u2009&#91;${number}&#93;`);
    const [, body = "", end = ""] = /^([\s\S]*?)(\s*)$/.exec(text) ?? [];
    text = marks.length === 0 ? text : `${body}${marks.join("")}${end}`;
  }
  return { text, sources: [...sources.values()] };
}

function citationsOf({ content }: BlockState): readonly Fields[] {
  return content?.type === "text" ? (content.citations ?? []) : [];
}

function numberOf(citation: Fields, sources: Map<string, Source>): number {
  const source = sourceOf(citation);
  const key = JSON.stringify([source.url, source.title, source.place]);
  const known = sources.get(key);
  const quotes = new Set([...(known?.quotes ?? []), ...source.quotes]);
  sources.set(key, { ...source, quotes: [...quotes] });
  return [...sources.keys()].indexOf(key) + 1;
}

function sourceOf(citation: Fields): Source {
  const quote = textIn(citation, "cited_text").trim();
  return {
    title: textIn(citation, "title") || textIn(citation, "document_title"),
    url: textIn(citation, "url") || addressIn(textIn(citation, "source")),
    place: placeOf(citation),
    quotes: quote === "" ? [] : [quote],
  };
}

/** A search result's source may be an address, or only a name. */
function addressIn(source: string): string {
  return /^https?:/i.test(source) ? source : "";
}

function placeOf(citation: Fields): string {
  const first = citation["start_page_number"];
  if (typeof first !== "number") return "";
  const end = citation["end_page_number"];
  const last = typeof end === "number" ? end - 1 : first; // the end is exclusive
  return last > first ? strings.pages(first, last) : strings.page(first);
}

function textIn(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}
