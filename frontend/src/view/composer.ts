/** Where the reader writes: Enter sends, Shift+Enter makes a line. */

import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { strings } from "./strings";

export interface ComposerOptions {
  readonly signal: AbortSignal;
  readonly send: (text: string) => void;
  readonly stop: () => void;
  /** Longest text, in UTF-8 bytes; asked for at every send. */
  readonly bytesLimit: () => number;
}

let nextId = 1;

export class ComposerView {
  readonly element = make("form", "streamchat-composer");
  private readonly field = make("textarea", "streamchat-field");
  private readonly hint = make("div", "streamchat-hint");
  private readonly sendButton: HTMLButtonElement;
  private readonly stopButton: HTMLButtonElement;
  private running = false;

  constructor(private readonly options: ComposerOptions) {
    const { signal } = options;
    this.hint.id = `streamchat-hint-${nextId++}`;
    this.field.rows = 1;
    this.field.placeholder = strings.messagePlaceholder;
    this.field.setAttribute("aria-label", strings.messageLabel);
    this.field.setAttribute("aria-describedby", this.hint.id);
    this.sendButton = makeButton(
      "streamchat-send",
      makeIcon("arrowUp"),
      () => this.send(),
      signal,
    );
    this.sendButton.setAttribute("aria-label", strings.send);
    this.sendButton.title = strings.send;
    this.stopButton = makeButton(
      "streamchat-stop",
      makeIcon("stop"),
      options.stop,
      signal,
    );
    this.stopButton.setAttribute("aria-label", strings.stop);
    this.stopButton.title = strings.stop;
    const buttons = make(
      "div",
      "streamchat-composer-buttons",
      this.stopButton,
      this.sendButton,
    );
    this.element.append(
      make("div", "streamchat-composer-box", this.field, buttons),
      this.hint,
    );
    this.listen(signal);
    this.refresh();
  }

  get text(): string {
    return this.field.value;
  }

  /** Put a text into the field, as if it had been typed. */
  set text(text: string) {
    this.field.value = text;
    this.refresh();
  }

  focus(): void {
    this.field.focus();
  }

  /** While a turn runs there is something to stop. */
  setRunning(running: boolean): void {
    if (running === this.running) return;
    const hadFocus = document.activeElement === this.stopButton;
    this.running = running;
    this.refresh();
    // A button that vanishes must not take the focus with it.
    if (hadFocus && !running) this.focus();
  }

  private listen(signal: AbortSignal): void {
    this.field.addEventListener("input", () => this.refresh(), { signal });
    this.field.addEventListener("keydown", (event) => this.onKey(event), { signal });
    this.element.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        this.send();
      },
      { signal },
    );
  }

  private onKey(event: KeyboardEvent): void {
    // Enter that ends the composition of a character is not ours.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }

  private send(): void {
    const text = this.field.value.trim();
    if (text === "" || this.excessBytes(text) !== null) return;
    this.field.value = "";
    this.refresh();
    this.focus();
    this.options.send(text);
  }

  /** The size of a text that is too long, else null. */
  private excessBytes(text: string): number | null {
    const limit = this.options.bytesLimit();
    // A character takes at most three bytes per unit: most texts need no counting.
    if (text.length * 3 <= limit) return null;
    const bytes = new TextEncoder().encode(text).length;
    return bytes > limit ? bytes : null;
  }

  private refresh(): void {
    const text = this.field.value.trim();
    const excess = this.excessBytes(text);
    this.sendButton.disabled = text === "" || excess !== null;
    this.stopButton.hidden = !this.running;
    this.sendButton.hidden = this.running && text === "";
    this.element.classList.toggle("streamchat-too-long", excess !== null);
    this.field.setAttribute("aria-invalid", String(excess !== null));
    // What cannot be sent is said at once; the ordinary hint is there to be found.
    this.hint.setAttribute("role", excess === null ? "note" : "alert");
    setText(this.hint, this.hintFor(excess));
    this.fitHeight();
  }

  private hintFor(excess: number | null): string {
    if (excess !== null) return strings.tooLong(excess, this.options.bytesLimit());
    return this.running ? strings.composerHintRunning : strings.composerHint;
  }

  /** Where the browser does not size a field by its text itself. */
  private fitHeight(): void {
    if (globalThis.CSS?.supports?.("field-sizing", "content")) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
