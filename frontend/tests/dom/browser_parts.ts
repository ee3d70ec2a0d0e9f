/** What jsdom has not and every browser has; layout has no sizes here anyway. */

class NoResizes implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver ??= NoResizes;

Blob.prototype.arrayBuffer ??= function (this: Blob): Promise<ArrayBuffer> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      resolve(Uint8Array.from(new Uint8Array(reader.result as ArrayBuffer)).buffer);
    });
    reader.readAsArrayBuffer(this);
  });
};

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
