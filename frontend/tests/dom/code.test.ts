import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CodeRun, type Highlight, StreamingMarkdown } from "../../src/markdown";
import { diffLines } from "../../src/markdown/diff";
import { type NotebookHost, registerNotebookHost } from "../../src/notebook_host";
import { DiffView } from "../../src/view/diff_view";
import { Parts } from "../../src/view/part";
import { loadFromSources } from "../parts";

let lifetime: AbortController;
let container: HTMLElement;

beforeEach(() => {
  lifetime = new AbortController();
  container = document.createElement("div");
  document.body.replaceChildren(container);
  Element.prototype.scrollIntoView ??= () => undefined;
});

afterEach(() => lifetime.abort());

function start(highlight?: Highlight): StreamingMarkdown {
  const parts = new Parts(loadFromSources);
  const { signal } = lifetime;
  return new StreamingMarkdown(container, {
    ...{ signal, parts, highlight: highlight ?? parts.highlight },
  });
}

function render(text: string, highlight?: Highlight): StreamingMarkdown {
  const markdown = start(highlight);
  markdown.append(text);
  markdown.finish();
  return markdown;
}

async function found(selector: string): Promise<HTMLElement> {
  return await vi.waitFor(() => {
    const element = container.querySelector<HTMLElement>(selector);
    if (element === null) throw new Error(`There is no ${selector}.`);
    return element;
  });
}

function codeText(): string {
  return [...container.querySelectorAll(".streamchat-code-lines")]
    .map((group) => group.textContent)
    .join("\n");
}

function button(label: string): HTMLButtonElement {
  const all = [...container.querySelectorAll("button")];
  return all.find((one) => one.textContent === label) as HTMLButtonElement;
}

const LINES = Array.from({ length: 60 }, (_, at) => `x${at} = "s"`);

/** Colours what stands in quotes. */
const quotes: Highlight = async (text) =>
  text
    .split(/("s")/)
    .map((part): CodeRun => ({ text: part, scope: part === '"s"' ? "string" : "" }));

describe("colours", () => {
  test("come in groups of lines while the code still comes, text unchanged", async () => {
    const asked: string[] = [];
    const markdown = start((code, language) => {
      asked.push(code);
      return quotes(code, language);
    });
    markdown.append(`\`\`\`Python\n${LINES.slice(0, 40).join("\n")}\n`);
    await vi.waitFor(() => expect(asked.length).toBe(2));
    const first = container.querySelector(".streamchat-code-lines span");
    expect(codeText()).toBe(LINES.slice(0, 40).join("\n"));
    markdown.append(`${LINES.slice(40).join("\n")}\n\`\`\`\n`);
    markdown.finish();
    await vi.waitFor(() => {
      expect(container.querySelectorAll(".streamchat-code-string").length).toBe(60);
    });
    expect(codeText()).toBe(LINES.join("\n"));
    // Each line once, and what was settled is still what it was.
    expect(asked.join("")).toBe(`${LINES.join("\n")}\n`);
    expect(container.querySelector(".streamchat-code-lines span")).toBe(first);
  });

  test("a string over many lines keeps its colour in the next group", async () => {
    const lines = Array.from({ length: 40 }, () => "  inside");
    render(`\`\`\`python\nx = """\n${lines.join("\n")}\n"""\ny = 1\n\`\`\`\n`);
    await vi.waitFor(() => {
      const groups = container.querySelectorAll(".streamchat-code-lines");
      expect(groups[1]?.querySelector("span")?.className).toBe(
        "streamchat-code-string",
      );
      const last = groups[2]?.querySelector(".streamchat-code-number");
      expect(last?.textContent).toBe("1");
    });
    expect(codeText()).toBe(`x = """\n${lines.join("\n")}\n"""\ny = 1`);
  });

  test("stay away when colouring fails, or no such language is known", async () => {
    render("```js\nlet a\n```\n", () => Promise.reject(new Error("offline")));
    await found(".streamchat-code-buttons > button:nth-child(4)");
    expect(codeText()).toBe("let a");
    render("```nonsense\nlet b\n```\n");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(container.textContent).toContain("let b");
  });

  test("wait until a selection in their lines is gone", async () => {
    const markdown = start((text) => Promise.resolve([{ text, scope: "keyword" }]));
    markdown.append("```js\nlet a\n");
    const node = container.querySelector(".streamchat-code-lines")?.firstChild as Text;
    const selection = document.getSelection() as Selection;
    selection.setBaseAndExtent(node, 0, node, 3);
    markdown.append("```\n");
    await found(".streamchat-code-buttons > button:nth-child(4)");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(selection.toString()).toBe("let");
    expect(container.querySelector(".streamchat-code-keyword")).toBeNull();
    selection.removeAllRanges();
    document.dispatchEvent(new Event("selectionchange"));
    expect(container.querySelector(".streamchat-code-keyword")?.textContent).toBe(
      "let a",
    );
  });

  test("of another text that took the place are the other text's", async () => {
    const markdown = render(`\`\`\`python\n${LINES.join("\n")}\n\`\`\`\n`, quotes);
    await found(".streamchat-code-string");
    markdown.finish('```python\nother = "s"\n```\n');
    await vi.waitFor(() => {
      expect(container.querySelectorAll(".streamchat-code-string").length).toBe(1);
    });
    expect(codeText()).toBe('other = "s"');
  });

  test("tell the lines of a patch apart", async () => {
    render("```diff\n--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same\n```\n");
    const added = await found(".streamchat-code-added");
    expect(added.textContent).toBe("+new");
    expect(container.querySelector(".streamchat-code-removed")?.textContent).toBe(
      "-old",
    );
    expect(codeText()).toBe("--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same");
  });
});

