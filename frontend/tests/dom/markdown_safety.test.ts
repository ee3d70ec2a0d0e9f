import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StreamingMarkdown } from "../../src/markdown";
import { nameWithCorpus, readCorpus } from "../corpora";

/** Every element and attribute that a model's text may lead to. */
const ALLOWED: Record<string, readonly string[]> = {
  a: ["href", "target", "rel", "title"],
  blockquote: [],
  br: [],
  button: ["type", "aria-label"],
  code: [],
  del: [],
  div: ["tabindex"],
  em: [],
  h1: [],
  h2: [],
  h3: [],
  h4: [],
  h5: [],
  h6: [],
  hr: [],
  img: ["src", "alt", "decoding"],
  input: ["type", "disabled", "aria-label"],
  li: [],
  ol: ["start"],
  p: [],
  pre: ["tabindex"],
  span: ["title", "aria-hidden"],
  strong: [],
  table: [],
  tbody: [],
  td: [],
  th: ["scope"],
  thead: [],
  tr: [],
  ul: [],
};
const OWN_CLASS = /^streamchat-[a-z-]+$/;
const IMAGE = /^(?:data:image\/(?:png|jpeg|gif|webp);base64,|blob:)/;
const LINK = /^(?:https?:\/\/|mailto:)/;

let lifetime: AbortController;

beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

/** What is wrong with the elements of a rendered text; empty when nothing is. */
function findProblems(container: Element): string[] {
  return [...container.querySelectorAll("*")].flatMap((element) => {
    const problems = attributeProblems(element);
    if (element instanceof HTMLImageElement && !IMAGE.test(element.src)) {
      problems.push(`image ${element.src}`);
    }
    if (element instanceof HTMLAnchorElement) problems.push(...linkProblems(element));
    return problems;
  });
}

function attributeProblems(element: Element): string[] {
  const name = element.localName;
  const allowed = ALLOWED[name];
  if (allowed === undefined) return [`element ${name}`];
  const problems = [...element.classList]
    .filter((one) => !OWN_CLASS.test(one))
    .map((one) => `class ${one}`);
  for (const { name: attribute } of element.attributes) {
    if (attribute !== "class" && !allowed.includes(attribute)) {
      problems.push(`${name} ${attribute}`);
    }
  }
  return problems;
}

function linkProblems(anchor: HTMLAnchorElement): string[] {
  const problems: string[] = [];
  if (!LINK.test(anchor.href)) problems.push(`link ${anchor.href}`);
  if (anchor.origin === location.origin) problems.push(`own origin ${anchor.href}`);
  if (anchor.rel !== "noopener noreferrer") problems.push(`rel ${anchor.rel}`);
  if (anchor.target !== "_blank") problems.push(`target ${anchor.target}`);
  const destination = anchor.protocol === "mailto:" ? anchor.pathname : anchor.host;
  if (!anchor.textContent?.toLowerCase().includes(destination)) {
    problems.push(`hides its destination: ${anchor.outerHTML}`);
  }
  return problems;
}

function renderWhole(text: string): HTMLElement {
  const container = document.createElement("div");
  const markdown = new StreamingMarkdown(container, { signal: lifetime.signal });
  markdown.append(text);
  markdown.finish();
  return container;
}

/** Problems at any moment of a text that comes in pieces, and at its end. */
function problemsOfText(text: string): string[] {
  const problems = new Set(findProblems(renderWhole(text)));
  const container = document.createElement("div");
  const markdown = new StreamingMarkdown(container, { signal: lifetime.signal });
  const step = Math.max(3, Math.ceil(text.length / 24));
  for (let at = 0; at < text.length; at += step) {
    markdown.append(text.slice(at, at + step));
    for (const problem of findProblems(container)) problems.add(problem);
  }
  markdown.finish();
  for (const problem of findProblems(container)) problems.add(problem);
  return [...problems];
}

function expectHarmless(texts: readonly string[]): void {
  const problems = texts.flatMap((text) =>
    problemsOfText(text).map((problem) => `${problem} ← ${JSON.stringify(text)}`),
  );
  expect(problems.slice(0, 10)).toEqual([]);
}

describe("the checker", () => {
  test("sees what it is there to see", () => {
    const container = document.createElement("div");
    container.innerHTML =
      '<script></script><p onclick="x" id="y" class="z"></p><img src="https://e.example/">' +
      '<a href="javascript:x">x</a><a href="https://e.example/" rel="noopener noreferrer" target="_blank">x</a>';
    const problems = findProblems(container).join("\n");
    for (const part of [
      "script",
      "onclick",
      "id",
      "class z",
      "image",
      "link",
      "hides",
    ]) {
      expect(problems).toContain(part);
    }
  });
});

