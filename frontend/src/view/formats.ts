/** Numbers, sizes, durations and money as the reader's language writes them. */

import { language } from "../catalog";

// Making one of these costs a browser more than all that it is then used for.
const numberFormats = new Map<string, Intl.NumberFormat>();
const pluralRules = new Map<string, Intl.PluralRules>();

function format(value: number, options: Intl.NumberFormatOptions): string {
  const key = language() + JSON.stringify(options);
  let made = numberFormats.get(key);
  if (made === undefined) {
    made = new Intl.NumberFormat(language(), options);
    numberFormats.set(key, made);
  }
  return made.format(value);
}

/** A number, with at most `digits` after the point: "12,345", in German "12.345". */
export function formatNumber(value: number, digits = 0): string {
  // Nothing is between the digits of these, in any language there is here.
  if (Number.isInteger(value) && value >= 0 && value < 1_000) return String(value);
  return format(value, { maximumFractionDigits: digits });
}

/** What a count of things is called, by the rules of the language. */
export type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & {
  readonly other: string;
};

/** A count of things in words; `#` in them is the number. */
export function plural(count: number, forms: PluralForms): string {
  let rules = pluralRules.get(language());
  if (rules === undefined) {
    rules = new Intl.PluralRules(language());
    pluralRules.set(language(), rules);
  }
  const form = rules.select(count);
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
    return format(bytes, words);
  }
  if (bytes < 999_500) return `${formatNumber(bytes / 1_000)} kB`;
  return `${formatFixed(bytes / 1_000_000, 1)} MB`;
}

/** Dollars with `digits` after the point: "$1.23", in German "1,23 $". */
export function formatDollars(dollars: number, digits: number): string {
  return format(dollars, {
    ...{ style: "currency", currency: "USD", currencyDisplay: "narrowSymbol" },
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
}

function formatFixed(value: number, digits: number): string {
  return format(value, {
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits },
  });
}
