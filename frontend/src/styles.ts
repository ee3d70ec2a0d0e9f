/** The looks of the chat in a cell, which come with its code. */

import { build } from "./build";

declare const STREAMCHAT_STYLES: string;

/** Minified; empty where they were not bundled. */
const styles = typeof STREAMCHAT_STYLES === "string" ? STREAMCHAT_STYLES : "";

/** Give the document, or the shadow tree, around `element` the looks, once. */
export function addStyles(element: Element): void {
  const root = element.getRootNode();
  const place = root instanceof ShadowRoot ? root : document.head;
  const id = `streamchat-styles-${build}`;
  if (place.querySelector(`#${id}`) === null) {
    const style = document.createElement("style");
    style.id = id;
    style.textContent = styles;
    place.append(style);
  }
}
