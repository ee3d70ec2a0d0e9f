/** How much of the page is to be seen: a phone's keyboard may lie over it. */

/** Keep `--streamchat-visible-height` of the page at what is not covered. */
export function followVisibleHeight(window: Window): void {
  const viewport = window.visualViewport;
  const { style } = window.document.documentElement;
  if (!viewport) return; // an old browser has none
  const measure = (): void => {
    const isZoomed = viewport.scale > 1.01; // what is seen is a part, and meant to be
    const height = Math.round(viewport.height);
    const isCovered = !isZoomed && height < window.innerHeight - 1;
    if (isCovered) style.setProperty("--streamchat-visible-height", `${height}px`);
    else style.removeProperty("--streamchat-visible-height");
    // A phone scrolls a page under its keyboard, though all of it fits above.
    if (isCovered) window.scrollTo(0, 0);
  };
  viewport.addEventListener("resize", measure);
  measure();
}
