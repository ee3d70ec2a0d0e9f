/** What views load when they need it, straight from the sources. */

import * as cell from "../src/cell";
import * as conversations from "../src/conversations";
import * as extras from "../src/extras";
import * as highlight from "../src/highlight";
import * as language_de from "../src/language_de";
import * as math from "../src/math";
import * as panel from "../src/panel";
import * as timing from "../src/timing";
import { type FileName, Parts } from "../src/view/part";

const FILES: Readonly<Record<FileName, unknown>> = {
  cell,
  extras,
  panel,
  conversations,
  timing,
  highlight,
  math,
  language_de,
};

/** Loads from the sources at once. */
export async function loadFromSources(name: FileName): Promise<unknown> {
  return FILES[name];
}

/** Parts that were loaded before. */
export async function loadedParts(): Promise<Parts> {
  const parts = new Parts(loadFromSources);
  await Promise.all([
    parts.extras.load(),
    parts.panel.load(),
    parts.timing.load(),
    parts.conversations.load(),
  ]);
  return parts;
}
