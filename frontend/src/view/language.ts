/** Which language the chat speaks: the one asked for, else that of its surroundings. */

import { LANGUAGES, type Language, showLanguage, speech } from "../catalog";
import type { ConnectionWords } from "../connection_words";
import type { More } from "./more_strings";
import type { LoadFile } from "./part";
import type { Strings } from "./strings";

/** All words of the chat in one language. */
export interface Catalogs {
  /** What a first answer needs. */
  readonly strings: Strings;
  /** What only parts need that are loaded later. */
  readonly more: More;
  /** What the connection says. */
  readonly connection: ConnectionWords;
}

/** What a language's file gives. */
interface LanguageFile {
  readonly catalogs: Catalogs;
}

const LOAD_TIMEOUT_MS = 3_000;

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
  if (chosen === "en") {
    showLanguage(chosen, {});
    return null;
  }
  if (chosen === speech.language) return null;
  return within(load(`language_${chosen}`)).then(
    (file) => {
      // Somebody may have asked for another one meanwhile.
      if (speech.wanted !== chosen) return;
      showLanguage(chosen, { ...(file as LanguageFile).catalogs });
    },
    () => undefined,
  );
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

async function within(loading: Promise<unknown>): Promise<unknown> {
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
