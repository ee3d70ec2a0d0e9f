/** "‹ 2 / 3 ›" under a message: which version of it is shown, and the way to the others. */

import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";

/** Where the way leads: to the version before, or the one after. */
export type Toward = "before" | "after";

export class VersionsView {
  readonly element = make("div", "versions");
  readonly #count = make("span", "versions-count");
  readonly #buttons: Readonly<Record<Toward, HTMLButtonElement>>;
  #versions: readonly string[] = [];
  #at = 0;

  /** @param select told which version the reader wants to see */
  constructor(select: (version: string, toward: Toward) => void, signal: AbortSignal) {
    const button = (toward: Toward, label: string): HTMLButtonElement => {
      const act = (): void => {
        const version = this.#versions[this.#at + (toward === "before" ? -1 : 1)];
        if (version !== undefined) select(version, toward);
      };
      const made = makeButton(`version-${toward}`, makeIcon("chevron"), act, signal);
      made.setAttribute("aria-label", label);
      made.title = label;
      return made;
    };
    this.#buttons = {
      before: button("before", more.versionBefore),
      after: button("after", more.versionAfter),
    };
    this.element.setAttribute("role", "group");
    this.element.append(this.#buttons.before, this.#count, this.#buttons.after);
    this.element.hidden = true;
  }

  /** Show which of the versions a message is. */
  update(message: string, versions: readonly string[]): void {
    const { before, after } = this.#buttons;
    this.#versions = versions;
    this.#at = versions.indexOf(message);
    this.element.hidden = versions.length < 2 || this.#at < 0;
    const [at, of] = [this.#at + 1, versions.length];
    setText(this.#count, `${at} / ${of}`);
    this.element.setAttribute("aria-label", more.version(at, of));
    // A button that cannot be pressed any more must not lose the focus.
    before.setAttribute("aria-disabled", String(at <= 1));
    after.setAttribute("aria-disabled", String(at === of));
  }

  focus(toward: Toward): void {
    this.#buttons[toward].focus({ preventScroll: true });
  }
}
