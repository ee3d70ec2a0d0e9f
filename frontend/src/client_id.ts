/** Who this seat is: an id that stays the same while its tab is reloaded. */

const KEY = "streamchat_nb.clients.";
/** Seats of one kind in one tab whose ids are remembered. */
const MOST_REMEMBERED = 32;

/** The parts of a window that are used. */
export type TabWindow = Pick<Window, "addEventListener" | "sessionStorage">;

/**
 * Take the id of a seat that this tab had before, or a new one.
 *
 * While it is in use it is not in the storage, where a copy of the tab would find it;
 * it goes back there when the page or the seat ends.
 *
 * @param kind what the seat is: ids of one kind are not used for another
 */
export function claimClientId(
  kind: string,
  window: TabWindow | undefined,
  signal: AbortSignal,
): string {
  const remembered = readIds(window, kind);
  const id = remembered.shift() ?? newId("b");
  let isHeld = true;
  writeIds(window, kind, remembered);
  const giveBack = (): void => {
    if (isHeld) {
      isHeld = false;
      writeIds(window, kind, [...readIds(window, kind), id]);
    }
  };
  window?.addEventListener("pagehide", giveBack, { signal });
  window?.addEventListener(
    "pageshow",
    () => {
      isHeld = true; // the page came back as it was
      writeIds(
        window,
        kind,
        readIds(window, kind).filter((other) => other !== id),
      );
    },
    { signal },
  );
  signal.addEventListener("abort", giveBack, { once: true });
  return id;
}

/** An id that nobody else has: 128 random bits. */
export function newId(prefix: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}_${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}

function readIds(window: TabWindow | undefined, kind: string): string[] {
  try {
    const ids: unknown = JSON.parse(window?.sessionStorage.getItem(KEY + kind) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => /^b_[0-9a-f]{32}$/.test(id)) : [];
  } catch {
    return []; // nothing of ours, or no storage
  }
}

function writeIds(
  window: TabWindow | undefined,
  kind: string,
  ids: readonly string[],
): void {
  try {
    window?.sessionStorage.setItem(
      KEY + kind,
      JSON.stringify(ids.slice(-MOST_REMEMBERED)),
    );
  } catch {
    // Without storage a reload is a new seat.
  }
}
