import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { highlight } from "../../src/highlight";
import { arrange, make } from "../../src/view/element";
import { formatDuration } from "../../src/view/formats";
import { Parts } from "../../src/view/part";
import { ThemeFollower } from "../../src/view/theme";
import { ThoughtView } from "../../src/view/thought";
import { systemDark } from "./browser_parts";

let lifetime: AbortController;

beforeEach(() => {
  lifetime = new AbortController();
  systemDark.set(false);
});

afterEach(() => {
  lifetime.abort();
  delete document.body.dataset["jpThemeLight"];
});

describe("the theme", () => {
  function follow(): HTMLElement {
    const element = make("div", "");
    new ThemeFollower(element, lifetime.signal);
    return element;
  }

  function toneOf(element: HTMLElement): (string | undefined)[] {
    return [element.dataset["tone"], element.dataset["palette"]];
  }

  test("follows the system where there is no JupyterLab", () => {
    const element = follow();
    expect(toneOf(element)).toEqual(["light", "own"]);
    systemDark.set(true);
    expect(toneOf(element)).toEqual(["dark", "own"]);
  });

  test("follows JupyterLab where there is one, with its colours", async () => {
    document.body.dataset["jpThemeLight"] = "false";
    const element = follow();
    expect(toneOf(element)).toEqual(["dark", "jupyter"]);
    document.body.dataset["jpThemeLight"] = "true";
    await Promise.resolve();
    expect(toneOf(element)).toEqual(["light", "jupyter"]);
  });

  test("that was chosen wears its own colours against JupyterLab's", () => {
    document.body.dataset["jpThemeLight"] = "true";
    const element = make("div", "");
    const theme = new ThemeFollower(element, lifetime.signal);
    theme.setTheme("dark");
    expect(toneOf(element)).toEqual(["dark", "own"]);
    theme.setTheme("auto");
    expect(toneOf(element)).toEqual(["light", "jupyter"]);
  });

  test("is left alone after the end", async () => {
    const element = follow();
    lifetime.abort();
    systemDark.set(true);
    document.body.dataset["jpThemeLight"] = "false";
    await Promise.resolve();
    expect(toneOf(element)).toEqual(["light", "own"]);
  });
});

describe("durations", () => {
  test.each([
    [4, "0.0 s"],
    [412, "0.4 s"],
    [9_949, "9.9 s"],
    [9_951, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 min 0 s"],
    [65_000, "1 min 5 s"],
  ])("%i ms are %s", (milliseconds, words) => {
    expect(formatDuration(milliseconds)).toBe(words);
  });
});

describe("arrange", () => {
  test("moves, adds and removes until the order is right", () => {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((id) =>
      make("i", id),
    ) as HTMLElement[];
    const parent = make("div", "", a as Node, b as Node, c as Node);
    arrange(parent, [c, d, a] as HTMLElement[]);
    expect([...parent.children].map((child) => child.className)).toEqual([
      "streamchat-c",
      "streamchat-d",
      "streamchat-a",
    ]);
    expect(b?.isConnected).toBe(false);
  });

  test("does not touch what is in order", async () => {
    const [a, b] = [make("i", "a"), make("i", "b")];
    const parent = make("div", "", a, b);
    const observer = new MutationObserver(() => undefined);
    observer.observe(parent, { childList: true });
    arrange(parent, [a, b]);
    expect(observer.takeRecords()).toEqual([]);
  });
});

describe("a thought", () => {
  test("is made when it is opened, and then appended to", () => {
    const view = new ThoughtView(lifetime.signal);
    view.update("First", false);
    expect(view.element.textContent).toBe("Thinking…");
    view.element.open = true;
    view.element.dispatchEvent(new Event("toggle"));
    const text = view.element.querySelector(".streamchat-thought-text");
    expect(text?.textContent).toBe("First");
    const node = text?.firstChild;
    view.update("First, second", true);
    expect(text?.textContent).toBe("First, second");
    expect(text?.firstChild).toBe(node);
    expect(view.element.querySelector("summary")?.textContent).toBe("Thought about it");
  });

  test("that is empty in the end is not shown", () => {
    const view = new ThoughtView(lifetime.signal);
    view.update("", false);
    expect(view.element.hidden).toBe(false);
    view.update("", true);
    expect(view.element.hidden).toBe(true);
  });
});

describe("the highlighter", () => {
  test("colours python, and its runs are the code", () => {
    const code = 'def f(x):\n    return "a<b" # <i>\n';
    const runs = highlight(code, "python") ?? [];
    expect(runs.map((run) => run.text).join("")).toBe(code);
    const scopeOf = (text: string) =>
      runs.find((run) => run.text.includes(text))?.scope;
    expect([scopeOf("def"), scopeOf('"a<b"'), scopeOf("# <i>")]).toEqual([
      "keyword",
      "string",
      "comment",
    ]);
  });

  test("does not know every language", () => {
    expect(highlight("x", "klingon")).toBeNull();
  });

  test("that cannot be fetched leaves code plain", async () => {
    const asked: string[] = [];
    const { highlight } = new Parts(async (name) => {
      asked.push(name);
      throw new TypeError("Failed to fetch");
    });
    expect(await highlight("x = 1", "python")).toBeNull();
    expect(await highlight("x = 2", "python")).toBeNull();
    expect(asked).toEqual(["highlight"]);
  });
});
