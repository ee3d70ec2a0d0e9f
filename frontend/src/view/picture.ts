/** Pictures whose bytes only a request with credentials can get. */

import { make, makeButton } from "./element";
import { more } from "./more_strings";

/** What a browser may draw: nothing that can hold a script. */
const PICTURES = /^image\/(?:png|jpeg|gif|webp)$/;

/** Whether a media type is that of a picture that can be shown. */
export function isPicture(mediaType: string): boolean {
  return PICTURES.test(mediaType);
}

/** Show a picture; its bytes are let go of once it is drawn. */
export function drawPicture(
  picture: HTMLImageElement,
  bytes: Blob,
  mediaType: string,
): Promise<boolean> {
  const type = isPicture(mediaType) ? mediaType : "application/octet-stream";
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  return new Promise((resolve) => {
    const end = (isDrawn: boolean): void => {
      URL.revokeObjectURL(url);
      resolve(isDrawn);
    };
    picture.addEventListener("load", () => end(true), { once: true });
    picture.addEventListener("error", () => end(false), { once: true });
    picture.src = url;
  });
}

/** Show a picture as large as it fits, over everything, until somebody closes it. */
export function enlarge(
  thumbnail: HTMLImageElement,
  bytes: Blob,
  mediaType: string,
  signal: AbortSignal,
): void {
  const root = thumbnail.closest(".streamchat") ?? document.body;
  const picture = make("img", "enlarged-picture");
  picture.alt = thumbnail.alt;
  const close = (): void => dialog.close();
  const button = makeButton("quiet-button", more.close, close, signal);
  const dialog = make("dialog", "enlarged", picture, button);
  dialog.setAttribute("aria-label", thumbnail.alt || more.imageAttachment);
  const ended = new AbortController();
  dialog.addEventListener("click", close, { signal: ended.signal });
  dialog.addEventListener("keydown", (event) => event.stopPropagation(), {
    signal: ended.signal, // Escape would stop the answer
  });
  dialog.addEventListener(
    "close",
    () => {
      ended.abort();
      dialog.remove();
    },
    { once: true },
  );
  signal.addEventListener("abort", close, { once: true, signal: ended.signal });
  root.append(dialog);
  void drawPicture(picture, bytes, mediaType);
  dialog.showModal();
}
