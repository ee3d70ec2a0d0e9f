/** Which language the chat speaks, the same for every file of it on a page. */

import { build } from "../build";
import type { More } from "./more_strings";
import type { LoadFile } from "./part";
import type { Strings } from "./strings";

/** Every language that there is. English is built in, each other has its own file. */
export const LANGUAGES = ["en", "de"] as const;

export type Language = (typeof LANGUAGES)[number];

/** All words of the chat in one language. */
export interface Catalogs {
  /** What a first answer needs. */
  readonly strings: Strings;
  /** What only parts need that are loaded later. */
  readonly more: More;
}

/** What a language's file gives. */
interface LanguageFile {
  readonly catalogs: Catalogs;
}

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
  /** Whether somebody asked for this language by name. */
  isChosen: boolean;
  translation: Partial<Catalogs>;
  readonly catalogs: Partial<Record<keyof Catalogs, Catalog>>;
  readonly listeners: Set<() => void>;
}

const LOAD_TIMEOUT_MS = 3_000;

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
const speech: Speech = registry[key];

/** The language of the words that are shown now. */
export function language(): Language {
  return speech.language;
}

/**
 * Return the words of a catalog, which are those of the language that is shown.
 *
 * @param english the words of the first file that asks are kept for all
 */
export function catalog<Words extends object>(
  name: keyof Catalogs,
  english: Words,
): Words {
  speech.catalogs[name] ??= {
    english,
    shown: { ...english, ...speech.translation[name] },
  };
  return speech.catalogs[name].shown as Words;
}

/**
 * Let the chat speak a language from now on.
 *
 * @param wanted a language's tag, or `auto`: the page's language, else the browser's;
 *   English in place of one that there is not
 * @returns `null` when that is so already, else what resolves once it is. A language
 *   whose file does not come within 3 s leaves all as it was; it never rejects.
 */
export function speak(wanted: string, load: LoadFile): Promise<void> | null {
  if (wanted === "auto" && speech.isChosen) return null;
  const chosen = closest(wanted === "auto" ? languagesAround() : [wanted]);
  speech.isChosen = wanted !== "auto";
  speech.wanted = chosen;
  if (chosen === "en") show("en", {});
  if (chosen === speech.language) return null;
  return loadWithin(load(`language_${chosen as Exclude<Language, "en">}`)).then(
    (file) => {
      // Somebody may have asked for another one meanwhile.
      if (speech.wanted === chosen) show(chosen, (file as LanguageFile).catalogs);
    },
    () => undefined,
  );
}

/** Call `listener` whenever another language is shown, until `signal` aborts. */
export function onLanguage(listener: () => void, signal: AbortSignal): void {
  speech.listeners.add(listener);
  const forget = (): boolean => speech.listeners.delete(listener);
  signal.addEventListener("abort", forget, { once: true });
}

function show(chosen: Language, translation: Partial<Catalogs>): void {
  if (chosen === speech.language) return;
  speech.language = chosen;
  speech.translation = translation;
  for (const [name, { english, shown }] of Object.entries(speech.catalogs)) {
    Object.assign(shown, english, translation[name as keyof Catalogs]);
  }
  for (const listener of speech.listeners) listener();
}

function languagesAround(): readonly string[] {
  const { lang } = document.documentElement;
  return lang === "" ? navigator.languages : [lang];
}

function closest(tags: readonly string[]): Language {
  for (const tag of tags) {
    const main = tag.toLowerCase().split(/[-_]/)[0];
    const found = LANGUAGES.find((known) => known === main);
    if (found !== undefined) return found;
  }
  return "en";
}

async function loadWithin(loading: Promise<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("It did not come.")), LOAD_TIMEOUT_MS);
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}
