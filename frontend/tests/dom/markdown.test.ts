import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StreamingMarkdown } from "../../src/markdown";

let lifetime: AbortController;
let container: HTMLElement;

beforeEach(() => {
  lifetime = new AbortController();
  container = document.createElement("div");
  document.body.replaceChildren(container);
});

afterEach(() => lifetime.abort());

function start(): StreamingMarkdown {
  container.replaceChildren();
  return new StreamingMarkdown(container, { signal: lifetime.signal });
}

/** The elements after appending the pieces, without finishing. */
function stream(...pieces: string[]): HTMLElement {
  const markdown = start();
  for (const piece of pieces) markdown.append(piece);
  return container;
}

function render(text: string): HTMLElement {
  const markdown = start();
  markdown.append(text);
  markdown.finish();
  return container;
}

/** Deterministic numbers in [0, 1). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const SAMPLE = `# Plan for *Tuesday*

Some **bold**, \`code\`, ~~old~~ and a [link](https://example.com/a?b=c "t") with
a hard break  
here, $a_1 + b_1$ and [late][ref]. Bare https://example.org/x, done.

- one
- two
  1. inner
  2. more

     a paragraph
- [x] ticked
- [ ] open

> A quote
> - with a list
lazy line

| name | n |
|:-----|--:|
| Ada  | 1 |
| *Bob* | 2 |

\`\`\`python
def f(x):
    return x * 2  # 😀

print(f(2))
\`\`\`

    indented code

Setext
------

***

![alt](https://evil.example/x.png) &amp; &copy; \u202Ehidden\u202C \u001b[31mred
<script>alert(1)</script>

So $$x^2$$ and \\(y\\), as said[^1][^late].

$$
a
+ b
$$

[^1]: A note
    that goes on
[^late]: Another

    - with a list
[ref]: https://example.net/late
`;

describe("structure", () => {
  test("headings, emphasis and code are elements", () => {
    render("## A *b* **c** `d` ~~e~~\n");
    expect(container.querySelector("h2")?.innerHTML).toBe(
      "A <em>b</em> <strong>c</strong> <code>d</code> <del>e</del>",
    );
  });

  test("a table has scoped heads, alignment and a body", () => {
    render("| a | b |\n|---|--:|\n| 1 | 2 |\n");
    const heads = [...container.querySelectorAll("th")];
    expect(heads.map((head) => [head.textContent, head.scope])).toEqual([
      ["a", "col"],
      ["b", "col"],
    ]);
    expect(container.querySelector("tbody td:last-child")?.className).toBe(
      "streamchat-align-right",
    );
  });

  test("a task list has ticked and empty boxes that cannot be changed", () => {
    render("- [x] done\n- [ ] open\n");
    const boxes = [...container.querySelectorAll("input")];
    expect(boxes.map((box) => [box.checked, box.disabled])).toEqual([
      [true, true],
      [false, true],
    ]);
  });

  test("an ordered list keeps its start", () => {
    render("3. three\n4. four\n");
    expect(container.querySelector("ol")?.start).toBe(3);
  });

  test("a long list goes on in another one, its numbers and its tightness too", () => {
    const items = Array.from({ length: 100 }, (_, at) => `${at + 5}. item ${at}`);
    render(items.join("\n"));
    const lists = [...container.querySelectorAll("ol")];
    expect(lists.map((list) => list.start)).toEqual([5, 37, 69, 101]);
    expect(container.querySelectorAll("li").length).toBe(100);
    expect(container.querySelector(".streamchat-loose")).toBeNull();
    render(items.join("\n\n"));
    expect(container.querySelectorAll("ol.streamchat-loose").length).toBe(4);
  });

  test("a code block shows its language and its exact text", () => {
    render("```python title=x\na = 1\n\n  b\n```\n");
    expect(container.querySelector(".streamchat-code-language")?.textContent).toBe(
      "python",
    );
    expect(container.querySelector("code")?.textContent).toBe("a = 1\n\n  b");
  });

  test("code longer than one group of lines keeps every line once", () => {
    const lines = Array.from({ length: 300 }, (_, at) => `line ${at}`);
    render(`\`\`\`\n${lines.join("\n")}\n\`\`\`\n`);
    const groups = [...container.querySelectorAll(".streamchat-code-lines")];
    expect(groups.length).toBe(19);
    expect(groups.map((group) => group.textContent).join("\n")).toBe(lines.join("\n"));
  });

  test("deep nesting ends somewhere", () => {
    render(`${">".repeat(5000)} x\n${"*".repeat(5000)}a${"*".repeat(5000)}`);
    let depth = 0;
    for (let at: Element | null = container; at; at = at.firstElementChild) depth += 1;
    expect(depth).toBeLessThan(120);
  });
});

describe("while it streams", () => {
  test("text without a line end is shown at once", () => {
    expect(stream("Good", " day a").textContent).toBe("Good day a");
  });

  test("an open strong run, code span or link is shown as what it will be", () => {
    expect(stream("a **bo").querySelector("strong")?.textContent).toBe("bo");
    expect(stream("a `co").querySelector("code")?.textContent).toBe("co");
    expect(stream("see [the docs](https://exa").textContent).toBe("see the docs");
  });

  test("a lone asterisk stays an asterisk", () => {
    expect(stream("a * 3 *").textContent).toBe("a * 3 *");
  });

  test("a first table row is a table before its second line came", () => {
    expect(stream("| a | b").querySelectorAll("th").length).toBe(2);
    expect(stream("| a | b |\n| -").querySelectorAll("th").length).toBe(2);
  });

  test("markers that may become several things are not shown yet", () => {
    expect(stream("text\n\n", "-").textContent).toBe("text");
    expect(stream("text\n", "--").querySelector("h2")).toBeNull();
    expect(stream("```py\nx\n", "``").querySelector("code")?.textContent).toBe("x");
  });

  test("settled elements are the same objects after more text", () => {
    const markdown = start();
    markdown.append("# One\n\nTwo\n\n- a\n- b\n");
    const kept = [...container.querySelectorAll("h1, p, li")];
    markdown.append("- c\n\nMore\n\n```\ncode\n");
    markdown.append("```\n\nEnd");
    markdown.finish();
    expect([...container.querySelectorAll("h1, p, li")].slice(0, kept.length)).toEqual(
      kept,
    );
    for (const element of kept) expect(element.isConnected).toBe(true);
  });

  test("growing text keeps its node, so a selection in it survives", () => {
    const markdown = start();
    markdown.append("Some words to select");
    const node = container.querySelector("p")?.firstChild as Text;
    const selection = document.getSelection() as Selection;
    selection.setBaseAndExtent(node, 5, node, 10);
    markdown.append(" and more **bold** text\nand");
    markdown.append(" more\n\nAnother paragraph");
    markdown.finish();
    expect(selection.toString()).toBe("words");
    expect(node.isConnected).toBe(true);
  });

  test("a settled element is never written to again", async () => {
    const markdown = start();
    markdown.append("First paragraph\n\n| a |\n|---|\n| 1 |\n\n");
    const records: MutationRecord[] = [];
    const observer = new MutationObserver((found) => records.push(...found));
    for (const settled of container.querySelectorAll("p, table")) {
      observer.observe(settled, {
        childList: true,
        characterData: true,
        subtree: true,
        attributes: true,
      });
    }
    for (const piece of ["Second ", "one\n\n", "- x\n", "- y\n\n", "```\nz\n```\n"]) {
      markdown.append(piece);
    }
    markdown.finish();
    records.push(...observer.takeRecords());
    await Promise.resolve();
    expect(records).toEqual([]);
  });

  test("a definition that comes late turns its references into links at the end", () => {
    const markdown = start();
    markdown.append("See [the docs].\n\nOther paragraph\n\n");
    const other = container.querySelectorAll("p")[1];
    markdown.append("[the docs]: https://example.com/docs\n");
    markdown.finish();
    expect(container.querySelector("a")?.href).toBe("https://example.com/docs");
    expect(container.querySelectorAll("p")[1]).toBe(other);
  });
});

describe("finish", () => {
  test("with the same text changes nothing", () => {
    const markdown = start();
    markdown.append("a\n\nb");
    const nodes = [...container.querySelectorAll("p")];
    markdown.finish("a\n\nb");
    expect([...container.querySelectorAll("p")]).toEqual(nodes);
  });

  test("with more text appends what is missing", () => {
    const markdown = start();
    markdown.append("a\n\nb");
    markdown.finish("a\n\nb and c");
    expect(container.textContent).toBe("ab and c");
  });

  test("with another text keeps the elements that are right", () => {
    const markdown = start();
    markdown.append("same\n\nold *text*\n\n```\nx\n```\n");
    const [same] = container.querySelectorAll("p");
    const code = container.querySelector(".streamchat-code");
    markdown.finish("same\n\nnew text\n\n```\ny\n```\n");
    expect(container.querySelectorAll("p")[0]).toBe(same);
    expect(container.querySelectorAll("p")[1]?.innerHTML).toBe("new text");
    expect(container.querySelector(".streamchat-code")).toBe(code);
    expect(container.querySelector("code")?.textContent).toBe("y");
  });

  test("with a shorter text leaves nothing behind", () => {
    const markdown = start();
    markdown.append(
      Array.from({ length: 100 }, (_, at) => `paragraph ${at}`).join("\n\n"),
    );
    markdown.finish("only this");
    expect(container.innerHTML).toBe(
      '<div class="streamchat-section"><p>only this</p></div>',
    );
  });

  test("again after a finish with another text shows that text", () => {
    const markdown = start();
    markdown.append("first");
    markdown.finish();
    markdown.finish("second");
    expect(container.textContent).toBe("second");
  });
});

describe("pieces", () => {
  test("however a text is cut, the finished elements are the same", () => {
    const whole = render(SAMPLE).innerHTML;
    const random = makeRandom(7);
    for (let round = 0; round < 60; round++) {
      const markdown = start();
      const longest = 1 + Math.floor(random() * 40);
      for (let at = 0; at < SAMPLE.length; ) {
        const end = at + 1 + Math.floor(random() * longest);
        markdown.append(SAMPLE.slice(at, end));
        at = end;
      }
      markdown.finish();
      expect(container.innerHTML).toBe(whole);
    }
  });

  test("random markdown, cut at random, ends as in one piece", () => {
    const random = makeRandom(99);
    const parts = [
      ..."*_`~[]()!<>#-+=|:.\\&$\t \n\n\n",
      ..."ab1",
      "```",
      "- ",
      "1. ",
      "> ",
      "    ",
      "| a | b |\n|--|--|\n",
      "[x]: http://e.example\n",
      "[x]",
      "**",
      "[ ] ",
      "\r\n",
      "😀",
      "http://h.example",
      "$$\n",
      "$x^2$",
      "\\(y",
      "\\]",
      "\\[\n",
      "[^1]",
      "\n[^1]: n\n",
      "[^a]",
      "| c | d |\n",
      "\n- [x] t\n",
    ];
    const rounds = Number(process.env["STREAMCHAT_FUZZ_ROUNDS"] ?? 600);
    for (let round = 0; round < rounds; round++) {
      let text = "";
      const length = Math.floor(random() * 60);
      for (let at = 0; at < length; at++) {
        text += parts[Math.floor(random() * parts.length)];
      }
      const whole = render(text).innerHTML;
      const markdown = start();
      for (let at = 0; at < text.length; ) {
        const end = at + 1 + Math.floor(random() * 6);
        markdown.append(text.slice(at, end));
        at = end;
      }
      markdown.finish();
      expect(container.innerHTML, JSON.stringify(text)).toBe(whole);
    }
  });
});
