/** Files that are dropped anywhere on the chat. */

import { make } from "./element";
import { makeIcon } from "./icon";
import { strings } from "./strings";

/** Say where files would go while they are held over `target`, and take them. */
export function makeDropZone(
  target: HTMLElement,
  take: (files: readonly File[]) => void,
  signal: AbortSignal,
): HTMLElement {
  const words = make("div", "drop-words", makeIcon("clip"), strings.dropHere);
  const zone = make("div", "drop", words);
  zone.hidden = true;
  const listen = (name: "dragenter" | "dragover" | "dragleave" | "drop"): void => {
    target.addEventListener(
      name,
      (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        const left = event.relatedTarget;
        const isInside = left instanceof Node && target.contains(left);
        zone.hidden = name === "drop" || (name === "dragleave" && !isInside);
        if (name === "drop") take([...event.dataTransfer.files]);
      },
      { signal },
    );
  };
  for (const name of ["dragenter", "dragover", "dragleave", "drop"] as const) {
    listen(name);
  }
  return zone;
}
