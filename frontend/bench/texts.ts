/** Four texts that a markdown renderer has to stream, made without chance. */

const SENTENCE =
  "The table below shows **how** the `value` of each [item](https://example.com/a) grows over time, with *some* care. ";

function section(number: number): string {
  return [
    `## Part ${number}\n`,
    `${SENTENCE.repeat(3)}\n`,
    "- first point about the matter\n- second point, with `code`\n  - nested point\n- third point\n",
    `${SENTENCE.repeat(2)}\n`,
    "```python\ndef part(x: int) -> int:\n    total = 0\n    for i in range(x):\n        total += i * x\n    return total\n```\n",
    "| name | count | note |\n|------|------:|------|\n| Ada | 12 | **first** |\n| Grace | 7 | `x` |\n",
    `> ${SENTENCE}\n`,
  ].join("\n");
}

function repeatTo(length: number, piece: (number: number) => string): string {
  let text = "";
  for (let number = 1; text.length < length; number++) text += piece(number);
  return text.slice(0, length);
}

export interface BenchText {
  readonly name: string;
  readonly text: string;
  readonly chunks: number;
  /** Goal for the whole text, in ms of main thread. */
  readonly goalMs: number;
}

export const texts: readonly BenchText[] = [
  { name: "20 kB document", chunks: 589, goalMs: 150, text: repeatTo(20_000, section) },
  {
    name: "200 kB document",
    chunks: 2986,
    goalMs: 2000,
    text: repeatTo(200_000, section),
  },
  {
    name: "20 kB list",
    chunks: 589,
    goalMs: 300,
    text: repeatTo(
      20_000,
      (number) => `- item **${number}** with \`code\` and words\n`,
    ),
  },
  {
    name: "200 kB code block",
    chunks: 2986,
    goalMs: 2000,
    text: `\`\`\`python\n${repeatTo(200_000, (number) => `    total_${number} = compute(total_${number - 1}, rate=0.5)\n`)}`,
  },
];
