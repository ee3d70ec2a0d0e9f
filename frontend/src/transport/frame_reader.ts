/** Reading what one socket receives; a delta may come as its text alone. */

import type { BlockDelta, Event, Frame } from "../protocol";
import { parseObject } from "./session";

/** What this client understands beyond the first version of the protocol. */
export const FEATURES: readonly string[] = ["short_deltas"];

export class FrameReader {
  /** The frame before, if it was a delta. */
  #delta: BlockDelta | null = null;

  /**
   * Read the next frame; a short delta becomes a whole one, with the time of the one
   * that it goes on with. `null` for what is none, and for a short delta that follows
   * no delta: what is missing then, the next event tells.
   */
  read(data: string): Frame | Event | null {
    const value = data.startsWith('"') ? this.#goOn(data) : parseObject(data);
    this.#delta = value?.type === "block.delta" ? value : null;
    return value;
  }

  #goOn(data: string): BlockDelta | null {
    const before = this.#delta;
    if (before === null) {
      return null;
    }
    try {
      const prev = before.seq ?? 0;
      return { ...before, seq: prev + 1, prev, delta: JSON.parse(data) as string };
    } catch {
      return null;
    }
  }
}
