/** The recorded logs that the folds of both languages are tested with. */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Event, WireConversationState } from "../src/protocol";

export interface RecordedLog {
  readonly name: string;
  readonly description: string;
  readonly events: readonly Event[];
  readonly state: WireConversationState;
  /** The user's messages of the branch that is shown. */
  readonly shown: readonly string[];
  /** The versions of each user's message. */
  readonly siblings: Readonly<Record<string, readonly string[]>>;
}

const folder = resolve(import.meta.dirname, "../../tests/fixtures/logs");

export const recordedLogs: readonly RecordedLog[] = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => ({
    name: file.replace(".json", ""),
    ...JSON.parse(readFileSync(join(folder, file), "utf8")),
  }));

export function recordedLog(name: string): RecordedLog {
  const log = recordedLogs.find((candidate) => candidate.name === name);
  if (log === undefined) {
    throw new Error(`There is no recorded log ${name}.`);
  }
  return log;
}
