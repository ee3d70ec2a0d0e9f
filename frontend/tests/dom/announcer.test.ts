import { expect, test } from "vitest";
import { Announcer } from "../../src/view/announcer";

const TEXT = `Sales **grew** in \`three\` of four regions. The west_coast lost.

| Region | Orders |
|---|---:|
| South | 1,102 |

- [x] Ask _the west_
- Done!
`;

/** What is said while a text comes in pieces of a length. */
function spokenOf(text: string, pieceLength: number): string[] {
  const announcer = new Announcer();
  const spoken: string[] = [];
  const note = (): void => {
    for (const one of announcer.element.children) spoken.push(one.textContent ?? "");
    announcer.element.replaceChildren();
  };
  for (let end = pieceLength; end <= text.length; end += pieceLength) {
    announcer.sayGrowing("a", text.slice(0, end));
    note();
  }
  announcer.sayRest("a", text);
  note();
  return spoken;
}

test("a growing text is read out in sentences, each once and without its marks", () => {
  expect(spokenOf(TEXT, 1)).toEqual([
    "Sales grew in three of four regions.",
    "The west_coast lost.",
    ...["Region Orders", "South 1,102", "Ask the west", "Done!"],
  ]);
  expect(new Announcer().element.getAttribute("aria-live")).toBe("polite");
});

const WITH_BLOCKS = `It is short:

1. \`\`\`\`python
   print("a. b")
   \`\`\`
   # still code.
   \`\`\`\`

The mean $\\mu$ costs $5, not $6. Then

$$
f(x) = 1. 2
$$

and \\[y = 2. \\] are equal. Not $$ one.

The end. Half of it

~~~
x. y
`;

test.each([1, 2, 7, 1_000])(
  "code and formulas are named, not read out, in pieces of %i",
  (pieceLength) => {
    expect(spokenOf(WITH_BLOCKS, pieceLength).join(" ")).toBe(
      "It is short: code. The mean formula costs $5, not $6. Then formula. " +
        "and formula. are equal. Not formula. The end. Half of it code.",
    );
  },
);

test("a text that was there before is not read out, nor its code that goes on", () => {
  const announcer = new Announcer();
  const before = "Before.\n\n~~~\nold = 1\n";
  announcer.skip("a", before);
  announcer.sayRest("a", `${before}new = 2\n~~~\nAfter.`);
  expect(announcer.element.textContent).toBe("After.");
});
