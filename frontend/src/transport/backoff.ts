/** How long to wait before the next attempt. */

const FIRST_MS = 500;
const MOST_MS = 30_000;
/** Somebody who looks at the page should not have to wait for long. */
const MOST_IN_SIGHT_MS = 5_000;

/**
 * Full jitter: anything up to 0.5 s, 1 s, 2 s … 30 s, so that the clients of a server
 * that restarts do not all come back at once.
 *
 * @param attempt how many attempts failed before, from 0
 * @param random a number from 0 to 1
 * @param isInSight whether somebody may look at the page: then it is 5 s at most
 * @param leastMs what the server asked for; some jitter goes on top
 */
export function backoffMs(
  attempt: number,
  random: number,
  isInSight: boolean,
  leastMs = 0,
): number {
  const bound = isInSight ? MOST_IN_SIGHT_MS : MOST_MS;
  const most = Math.min(bound, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.min(leastMs, MOST_MS) + random * most;
}

/** When the whole seconds that are left until `until` become fewer. */
export function nextSecond(until: number, now: number): number {
  const seconds = Math.max(1, Math.ceil((until - now) / 1000));
  return until - 1000 * (seconds - 1);
}
