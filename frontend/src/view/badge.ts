/** A badge in plain words; more words when it is pressed. */

import { make, makeButton, setText } from "./element";
import { strings } from "./strings";
import type { ConnectionStatus } from "./types";

let nextId = 1;

/** A short text with a popover that explains it. */
export class BadgeView {
  readonly element = make("div", "badge-holder");
  protected readonly button: HTMLButtonElement;
  protected readonly popover = make("div", "popover");
  readonly #text = make("span", "badge-text");
  readonly #detail = make("p", "popover-detail");

  constructor(signal: AbortSignal) {
    this.button = makeButton(
      "badge",
      make("span", "badge-dot"),
      () => this.#toggle(this.popover.hidden !== false),
      signal,
    );
    this.button.append(this.#text);
    this.popover.id = `streamchat-popover-${nextId++}`;
    this.popover.hidden = true;
    this.popover.append(this.#detail);
    this.button.setAttribute("aria-controls", this.popover.id);
    this.button.setAttribute("aria-expanded", "false");
    this.element.append(this.button, this.popover);
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.element.addEventListener("focusout", (event) => this.#onFocusOut(event), {
      signal,
    });
  }

  update(tone: string, text: string, detail: string, label: string): void {
    this.button.dataset["tone"] = tone;
    this.button.title = detail;
    this.button.setAttribute("aria-label", label);
    setText(this.#text, text);
    setText(this.#detail, detail);
  }

  #toggle(open: boolean): void {
    this.popover.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || this.popover.hidden) return;
    event.stopPropagation();
    this.#toggle(false);
    this.button.focus();
  }

  #onFocusOut(event: FocusEvent): void {
    if (!this.element.contains(event.relatedTarget as Node | null)) this.#toggle(false);
  }
}

const TONES: Readonly<Record<ConnectionStatus["transport"], string>> = {
  websocket: "good",
  sse: "fair",
  rest: "fair",
  relay: "fair",
  connecting: "waiting",
  offline: "bad",
  ready: "good",
};

/** How the chat reaches its server, and why so. */
export class ConnectionBadge extends BadgeView {
  readonly #retry: HTMLButtonElement;

  constructor(reconnect: () => void, signal: AbortSignal) {
    super(signal);
    this.#retry = makeButton("quiet-button", strings.tryNow, reconnect, signal);
    this.popover.append(this.#retry);
  }

  updateConnection({ transport, text, detail }: ConnectionStatus): void {
    this.update(TONES[transport], text, detail, strings.connectionLabel(text));
    this.#retry.hidden = transport !== "offline" && transport !== "connecting";
  }
}
