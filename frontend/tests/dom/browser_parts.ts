/** What jsdom has not and every browser has; layout has no sizes here anyway. */

class NoResizes implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver ??= NoResizes;

/** A media query list whose answer tests may change. */
export class MediaQuery extends EventTarget {
  matches = false;

  set(matches: boolean): void {
    this.matches = matches;
    this.dispatchEvent(new Event("change"));
  }
}

/** The system's preference for dark colours. */
export const systemDark = new MediaQuery();

globalThis.matchMedia = ((query: string) => {
  if (query === "(prefers-color-scheme: dark)") return systemDark;
  return new MediaQuery();
}) as unknown as typeof matchMedia;