class Notebook implements NotebookHost {
  readonly did: string[] = [];
  isOpen = true;
  cell: string | undefined = undefined;

  hasNotebook(): boolean {
    return this.isOpen;
  }

  async insertCell(code: string, { run }: { readonly run: boolean }): Promise<void> {
    this.did.push(`${run ? "run" : "insert"} ${code}`);
  }

  async replaceCell(code: string): Promise<void> {
    this.did.push(`replace ${code}`);
  }

  async cellCode(): Promise<string> {
    if (this.cell === undefined) throw new Error("There is no cell.");
    return this.cell;
  }
}

describe("buttons", () => {
  test("code goes into the notebook around, as it is shown", async () => {
    const notebook = new Notebook();
    registerNotebookHost(notebook, lifetime.signal);
    render("```python\na = 1\nb = 2\n```\n");
    await vi.waitFor(() => expect(button("Insert as cell").hidden).toBe(false));
    button("Insert as cell").click();
    button("Insert and run").click();
    button("Replace cell").click();
    await vi.waitFor(() => {
      expect(notebook.did.sort()).toEqual([
        "insert a = 1\nb = 2",
        "replace a = 1\nb = 2",
        "run a = 1\nb = 2",
      ]);
    });
  });

  test("what would change in a cell is shown before it is replaced", async () => {
    const notebook = new Notebook();
    notebook.cell = "a = 1\nb = 3";
    registerNotebookHost(notebook, lifetime.signal);
    render("```python\na = 1\nb = 2\n```\n");
    await vi.waitFor(() => expect(button("Replace cell").hidden).toBe(false));
    button("Replace cell").click();
    const removed = await found(".streamchat-diff-removed");
    expect(removed.textContent).toBe("−b = 3");
    expect(notebook.did).toEqual([]);
    container.querySelector<HTMLElement>(".streamchat-replace-buttons button")?.click();
    await vi.waitFor(() => expect(notebook.did).toEqual(["replace a = 1\nb = 2"]));
  });

  test("without a notebook, while code comes, or for other texts there are none", async () => {
    render("```python\na\n```\n");
    await vi.waitFor(() => expect(button("Insert as cell").hidden).toBe(true));
    registerNotebookHost(new Notebook(), lifetime.signal);
    container.replaceChildren();
    render("```json\n{}\n```\n");
    await vi.waitFor(() => expect(button("Insert as cell").hidden).toBe(true));
    container.replaceChildren();
    start().append("```python\na\n");
    await vi.waitFor(() => expect(button("Insert as cell").hidden).toBe(true));
  });

  test("wrapping is switched on and off", async () => {
    render("```\nlong\n```\n");
    await vi.waitFor(() => expect(button("Wrap")).toBeDefined());
    button("Wrap").click();
    expect(button("Wrap").getAttribute("aria-pressed")).toBe("true");
    expect(container.querySelector(".streamchat-wrapped")).not.toBeNull();
  });
});

describe("differences", () => {
  test("lines and words that changed are told apart", () => {
    const view = new DiffView();
    view.update("keep\nold value\nend", "keep\nnew value\nend\nmore");
    const lines = [...view.element.children].map((line) => line.textContent);
    expect(lines).toEqual([" keep", "−old value", "+new value", " end", "+more"]);
    const words = [...view.element.querySelectorAll("mark")];
    expect(words.map((word) => word.textContent)).toEqual(["old", "new"]);
  });

  test("far lines that are the same are left out", () => {
    const before = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    const after = before.map((line, at) => (at === 25 ? "changed" : line));
    const view = new DiffView();
    view.update(before.join("\n"), after.join("\n"));
    expect(view.element.children.length).toBe(10);
    expect(view.element.firstElementChild?.textContent).toBe("⋯");
  });

  test("both texts can be read back from any difference", () => {
    let state = 3;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % below;
    };
    const text = (): string =>
      Array.from({ length: random(12) }, () => "ab cd".slice(random(4))).join("\n");
    for (let round = 0; round < 300; round++) {
      const [before, after] = [text(), text()];
      const lines = diffLines(before, after);
      const without = (kind: string): string =>
        lines
          .filter((line) => line.kind !== kind)
          .map(({ parts }) => parts.map((part) => part.text).join(""))
          .join("\n");
      expect(without("added")).toBe(before);
      expect(without("removed")).toBe(after);
    }
  });

  test("large texts are compared in bounded time", () => {
    const text = (seed: number): string =>
      Array.from({ length: 20_000 }, (_, at) => `${seed} ${at}`).join("\n");
    expect(diffLines(text(1), text(2)).length).toBe(40_000);
  });
});
