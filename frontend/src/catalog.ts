/** The words of the chat in the language that is shown, one for all files of a page. */

import { build } from "./build";

/** Every language that there is. English is built in, each other has its own file. */
export const LANGUAGES = ["en", "de"] as const;

export type Language = (typeof LANGUAGES)[number];

/** Catalogs by their names. */
export type Translation = Readonly<Record<string, object>>;

interface Catalog {
  readonly english: object;
  /** What everybody reads the words from. */
  readonly shown: object;
}

/** Files of one build share it, though they share no modules. */
interface Speech {
  language: Language;
  /** The one that was asked for last. */
  wanted: Language;
  /** Whether somebody asked for it by name. */
  isChosen: boolean;
  translation: Translation;
  readonly catalogs: Record<string, Catalog>;
  readonly listeners: Set<() => void>;
}

const registry = globalThis as unknown as Record<symbol, Speech | undefined>;
const key = Symbol.for(`streamchat_nb.language.${build}`);
registry[key] ??= {
  language: "en",
  wanted: "en",
  isChosen: false,
  translation: {},
  catalogs: {},
  listeners: new Set(),
};

/** What this page speaks; `view/language.ts` decides. */
export const speech: Speech = registry[key];

/** The language of the words that are shown now. */
export function language(): Language {
  return speech.language;
}

/**
 * Return the words of a catalog, which are always those of the language that is shown.
 *
 * @param english the words of the first file that asks are kept for all
 */
export function catalog<Words extends object>(name: string, english: Words): Words {
  speech.catalogs[name] ??= {
    english,
    shown: { ...english, ...speech.translation[name] },
  };
  return speech.catalogs[name].shown as Words;
}

/** Show another language, and tell those who listen. */
export function showLanguage(chosen: Language, translation: Translation): void {
  if (chosen === speech.language) return;
  speech.language = chosen;
  speech.translation = translation;
  for (const [name, { english, shown }] of Object.entries(speech.catalogs)) {
    Object.assign(shown, english, translation[name]);
  }
  for (const listener of speech.listeners) listener();
}

/** Call `listener` whenever another language is shown, until `signal` aborts. */
export function onLanguage(listener: () => void, signal: AbortSignal): void {
  speech.listeners.add(listener);
  const forget = (): boolean => speech.listeners.delete(listener);
  signal.addEventListener("abort", forget, { once: true });
}