describe("corpora", () => {
  const exfiltration = readCorpus("own/markdown_exfil.json");
  test.skipIf(exfiltration === null)(
    nameWithCorpus("texts that want something fetched get nothing", exfiltration),
    () => {
      const vectors: { md: string }[] = JSON.parse(exfiltration ?? "[]");
      expect(vectors.length).toBeGreaterThan(1900);
      expectHarmless(vectors.map((vector) => vector.md));
    },
    180_000,
  );

  const scripts = readCorpus("xss/payloadbox/xss-payload-list.txt");
  test.skipIf(scripts === null)(
    nameWithCorpus("script payloads are text", scripts),
    () => {
      const lines = (scripts ?? "").split("\n").filter((line) => line.trim() !== "");
      expect(lines.length).toBeGreaterThan(6000);
      // Each alone costs minutes here; the browser tests take all of them one by one.
      expectHarmless(lines.filter((_line, at) => at % 8 === 0));
      const batch = 50;
      for (let at = 0; at < lines.length; at += batch) {
        const text = lines.slice(at, at + batch).join("\n\n");
        expect(findProblems(renderWhole(text))).toEqual([]);
      }
    },
    180_000,
  );

  for (const name of [
    "xss/payloadsallthethings/xss.json",
    "xss/awesomexss/lines.json",
  ]) {
    const corpus = readCorpus(name);
    test.skipIf(corpus === null)(
      nameWithCorpus(`${name} is text`, corpus),
      () => expectHarmless(JSON.parse(corpus ?? "[]")),
      180_000,
    );
  }

  const naughty = readCorpus("text/blns.json");
  test.skipIf(naughty === null)(
    nameWithCorpus("naughty strings are text", naughty),
    () => expectHarmless(JSON.parse(naughty ?? "[]")),
  );

  const smuggling = readCorpus("own/unicode_smuggling.json");
  test.skipIf(smuggling === null)(
    nameWithCorpus("hidden text is marked, in prose and in code", smuggling),
    () => {
      const vectors: { kind: string; text: string }[] = JSON.parse(smuggling ?? "[]");
      for (const { kind, text } of vectors) {
        if (kind === "fullwidth") continue; // Seen by everybody.
        for (const source of [text, `\`${text}\``, `\`\`\`\n${text}\n\`\`\``]) {
          const container = renderWhole(source);
          const marked =
            container.querySelector(".streamchat-hidden-characters") !== null ||
            /[\u2400-\u2421\uFFFD]/.test(container.textContent ?? "");
          expect(marked, `${kind}: ${JSON.stringify(source)}`).toBe(true);
          expect(findProblems(container)).toEqual([]);
          const left = /[\p{DI}\p{Co}\p{Cs}\u2028\u2029\u2800\u3164]/u;
          expect(left.test(container.textContent ?? ""), kind).toBe(false);
        }
      }
    },
  );

  const escapes = readCorpus("own/ansi.json");
  test.skipIf(escapes === null)(
    nameWithCorpus("terminal escapes are pictures of themselves", escapes),
    () => {
      const vectors: string[] = JSON.parse(escapes ?? "[]");
      for (const text of vectors) {
        for (const source of [text, `\`\`\`\n${text}\n\`\`\``]) {
          const shown = renderWhole(source).textContent ?? "";
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
          expect(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(shown)).toBe(false);
          if (text.includes("\u001b")) expect(shown).toContain("\u241b");
        }
      }
    },
  );
});

describe("links", () => {
  test("a web link says where it leads when its text does not", () => {
    const anchor = renderWhole("[bank](https://evil.example/x)").querySelector("a");
    expect(anchor?.textContent).toBe("bank (evil.example)");
  });

  test("a text that pretends to be another address is told apart", () => {
    const anchor = renderWhole(
      "[https://bank.example](https://evil.example/)",
    ).querySelector("a");
    expect(anchor?.textContent).toBe("https://bank.example (evil.example)");
  });

  test("an address that is its own text gets no addition", () => {
    const container = renderWhole("https://example.com/a and <mailto:a@example.com>");
    expect(container.textContent).toBe(
      "https://example.com/a and mailto:a@example.com",
    );
    expect(container.querySelectorAll("a").length).toBe(2);
  });

  test("addresses of this server, scripts and unknown schemes are text", () => {
    const own = `${location.origin}/api/shutdown`;
    const text = [
      `[a](${own})`,
      "[b](/lab)",
      "[c](javascript:alert(1))",
      "[d](vscode://x)",
    ];
    const container = renderWhole(text.join(" "));
    expect(container.querySelector("a")).toBeNull();
    expect(container.textContent).toBe("a b c d");
  });

  test("an address with a user name in it is text", () => {
    const container = renderWhole("[x](https://good.example@evil.example/)");
    expect(container.querySelector("a")).toBeNull();
  });
});

describe("images", () => {
  test("one with its bytes in it is shown", () => {
    const container = renderWhole("![dot](data:image/png;base64,iVBORw0KGgo=)");
    expect(container.querySelector("img")?.alt).toBe("dot");
  });

  test("a remote one is a link, a vector one is text", () => {
    const container = renderWhole(
      "![cat](https://evil.example/c.png) ![x](data:image/svg+xml;base64,AAAA)",
    );
    expect(container.querySelector("img")).toBeNull();
    expect(container.textContent).toBe("cat (evil.example) x");
    expect(container.querySelectorAll("a").length).toBe(1);
  });
});

describe("characters", () => {
  test("emoji and scripts keep the joiners they need", () => {
    const text = "👩‍💻 ❤️ नमस्‍ते";
    const container = renderWhole(text);
    expect(container.textContent).toBe(text);
    expect(container.querySelector(".streamchat-hidden-characters")).toBeNull();
  });

  test("a run of hidden characters is counted and named", () => {
    const mark = renderWhole("a\u202E\u2066b").querySelector<HTMLElement>("span");
    expect(mark?.textContent).toBe("[2 hidden characters]");
    expect(mark?.title).toBe("U+202E U+2066");
  });
});
