/** Up to where a conversation was read: noted while its reader has it before them. */

import type { ChatModel } from "./types";

/** At most one note in this time, the first at once: its reader may go. */
const PAUSE_MS = 1_000;

/** Tell the server what was read in `element`, until `signal` aborts. */
export function noteReading(
  model: ChatModel,
  element: HTMLElement,
  signal: AbortSignal,
): void {
  let noted: string | undefined;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let isDue = false;
  const note = (): void => {
    const { conversation, messages, seq } = model.state;
    const last = [...messages]
      .reverse()
      .find(({ role, status }) => role === "assistant" && status !== "streaming");
    const isSeen = document.hasFocus() && element.getClientRects().length > 0;
    if (signal.aborted || last === undefined || last.message === noted || !isSeen)
      return;
    noted = last.message;
    pause = setTimeout(goOn, PAUSE_MS);
    const body = { read_seq: seq };
    void model.server
      .ask(`conversations/${conversation}`, { method: "PATCH", body, signal })
      .then((came) => {
        if ("problem" in came) noted = undefined; // with the next occasion
      });
  };
  const soon = (): void => {
    if (pause === undefined) note();
    else isDue = true;
  };
  const goOn = (): void => {
    pause = undefined;
    if (isDue) note();
    isDue = false;
  };
  soon();
  model.subscribe(({ kind }) => {
    if (kind === "turn" || kind === "reset") soon();
  }, signal);
  window.addEventListener("focus", soon, { signal });
  element.addEventListener("focusin", soon, { signal });
}
