/** Every problem of the connection says what happened, what was kept and what to do. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import "./browser_parts";
import { showLanguage } from "../../src/catalog";
import {
  closedForGood,
  conversationMissing,
  interference,
  notInstalled,
  requestProblem,
  signedOut,
} from "../../src/connection_words";
import { catalogs } from "../../src/language_de";
import { ChatView } from "../../src/view/chat";
import type { ErrorBody } from "../../src/view/types";
import { loadedParts } from "../parts";
import { ScriptedModel } from "../scripted_model";

const PROBLEMS: Readonly<Record<string, () => ErrorBody>> = {
  "signed out": signedOut,
  "not installed": notInstalled,
  "a proxy answered": interference,
  "missing, in a cell": () => conversationMissing("widget"),
  "missing, on the page": () => conversationMissing("page"),
  "missing, elsewhere": () => conversationMissing("tool"),
  "closed for good": () => closedForGood(4409, "too many connections"),
  unreachable: () => requestProblem(null),
  forbidden: () => requestProblem(403),
  "not to be found": () => requestProblem(404),
  "a broken server": () => requestProblem(502),
};
/** What a reader can do, where no button does it. */
const TO_DO = {
  en: /Sign in|sign in|Install|Reload|Run the cell|Open this page|Start a new/,
  de: /anmelden|installieren|neu laden|ausführen|öffnen|beginnen/,
} as const;
const KEPT = {
  en: "What you wrote is kept.",
  de: "Das Geschriebene ist gesichert.",
} as const;

const parts = await loadedParts();
let lifetime: AbortController;

beforeEach(() => {
  lifetime = new AbortController();
  document.body.replaceChildren();
});

afterEach(() => {
  lifetime.abort();
  showLanguage("en", {});
});

describe.each(["en", "de"] as const)("in %s", (language) => {
  test.each(Object.entries(PROBLEMS))("%s", async (_, problemOf) => {
    if (language === "de") showLanguage("de", { ...catalogs });
    const model = new ScriptedModel();
    const { signal } = lifetime;
    const view = new ChatView(document.body, model, { signal, parts });
    const problem = problemOf();
    model.setConnection({
      ...{ transport: "offline", text: "Off", detail: problem.message, problem },
    });
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const shown = (part: string): string[] =>
      [
        ...view.element.querySelectorAll(
          `.streamchat-bottom .streamchat-notice-${part}`,
        ),
      ]
        .filter((one) => one.closest("[hidden]") === null)
        .map((one) => one.textContent ?? "");
    expect(shown("what")[0]).toMatch(/\w.*\.$/);
    expect(shown("detail")).toEqual([problem.message]);
    expect(problem.message).toMatch(/\.$/);
    expect(shown("kept")).toEqual([KEPT[language]]);
    const buttons = shown("remedies button");
    expect(buttons).toHaveLength(problem.retryable ? 1 : 0);
    if (!problem.retryable) expect(problem.message).toMatch(TO_DO[language]);
  });
});
