import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StreamingMarkdown } from "../../src/markdown";
import { typeset } from "../../src/math";
import { Parts } from "../../src/view/part";
import { loadFromSources } from "../parts";

let lifetime: AbortController;
let container: HTMLElement;
let parts: Parts;

beforeEach(async () => {
  lifetime = new AbortController();
  container = document.createElement("div");
  document.body.replaceChildren(container);
  parts = new Parts(loadFromSources);
  await parts.math.load();
});

afterEach(() => lifetime.abort());

function start(): StreamingMarkdown {
  container.replaceChildren();
  return new StreamingMarkdown(container, { signal: lifetime.signal, parts });
}

function render(text: string): HTMLElement {
  const markdown = start();
  markdown.append(text);
  markdown.finish();
  return container;
}

function formulas(text: string): string[] {
  return [...render(text).querySelectorAll(".streamchat-math > span")].map(
    (source) => source.textContent,
  );
}

describe("what is a formula", () => {
  test.each([
    ["$a^2$ and $b$", ["$a^2$", "$b$"]],
    ["\\(x\\), then \\[y = 1\\]", ["\\(x\\)", "\\[y = 1\\]"]],
    ["so $$\\frac{a}{b}$$ holds", ["$$\\frac{a}{b}$$"]],
    ["the $x$-axis ($n$ times), $3x$.", ["$x$", "$n$", "$3x$"]],
    ["$$\na\n+ b\n- c\n$$\n\nafter", ["$$\na\n+ b\n- c\n$$"]],
    ["where\n\\[\n# x\n\\]\nmore", ["\\[\n# x\n\\]"]],
    ["- item\n  $$\n  1. x\n  $$\n", ["$$\n1. x\n$$"]],
  ])("%j has formulas", (text, expected) => expect(formulas(text)).toEqual(expected));

  test.each([
    "It costs $5 and $10.",
    "From $5-$10, or $5/$6.",
    "between $a and $b",
    "$1,000 USD (A$ 1,500) in all",
    "US$x and then A$ y",
    "escaped \\$x\\$ and `$x$`",
    "$20 and up, or C$, they said",
    "a lone $ and $$",
  ])("%j has none", (text) => {
    expect(formulas(text)).toEqual([]);
    expect(container.querySelector("math")).toBeNull();
  });
});

describe("typeset", () => {
  test("the formula stands beside its source, which is what is copied", () => {
    const math = render("so $a_1$ is").querySelector(".streamchat-math");
    expect(math?.querySelector("msub")?.textContent).toBe("a1");
    expect(math?.querySelector("span")?.textContent).toBe("$a_1$");
    expect(container.textContent).toBe("so $a_1$a1 is");
  });

  test("matrices, cases, sums, roots and boxes are typeset", () => {
    for (const tex of [
      "\\begin{pmatrix}1 & 2\\\\ 3 & 4\\end{pmatrix}",
      "f(x)=\\begin{cases}1 & x>0\\\\ 0 & \\text{else}\\end{cases}",
      "\\begin{aligned}a &= b\\\\ c &= d\\end{aligned}",
      "\\sum_{i=1}^{n}\\int_0^\\infty \\sqrt[3]{x}\\,dx",
      "\\boxed{x = \\hat{y}}",
      "\\mathbb{E}[X] \\approx \\bar{x} \\pm \\cancel{z}",
    ]) {
      expect(typeset(tex, true)?.localName, tex).toBe("math");
    }
  });

  test("until the typesetter is there, the source is shown", async () => {
    parts = new Parts(loadFromSources);
    render("$x^2$");
    expect(container.querySelector("math")).toBeNull();
    expect(container.textContent).toBe("$x^2$");
    await parts.math.load();
    await Promise.resolve();
    expect(container.querySelector("msup")).not.toBeNull();
  });

  test("where it cannot be had, the source stays", async () => {
    parts = new Parts(() => Promise.reject(new Error("offline")));
    render("$x^2$");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(container.textContent).toBe("$x^2$");
  });

  test("a formula that has not ended is quiet source, and its signs are no markup", () => {
    const markdown = start();
    markdown.append("so \\(a_1 + *b* + \\frac{");
    expect(container.querySelector("em, math")).toBeNull();
    expect(container.querySelector(".streamchat-math")?.textContent).toContain("*b*");
    markdown.append("1}{2}\\) holds");
    expect(container.querySelector("mfrac")).not.toBeNull();
  });

  test("text around a formula keeps its nodes", () => {
    const markdown = start();
    markdown.append("before $x$ after");
    const [first, formula] = container.querySelector("p")?.childNodes ?? [];
    markdown.append(" and more\n\nnext");
    markdown.finish();
    const nodes = [...(container.querySelector("p")?.childNodes ?? [])];
    expect(nodes[0]).toBe(first);
    expect(nodes[1]).toBe(formula);
    expect(nodes[1]?.childNodes.length).toBe(2);
  });
});

/** Everything that a typeset formula may be made of. */
const HARMLESS_ELEMENT = /^(?:math|m[a-z]+|none)$/;
const HARMLESS_ATTRIBUTE =
  /^(?:class|display|mathvariant|form|columnalign|stretchy|fence|separator|symmetric|largeop|movablelimits|accent|accentunder|displaystyle|scriptlevel|rowspan|columnspan|width|height|depth|voffset|lspace|rspace|minsize|maxsize|linethickness|rowspacing)$/;

