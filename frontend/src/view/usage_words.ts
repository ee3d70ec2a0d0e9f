/** What was used and what it cost, in the words of a reader. */

import type { Usage } from "../protocol";
import { make } from "./element";
import { formatDollars, formatNumber } from "./formats";
import { more } from "./more_strings";
import { tokensIn } from "./token_counts";

/** Dollars with the digits that matter: "$1.23", "$0.01", "$0.0040", "less than $0.0001". */
export function formatCost(dollars: number): string {
  if (dollars === 0) return formatDollars(0, 0);
  if (dollars < 0.0001) return more.lessThan(formatDollars(0.0001, 4));
  const isSmall = Number(dollars.toPrecision(2)) < 0.01;
  return formatDollars(dollars, isSmall ? significantDigits(dollars) : 2);
}

/** Digits after the point that leave two that matter of a share of a dollar. */
function significantDigits(dollars: number): number {
  return 1 - Math.floor(Math.log10(Number(dollars.toPrecision(2))));
}

/** Every count that the endpoint gave, each with its name. */
export function usageRows(usage: Usage): readonly (readonly [string, string])[] {
  const rows: readonly (readonly [string, number | null | undefined])[] = [
    [more.usageIn, tokensIn(usage)],
    [more.usageCacheRead, usage.cache_read_input_tokens],
    [more.usageCacheWritten, usage.cache_creation_input_tokens],
    [more.usageOut, usage.output_tokens],
    [more.usageSearches, usage.web_search_requests],
  ];
  return rows
    .filter(([name, count]) => count != null && (count > 0 || name === more.usageOut))
    .map(([name, count]) => [name, formatNumber(count ?? 0)]);
}

/** All tokens, in one number; empty where none were counted. */
export function totalTokens(usage: Usage): string {
  const counts = [tokensIn(usage), usage.output_tokens].filter((one) => one != null);
  if (counts.length === 0) return "";
  return more.tokens(counts.reduce((sum, count) => sum + count, 0));
}

/**
 * The cost, told for what it is; empty where nothing can have cost anything.
 *
 * @param unpriced how many answers in it have no known price
 */
export function costWords(cost: number | null | undefined, unpriced: number): string {
  if (cost == null) return unpriced > 0 ? more.unknownPrice : "";
  const words = more.estimated(formatCost(cost));
  return unpriced > 0 ? more.atLeast(words, unpriced) : words;
}

/** Names and what belongs to them. */
export function makeRows(rows: readonly (readonly [string, string])[]): HTMLElement {
  const list = make("dl", "rows");
  for (const [name, value] of rows) {
    list.append(make("dt", "", name), make("dd", "", value));
  }
  return list;
}
