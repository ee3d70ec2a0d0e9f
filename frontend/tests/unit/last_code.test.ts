import { expect, test } from "vitest";
import { lastCode } from "../../src/last_code";
import type { MessageState } from "../../src/view/types";

function message(role: "user" | "assistant", ...texts: string[]): MessageState {
  return {
    message: "m",
    role,
    author: { name: "Ada" },
    status: "complete",
    blocks: texts.map((text, at) => ({ block: `b${at}`, kind: "text", text })),
    actions: [],
  };
}

test("there is no last code where no answer has any", () => {
  expect(lastCode([])).toBeNull();
  expect(
    lastCode([message("user", "```\nx\n```"), message("assistant", "none")]),
  ).toBeNull();
});

test("the last code is the last block of the last answer that has one", () => {
  const messages = [
    message("assistant", "```python\nfirst()\n```"),
    message(
      "assistant",
      "a\n\n```python\nx = 1\n```\n\n- item\n\n  ```\n  y = 2\n  z = 3\n  ```\n\nend",
      "after",
    ),
    message("user", "```\nmine\n```"),
    message("assistant", "words"),
  ];
  expect(lastCode(messages)).toBe("y = 2\nz = 3");
});

test("code that still comes counts", () => {
  expect(lastCode([message("assistant", "```py\nx = 1\n\ny = ")])).toBe(
    "x = 1\n\ny = ",
  );
});
