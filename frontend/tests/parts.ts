/** What views load when they need it, straight from the sources. */

import * as extras from "../src/extras";
import * as highlight from "../src/highlight";
import * as language_de from "../src/language_de";
import * as panel from "../src/panel";
import { type FileName, Parts } from "../src/view/part";

const FILES: Readonly<Record<FileName, unknown>> = {
  extras,
  panel,
  highlight,
  language_de,
};

/** Loads from the sources at once. */
export async function loadFromSources(name: FileName): Promise<unknown> {
  return FILES[name];
}

/** Parts that were loaded before. */
export async function loadedParts(): Promise<Parts> {
  const parts = new Parts(loadFromSources);
  await Promise.all([parts.extras.load(), parts.panel.load()]);
  return parts;
}
