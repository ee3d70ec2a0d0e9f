import { expect, test } from "vitest";
import { Announcer } from "../../src/view/announcer";

const TEXT = `Sales **grew** in \`three\` of four regions. The west_coast lost.

| Region | Orders |
|---|---:|
| South | 1,102 |

- [x] Ask _the west_
- Done!
`;

test("a growing text is read out in sentences, each once and without its marks", () => {
  const announcer = new Announcer();
  const spoken: string[] = [];
  const note = (): void => {
    const now = [...announcer.element.children].map((one) => one.textContent ?? "");
    for (const words of now) if (!spoken.includes(words)) spoken.push(words);
  };
  for (let end = 1; end <= TEXT.length; end++) {
    announcer.sayGrowing("a", TEXT.slice(0, end));
    note();
  }
  announcer.sayRest("a", TEXT);
  note();
  expect(spoken).toEqual([
    "Sales grew in three of four regions.",
    "The west_coast lost.",
    ...["Region Orders", "South 1,102", "Ask the west", "Done!"],
  ]);
  expect(announcer.element.getAttribute("aria-live")).toBe("polite");
});