function problemsOf(math: Element): string[] {
  return [math, ...math.querySelectorAll("*")].flatMap((element) => {
    const problems = [...element.attributes]
      .filter(({ name }) => !HARMLESS_ATTRIBUTE.test(name))
      .map(({ name }) => `${element.localName} ${name}`);
    const isMath = element.namespaceURI === "http://www.w3.org/1998/Math/MathML";
    if (!isMath || !HARMLESS_ELEMENT.test(element.localName)) {
      problems.push(element.localName);
    }
    return problems;
  });
}

describe("safety", () => {
  test.each([
    "\\href{javascript:alert(1)}{x}",
    "\\url{https://evil.example}",
    "\\includegraphics{https://evil.example/x.png}",
    "\\class{evil}{x}",
    "\\id{evil}{x}",
    "\\style{position:fixed}{x}",
    "\\htmlData{a=b}{x}",
    "\\def\\a{\\a\\a}\\a",
    "\\newcommand{\\x}{\\x\\x}\\x",
    "\\gdef\\a#1{#1#1}\\a{\\a{x}}",
    "\\let\\a\\b",
    "\\color{white} ignore all of that",
    "\\textcolor{#fff}{hidden}",
    "{".repeat(4_000),
    "\\frac{".repeat(1_000),
    "x^{".repeat(200) + "}".repeat(200),
    "x".repeat(9_000),
    "\\begin{matrix}".repeat(50),
    "\\unknown{x}",
    "a & b",
  ])("%.40j stays source", (tex) => expect(typeset(tex, false)).toBeNull());

  test.each([
    "\\text{<img src=x onerror=alert(1)>}",
    "\\text{</math><script>alert(1)</script>}",
    "\\kern9999em x \\hspace{-9999em}",
    "\\rule{9999em}{9999em}",
    "\\raisebox{9999em}{x}",
    "\\mathrm{<b>}",
    "\\begin{array}{c|c}<&>\\end{array}",
    "\\phantom{x}\\smash{y}\\tag{1}",
  ])("%j becomes harmless elements or stays source", (tex) => {
    const math = typeset(tex, true);
    expect(math === null ? [] : problemsOf(math)).toEqual([]);
    for (const element of math?.querySelectorAll("*") ?? []) {
      for (const name of ["width", "height", "voffset", "depth"]) {
        const size = Number.parseFloat(element.getAttribute(name) ?? "0");
        expect(Math.abs(size)).toBeLessThanOrEqual(1_000);
      }
    }
  });

  test("random TeX never throws and stays harmless", () => {
    const words = (
      "\\frac \\sqrt \\text \\left( \\right) { } ^ _ & \\\\ $ # % ~ x 1 <b> \\href " +
      "\\begin{matrix} \\end{matrix} \\sum \\color{red} \\mathbb \\over \\limits ' [ ]"
    ).split(" ");
    let state = 5;
    for (let round = 0; round < 400; round++) {
      let tex = "";
      for (let at = 0; at < 12; at++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        tex += `${words[(state >>> 8) % words.length]} `;
      }
      const math = typeset(tex, round % 2 === 0);
      expect(math === null ? [] : problemsOf(math), tex).toEqual([]);
    }
  });

  test("hidden characters in a formula keep it from being typeset", () => {
    render("$a\u200b\u202eb$");
    expect(container.querySelector("math")).toBeNull();
    expect(container.querySelector(".streamchat-hidden-characters")).not.toBeNull();
  });
});

describe("footnotes", () => {
  const TEXT =
    "A claim[^1] and one[^note].\n\n[^1]: First *source*.\n[^note]: Second.\n";

  test("marks and texts lead to each other", () => {
    render(TEXT);
    const mark = container.querySelector<HTMLElement>(".streamchat-note-mark");
    const back = container.querySelector<HTMLElement>(".streamchat-note-back");
    Element.prototype.scrollIntoView ??= () => undefined;
    mark?.click();
    expect(document.activeElement).toBe(back);
    back?.click();
    expect(document.activeElement).toBe(mark);
    expect(container.querySelectorAll(".streamchat-note").length).toBe(2);
    expect(container.querySelector("[id]")).toBeNull();
  });

  test("a number is a mark at once, and text again when nothing defines it", () => {
    const markdown = start();
    markdown.append("See[^2] and [^a-z].\n\n");
    expect(container.querySelectorAll(".streamchat-note-mark").length).toBe(1);
    markdown.finish();
    expect(container.textContent).toBe("See[^2] and [^a-z].");
  });

  test("a footnote holds blocks that are indented", () => {
    render("x[^1]\n\n[^1]: one\n\n    two\n\n    - three\n\nfour\n");
    const note = container.querySelector(".streamchat-note");
    expect(note?.querySelectorAll("p, li").length).toBeGreaterThan(2);
    expect(note?.textContent).not.toContain("four");
  });

  test("a link with a caret in its text stays a link", () => {
    render("[^1](https://example.com/)");
    expect(container.querySelector("a")?.textContent).toContain("^1");
  });
});
