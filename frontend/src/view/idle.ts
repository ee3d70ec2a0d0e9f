/** Work that nobody waits for: done piece by piece, whenever the browser has time. */

/** How long the pieces may take until all else has its turn, in milliseconds. */
const SLICE_MS = 8;
/** How long a busy browser may put them off, in milliseconds. */
const PATIENCE_MS = 200;
/** The same for a browser that does not say when it is idle: about a frame. */
const PAUSE_MS = 16;

export class IdleWork {
  readonly #work: (hasTime: () => boolean) => boolean;
  readonly #signal: AbortSignal;
  #isDue = false;

  /** @param work does pieces while there is time, and says whether more are left */
  constructor(work: (hasTime: () => boolean) => boolean, signal: AbortSignal) {
    this.#work = work;
    this.#signal = signal;
  }

  /** Call when there is something to do. */
  request(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    whenIdle(() => {
      this.#isDue = false;
      if (this.#signal.aborted) return;
      const end = performance.now() + SLICE_MS;
      if (this.#work(() => performance.now() < end)) this.request();
    });
  }
}

function whenIdle(call: () => void): void {
  if (typeof requestIdleCallback === "function") {
    requestIdleCallback(call, { timeout: PATIENCE_MS });
  } else {
    setTimeout(call, PAUSE_MS);
  }
}
