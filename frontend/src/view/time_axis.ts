/** Where moments of a turn lie on a line, and what stands along it. */

import type { TraceSpan } from "../protocol";
import { formatDuration, formatNumber } from "./formats";

const MOST_TICKS = 5;

/** A time in the words of a reader: "0 ms", "340 ms", "1.2 s", "1 min 5 s". */
export function formatTime(milliseconds: number): string {
  return milliseconds < 995
    ? `${formatNumber(milliseconds)} ms`
    : formatDuration(milliseconds);
}

/** The line from the first moment of a turn to its last. */
export class TimeAxis {
  /** How long it is, in milliseconds; never nothing. */
  readonly length_ms: number;
  /** The moments that are marked along it; the first is 0. */
  readonly ticks_ms: readonly number[];

  /** @param now_ms how far a turn has come that goes on */
  constructor(spans: readonly TraceSpan[], now_ms: number) {
    const ends = spans.map(({ end_ms }) => end_ms ?? now_ms);
    this.length_ms = Math.max(1, ...ends);
    const step = niceStep(this.length_ms / MOST_TICKS);
    const count = Math.floor(this.length_ms / step) + 1;
    this.ticks_ms = Array.from({ length: count }, (_, at) => at * step);
  }

  /** A moment's place along it, as a share of its length. */
  place(moment_ms: number): number {
    return Math.min(1, Math.max(0, moment_ms / this.length_ms));
  }
}

/** The least of 1, 2, 5, 10, … that is no less than what is asked for. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const factor = [1, 2, 5, 10].find((one) => one * power >= least) ?? 10;
  return factor * power;
}
