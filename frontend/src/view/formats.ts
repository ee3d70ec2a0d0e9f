/** Numbers, sizes, durations and money as the reader's language writes them. */

import { language } from "../catalog";

/** A number, with at most `digits` after the point: "12,345", in German "12.345". */
export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString(language(), { maximumFractionDigits: digits });
}

/** What a count of things is called, by the rules of the language. */
export type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & {
  readonly other: string;
};

/** A count of things in words; `#` in them is the number. */
export function plural(count: number, forms: PluralForms): string {
  const form = new Intl.PluralRules(language()).select(count);
  return (forms[form] ?? forms.other).replace("#", formatNumber(count));
}

/** A duration in the words of a reader: "0.4 s", "12 s", "1 min 5 s". */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${formatFixed(seconds, 1)} s`;
  if (seconds < 59.5) return `${formatNumber(seconds)} s`;
  const whole = Math.round(seconds);
  return `${formatNumber(Math.floor(whole / 60))} min ${whole % 60} s`;
}

/** A size in the words of a reader: "512 bytes", "12 kB", "1.4 MB". */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) {
    const words = { style: "unit", unit: "byte", unitDisplay: "long" } as const;
    return bytes.toLocaleString(language(), words);
  }
  if (bytes < 999_500) return `${formatNumber(bytes / 1_000)} kB`;
  return `${formatFixed(bytes / 1_000_000, 1)} MB`;
}

/** Dollars with `digits` after the point: "$1.23", in German "1,23 $". */
export function formatDollars(dollars: number, digits: number): string {
  return dollars.toLocaleString(language(), {
    ...{ style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
}

function formatFixed(value: number, digits: number): string {
  return value.toLocaleString(language(), {
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
}
