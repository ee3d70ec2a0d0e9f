/** The language of the chat: chosen once, the same everywhere, English where all fails. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { catalog, language, onLanguage, showLanguage, speech } from "../../src/catalog";
import { formatBytes, formatDuration, plural } from "../../src/view/formats";
import { speak } from "../../src/view/language";
import { more } from "../../src/view/more_strings";
import { strings } from "../../src/view/strings";
import { formatCost } from "../../src/view/usage_words";
import { loadFromSources } from "../parts";

const never = (): Promise<never> => new Promise(() => undefined);

beforeEach(() => {
  showLanguage("en", {});
  speech.isChosen = false;
  document.documentElement.lang = "";
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a language", () => {
  test("that is asked for is spoken by all, also by what is loaded later", async () => {
    const heard = vi.fn();
    const lifetime = new AbortController();
    onLanguage(heard, lifetime.signal);

    await speak("de-AT", loadFromSources);
    expect(language()).toBe("de");
    expect([strings.send, more.save]).toEqual(["Senden", "Speichern"]);
    expect(catalog("strings", { send: "of a file that came later" })).toBe(strings);

    lifetime.abort();
    void speak("en", loadFromSources);
    expect([strings.send, more.save]).toEqual(["Send", "Save"]);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  test("is the page's", async () => {
    document.documentElement.lang = "de-CH";
    await speak("auto", loadFromSources);
    expect(language()).toBe("de");

    document.documentElement.lang = "en";
    expect(speak("auto", never)).toBeNull();
    expect(language()).toBe("en");
  });

  test("is the browser's where the page says nothing", async () => {
    vi.spyOn(navigator, "languages", "get").mockReturnValue(["fr-FR", "de", "en"]);
    await speak("auto", loadFromSources);
    expect(language()).toBe("de");
  });

  test("stays as it was asked for by name", async () => {
    await speak("de", loadFromSources);
    document.documentElement.lang = "en";
    expect(speak("auto", never)).toBeNull();
    expect(language()).toBe("de");
  });

  test("that there is not is English", () => {
    expect(speak("tlh", never)).toBeNull();
    expect(language()).toBe("en");
  });

  test("whose file fails or does not come leaves all as it was", async () => {
    await speak("de", async () => {
      throw new TypeError("Failed to fetch");
    });
    expect(strings.send).toBe("Send");

    vi.useFakeTimers();
    const speaking = speak("de", never);
    await vi.advanceTimersByTimeAsync(3_000);
    await speaking;
    expect(strings.send).toBe("Send");
  });

  test("that comes after another was asked for is not taken", async () => {
    let come = (_: unknown): void => undefined;
    const coming = new Promise((resolve) => {
      come = resolve;
    });
    const speaking = speak("de", () => coming);
    void speak("en", never);
    come(await loadFromSources("language_de"));
    await speaking;
    expect(language()).toBe("en");
  });
});

test("numbers, money, durations and plurals follow the language", async () => {
  const written = () => [
    more.tokens(12_345),
    more.tokens(1),
    formatCost(1.5),
    formatDuration(1_234),
    formatBytes(1_400_000),
    plural(0, { one: "# one", other: "# other" }),
  ];
  expect(written()).toEqual([
    ...["12,345 tokens", "1 token", "$1.50", "1.2 s", "1.4 MB", "0 other"],
  ]);
  await speak("de", loadFromSources);
  expect(written()).toEqual([
    ...["12.345 Tokens", "1 Token", "1,50\u00a0$", "1,2 s", "1,4 MB", "0 other"],
  ]);
});
