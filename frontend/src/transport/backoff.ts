/** How long to wait before the next attempt. */

const FIRST_MS = 500;
const MOST_MS = 30_000;

/**
 * Full jitter: anything up to 0.5 s, 1 s, 2 s … 30 s, so that the clients of a server
 * that restarts do not all come back at once.
 *
 * @param attempt how many attempts failed before, from 0
 * @param random a number from 0 to 1
 * @param leastMs what the server asked for; some jitter goes on top
 */
export function backoffMs(attempt: number, random: number, leastMs = 0): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.min(leastMs, MOST_MS) + random * most;
}
