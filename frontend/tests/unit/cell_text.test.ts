import { describe, expect, test } from "vitest";
import {
  OUTPUT_CHARACTERS,
  quoteCell,
  quoteSources,
  SOURCE_CHARACTERS,
} from "../../../labextension/src/cell_text";
import { wordsFor } from "../../../labextension/src/words";

const words = wordsFor("en");
const cell = (source: string, outputs: Parameters<typeof quoteCell>[0]["outputs"]) => ({
  source,
  outputs,
  language: "python",
});

describe("a cell in a message", () => {
  test("is its source alone where it put nothing out", () => {
    expect(quoteCell(cell("x = 1\n", []), "`a.ipynb`", words)).toBe(
      "This cell of `a.ipynb`:\n\n```python\nx = 1\n```\n\n",
    );
  });

  test("has what it printed, showed and failed with, as text", () => {
    const quoted = quoteCell(
      cell("f()", [
        { output_type: "stream", name: "stdout", text: ["one\n", "two\n"] },
        {
          output_type: "execute_result",
          data: { "text/plain": "3", "text/html": "<b>3</b>" },
        },
        {
          output_type: "display_data",
          data: {
            "text/plain": "Chat()",
            "application/vnd.jupyter.widget-view+json": { model_id: "m" },
          },
        },
        {
          output_type: "error",
          ename: "ValueError",
          evalue: "no",
          traceback: ["\u001b[0;31mValueError\u001b[0m: no"],
        },
      ]),
      "`a.ipynb`",
      words,
    );

    expect(quoted).toContain(
      "Its output:\n\n```text\none\ntwo\n3\nValueError: no\n```",
    );
    expect(quoted).not.toContain("Chat()");
  });

  test("says what failed where there is no traceback", () => {
    const error = { output_type: "error", ename: "A", evalue: "b", traceback: [] };
    expect(quoteCell(cell("", [error]), "n", words)).toContain("A: b");
  });

  test("cannot break out of its fence", () => {
    const quoted = quoteCell(cell("'''\n````\n'''", []), "n", words);
    expect(quoted).toContain("`````python\n'''\n````\n'''\n`````");
  });

  test("keeps the beginning and the end of what is long, and says what is missing", () => {
    const source = `${"a".repeat(SOURCE_CHARACTERS)}END`;
    const text = `${"b".repeat(OUTPUT_CHARACTERS)}LAST`;
    const quoted = quoteCell(
      cell(source, [{ output_type: "stream", text }]),
      "n",
      words,
    );

    expect(quoted.length).toBeLessThan(SOURCE_CHARACTERS + OUTPUT_CHARACTERS + 200);
    expect(quoted).toContain("… 3 characters left out …");
    expect(quoted).toContain("… 4 characters left out …");
    expect(quoted).toMatch(/END\n```/);
    expect(quoted).toMatch(/LAST\n```/);
  });
});

test("a selection is its sources, one after the other", () => {
  const sources = [
    { source: "x", language: "python" },
    { source: "# T", language: "markdown" },
  ];
  expect(quoteSources(sources, "`a.ipynb`", wordsFor("de_DE"))).toBe(
    "Dieser Teil aus `a.ipynb`:\n\n```python\nx\n```\n\n```markdown\n# T\n```\n\n",
  );
});
