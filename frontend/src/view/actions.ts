/** What an answer offers to click: links that open a tab, buttons that send a text. */

import { safeLink } from "../markdown/address";
import { removeHidden } from "../markdown/hidden";
import { makeAnchor } from "../markdown/inline_view";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import type { Action } from "./types";

export class ActionsView {
  readonly #act: (action: Action) => void;
  readonly #signal: AbortSignal;
  readonly element = make("div", "actions");
  #shown = "";

  constructor(act: (action: Action) => void, signal: AbortSignal) {
    this.#act = act;
    this.#signal = signal;
    this.element.hidden = true;
  }

  update(actions: readonly Action[]): void {
    const next = JSON.stringify(actions);
    if (next === this.#shown) return;
    this.#shown = next;
    const made = actions.map((action) => this.#makeAction(action));
    this.element.replaceChildren(...made.filter((one) => one !== null));
    this.element.hidden = this.element.childElementCount === 0;
  }

  /** A link that may not be one is left out, as is a button that says nothing. */
  #makeAction(action: Action): HTMLElement | null {
    const label = removeHidden(action.label);
    if (action.kind === "button") {
      if (!action.send) return null;
      const act = (): void => this.#act(action);
      const button = makeButton("action", label, act, this.#signal);
      button.title = removeHidden(action.send);
      return button;
    }
    const link = safeLink(action.href ?? "", location.origin);
    if (link === null) return null;
    const anchor = makeAnchor(link.href);
    anchor.className = "streamchat-action";
    anchor.title = link.href;
    anchor.append(label);
    if (!label.includes(link.destination)) {
      anchor.append(make("span", "link-destination", link.destination));
    }
    anchor.append(makeIcon("outward"));
    return anchor;
  }
}
