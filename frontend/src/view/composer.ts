/** Where the reader writes: Enter sends, Shift+Enter makes a line. */

import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { strings } from "./strings";

export interface ComposerOptions {
  readonly signal: AbortSignal;
  readonly send: (text: string) => void;
  readonly stop: () => void;
  /** What was being written before. */
  readonly draft: string;
  /** Told what is being written, at every change. */
  readonly keepDraft: (text: string) => void;
  /** Longest text, in UTF-8 bytes; asked for at every send. */
  readonly bytesLimit: () => number;
}

/** What goes on while the reader writes. */
export interface Busy {
  readonly running: boolean;
  /** Whether messages wait for their turn. */
  readonly waiting: boolean;
}

let nextId = 1;

/** The size in UTF-8 of a text that has more bytes than `limit`, else null. */
export function excessBytes(text: string, limit: number): number | null {
  // A character takes at most three bytes per unit: most texts need no counting.
  if (text.length * 3 <= limit) return null;
  const bytes = new TextEncoder().encode(text).length;
  return bytes > limit ? bytes : null;
}

export class ComposerView {
  readonly element = make("form", "streamchat-composer");
  private readonly field = make("textarea", "streamchat-field");
  private readonly hint = make("div", "streamchat-hint");
  private readonly sendButton: HTMLButtonElement;
  private readonly stopButton: HTMLButtonElement;
  private running = false;
  private waiting = false;
  /** Said in place of the hint until something is typed. */
  private remark = "";

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
    this.field.value = options.draft;
    this.refresh();
  }

  /** Put a text that was typed elsewhere before what is in the field, and say why. */
  giveBack(text: string, why: string): void {
    const written = this.field.value;
    this.remark = why;
    this.write(written.trim() === "" ? text : `${text}\n\n${written}`);
  }

  focus(): void {
    this.field.focus();
  }

  /** While a turn runs or waits there is something to stop. */
  setBusy({ running, waiting }: Busy): void {
    if (running === this.running && waiting === this.waiting) return;
    const hadFocus = document.activeElement === this.stopButton;
    this.running = running;
    this.waiting = waiting;
    this.refresh();
    // A button that vanishes must not take the focus with it.
    if (hadFocus && this.stopButton.hidden) this.focus();
  }

  private listen(signal: AbortSignal): void {
    this.field.addEventListener(
      "input",
      () => {
        this.remark = "";
        this.write(this.field.value);
      },
      { signal },
    );
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
    if (text === "" || this.excess(text) !== null) return;
    this.focus();
    this.remark = "";
    this.options.send(text);
    this.write("");
  }

  private write(text: string): void {
    if (text !== this.field.value) this.field.value = text;
    this.options.keepDraft(text);
    this.refresh();
  }

  private excess(text: string): number | null {
    return excessBytes(text, this.options.bytesLimit());
  }

  private refresh(): void {
    const text = this.field.value.trim();
    const excess = this.excess(text);
    this.sendButton.disabled = text === "" || excess !== null;
    const busy = this.running || this.waiting;
    this.stopButton.hidden = !busy;
    this.sendButton.hidden = busy && text === "";
    this.element.classList.toggle("streamchat-too-long", excess !== null);
    this.field.setAttribute("aria-invalid", String(excess !== null));
    // What cannot be sent is said at once; the ordinary hint is there to be found.
    this.hint.setAttribute("role", excess === null ? "note" : "alert");
    setText(this.hint, this.hintFor(excess));
    this.fitHeight();
  }

  private hintFor(excess: number | null): string {
    if (excess !== null) return strings.tooLong(excess, this.options.bytesLimit());
    if (this.remark !== "") return this.remark;
    if (this.waiting) return strings.composerHintWaiting;
    return this.running ? strings.composerHintRunning : strings.composerHint;
  }

  /** Where the browser does not size a field by its text itself. */
  private fitHeight(): void {
    if (globalThis.CSS?.supports?.("field-sizing", "content")) return;
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
