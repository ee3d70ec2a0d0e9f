/** What a turn or a tool does: the server's own labels, in the language that is shown. */

import { removeHidden } from "../markdown/hidden";
import { strings } from "./strings";

type Label = keyof typeof strings.labels;

/** Labels that are always the same. */
const WHOLE: Readonly<Record<string, Label>> = {
  "Agent is thinking…": "thinking",
  "Agent is writing…": "writing",
  "Asking you…": "asking",
  "Searching the web…": "searching",
  "Reading a web page…": "reading",
  "Running code…": "running",
  "Working on a file…": "editing",
  "Waiting for the application…": "application",
};

type Pattern = readonly [RegExp, (found: string, other: string) => string];

/** Labels with something in them. */
const PATTERNS: readonly Pattern[] = [
  [
    /^Using (.+) and (\d+) more…$/,
    (names, more) => strings.toolRunning(strings.labelMore(names, Number(more))),
  ],
  [/^Using (.+)…$/, (names) => strings.toolRunning(names)],
  [/^Waiting for your approval of (.+)…$/, (names) => strings.labelApproval(names)],
  [/^Waiting for the kernel that lends (.+)…$/, (name) => strings.labelLender(name)],
  [
    /^Waiting for the kernel \(busy for (\d+) s\)…$/,
    (seconds) => strings.labelKernel(Number(seconds)),
  ],
];

/** A label in the words of the reader; one that an agent or a tool gave itself stays. */
export function labelWords(label: string): string {
  const shown = removeHidden(label);
  if (Object.hasOwn(WHOLE, shown)) return strings.labels[WHOLE[shown] as Label];
  for (const [pattern, words] of PATTERNS) {
    const found = pattern.exec(shown);
    if (found !== null) return words(found[1] ?? "", found[2] ?? "");
  }
  return shown;
}
