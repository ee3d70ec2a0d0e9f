/** Up to where a conversation was read: noted while its reader has it before them. */

import type { ChatModel } from "./types";

/** At most one note in this time: the others wait for it. */
const PAUSE_MS = 1_000;

/** Tell the server what was read in `element`, until `signal` aborts. */
export function noteReading(
  model: ChatModel,
  element: HTMLElement,
  signal: AbortSignal,
): void {
  let noted: string | undefined;
  let isSoon = false;
  const note = (): void => {
    isSoon = false;
    const { conversation, messages, seq } = model.state;
    const last = [...messages]
      .reverse()
      .find(({ role, status }) => role === "assistant" && status !== "streaming");
    const isSeen = document.hasFocus() && element.getClientRects().length > 0;
    if (signal.aborted || last === undefined || last.message === noted || !isSeen)
      return;
    noted = last.message;
    const body = { read_seq: seq };
    void model.server
      .ask(`conversations/${conversation}`, { method: "PATCH", body, signal })
      .then((came) => {
        if ("problem" in came) noted = undefined; // with the next occasion
      });
  };
  const soon = (): void => {
    if (!isSoon) setTimeout(note, PAUSE_MS);
    isSoon = true;
  };
  soon();
  model.subscribe(({ kind }) => {
    if (kind === "turn" || kind === "reset") soon();
  }, signal);
  window.addEventListener("focus", soon, { signal });
  element.addEventListener("focusin", soon, { signal });
}
