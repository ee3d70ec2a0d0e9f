/** Following the end of a growing text for as long as the reader is at the end. */

import { makeButton } from "./element";
import { makeIcon } from "./icon";
import { strings } from "./strings";

/** Pixels from the end that still count as being there. */
const END_TOLERANCE = 32;

export class EndFollower {
  readonly #scroller: HTMLElement;
  /** "Jump to latest": shown while the reader is elsewhere. */
  readonly button: HTMLButtonElement;
  #following = true;
  #lastTop = 0;
  /** How high the content was when the reader left the end. */
  #heightLeft = 0;

  constructor(scroller: HTMLElement, content: HTMLElement, signal: AbortSignal) {
    this.#scroller = scroller;
    this.button = makeButton("jump", makeIcon("arrowDown"), () => this.jump(), signal);
    this.button.append(strings.jumpToLatest);
    this.button.hidden = true;
    scroller.addEventListener("scroll", () => this.#noteScroll(), {
      signal,
      passive: true,
    });
    // Sizes also change without new text: fonts, images, a narrower window.
    const observer = new ResizeObserver(() => this.followEnd());
    observer.observe(content);
    observer.observe(scroller);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  /** Call after the content changed. */
  followEnd(): void {
    const { scrollHeight, clientHeight } = this.#scroller;
    // Where nothing can be scrolled, no reader can come back to the end.
    if (scrollHeight - clientHeight <= END_TOLERANCE) this.#setFollowing(true);
    if (!this.#following) {
      this.#markNew();
      return;
    }
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
  }

  /** Go to the end, whatever the reader looked at. */
  jump(): void {
    this.#setFollowing(true);
    this.followEnd();
  }

  /** The view was placed for the reader: go on from there, at the end or not. */
  settle(): void {
    this.#setFollowing(this.#isAtEnd());
    this.#lastTop = this.#scroller.scrollTop;
  }

  /** Make a change above what the reader looks at, without moving that. */
  growAbove(change: () => void): void {
    const { scrollTop, scrollHeight } = this.#scroller;
    change();
    const growth = this.#scroller.scrollHeight - scrollHeight;
    this.#heightLeft += growth;
    this.#scroller.scrollTop = scrollTop + growth;
    this.#lastTop = this.#scroller.scrollTop;
  }

  #noteScroll(): void {
    const { scrollTop } = this.#scroller;
    // Content that grew moves the end away; only the reader moves the view up.
    if (this.#isAtEnd()) this.#setFollowing(true);
    else if (scrollTop < this.#lastTop) this.#setFollowing(false);
    this.#lastTop = scrollTop;
  }

  #isAtEnd(): boolean {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    return scrollHeight - clientHeight - scrollTop <= END_TOLERANCE;
  }

  #setFollowing(following: boolean): void {
    if (following === this.#following) return;
    this.#following = following;
    this.#heightLeft = this.#scroller.scrollHeight;
    this.button.hidden = following;
    delete this.button.dataset["new"];
    this.button.removeAttribute("aria-label");
  }

  /** Say on the button that more came since the reader left the end. */
  #markNew(): void {
    if (this.button.dataset["new"] !== undefined) return;
    if (this.#scroller.scrollHeight <= this.#heightLeft + END_TOLERANCE) return;
    this.button.dataset["new"] = "";
    this.button.setAttribute("aria-label", strings.jumpToNew);
  }
}
