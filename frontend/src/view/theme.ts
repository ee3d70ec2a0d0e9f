/** Which colours the chat wears, and following those of its surroundings. */

import type { Theme } from "./types";

type Tone = "light" | "dark";

/** JupyterLab says on its body whether its theme is light; others say nothing. */
function toneOfJupyter(): Tone | null {
  const light = document.body.dataset["jpThemeLight"];
  if (light === undefined) return null;
  return light === "true" ? "light" : "dark";
}

/** Keeps `data-tone` and `data-palette` of an element true to a theme. */
export class ThemeFollower {
  readonly #element: HTMLElement;
  #theme: Theme = "auto";
  readonly #systemDark = matchMedia("(prefers-color-scheme: dark)");

  constructor(element: HTMLElement, signal: AbortSignal) {
    this.#element = element;
    const update = (): void => this.#update();
    this.#systemDark.addEventListener("change", update, { signal });
    const observer = new MutationObserver(update);
    observer.observe(document.body, {
      attributes: true,
      attributeFilter: ["data-jp-theme-light"],
    });
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
    this.#update();
  }

  setTheme(theme: Theme): void {
    this.#theme = theme;
    this.#update();
  }

  #update(): void {
    const jupyter = toneOfJupyter();
    const around = jupyter ?? (this.#systemDark.matches ? "dark" : "light");
    const tone = this.#theme === "auto" ? around : this.#theme;
    this.#element.dataset["tone"] = tone;
    // JupyterLab's colours are right only for its own tone.
    this.#element.dataset["palette"] = jupyter === tone ? "jupyter" : "own";
  }
}
