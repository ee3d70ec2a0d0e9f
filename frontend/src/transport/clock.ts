/** The time of a computer that may sleep. */

/** A step of the wall clock that is longer by this was not only lived through. */
const STEP_MS = 1_000;

/**
 * Milliseconds that only go forward and, unlike a browser's own such clock, count the
 * time for which the computer slept. A wall clock that is put forward looks like sleep.
 */
export class SleepingClock {
  readonly #awakeMs: () => number;
  readonly #wallMs: () => number;
  #awake: number;
  #wall: number;
  #sleptMs = 0;

  constructor(awakeMs = () => performance.now(), wallMs = () => Date.now()) {
    this.#awakeMs = awakeMs;
    this.#wallMs = wallMs;
    this.#awake = awakeMs();
    this.#wall = wallMs();
  }

  read(): number {
    const awake = this.#awakeMs();
    const wall = this.#wallMs();
    const missedMs = wall - this.#wall - (awake - this.#awake);
    if (missedMs > STEP_MS) {
      this.#sleptMs += missedMs;
    }
    this.#awake = awake;
    this.#wall = wall;
    return awake + this.#sleptMs;
  }
}
