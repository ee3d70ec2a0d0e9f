/** Corpora beside the checkout; tests that need one say so and skip without it. */

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";

const folder = resolve(
  process.env["STREAMCHAT_CORPORA"] ??
    resolve(import.meta.dirname, "../../../shared/corpora"),
);

/** The text of a corpus file, or null when it is not there. */
export function readCorpus(path: string): string | null {
  const file = resolve(folder, path);
  if (!existsSync(file)) return null;
  return readFileSync(file, "utf-8");
}

/** The name of a test, with the reason when its corpus is missing. */
export function nameWithCorpus(name: string, corpus: unknown): string {
  if (corpus !== null) return name;
  return `${name} (skipped: no corpus in ${folder}; set STREAMCHAT_CORPORA)`;
}
