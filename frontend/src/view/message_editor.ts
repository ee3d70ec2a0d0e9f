/** Where an earlier message is written in other words: Enter sends, Esc leaves. */

import { type Attachment, contentOf, excessBytes } from "../content";
import { make, makeButton, setText } from "./element";
import { more } from "./more_strings";
import { strings } from "./strings";

export interface MessageEditorOptions {
  readonly signal: AbortSignal;
  /** Longest text of a message, in UTF-8 bytes. */
  readonly messageBytesLimit: () => number;
  /** Keep what is being written over a reload; an empty text is forgotten. */
  readonly keep: (text: string) => void;
  readonly send: (text: string) => void;
  readonly leave: () => void;
}

let nextId = 1;

export class MessageEditor {
  readonly #options: MessageEditorOptions;
  readonly element = make("div", "editor");
  readonly #field = make("textarea", "editor-field");
  readonly #note = make("span", "editor-note");
  readonly #sendButton: HTMLButtonElement;
  #attachments: readonly Attachment[] = [];

  constructor(options: MessageEditorOptions) {
    this.#options = options;
    const { signal, leave } = options;
    this.#note.id = `streamchat-editor-${nextId++}`;
    this.#field.rows = 1;
    this.#field.setAttribute("aria-label", more.reviseLabel);
    this.#field.setAttribute("aria-describedby", this.#note.id);
    this.#sendButton = makeButton(
      "quiet-button",
      strings.send,
      () => this.#send(),
      signal,
    );
    const cancel = makeButton("quiet-button", more.leaveEdit, leave, signal);
    const buttons = make("div", "editor-buttons", cancel, this.#sendButton);
    const foot = make("div", "editor-foot", this.#note, buttons);
    this.element.append(this.#field, foot);
    this.#field.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.#field.addEventListener(
      "input",
      () => {
        options.keep(this.#field.value);
        this.#refresh();
      },
      { signal },
    );
  }

  /** Begin with a text; the attachments stay as they are. */
  open(text: string, attachments: readonly Attachment[], focus: boolean): void {
    this.#field.value = text;
    this.#attachments = attachments;
    this.#refresh();
    if (!focus) return;
    this.#field.focus();
    this.#field.setSelectionRange(text.length, text.length);
  }

  #onKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.stopPropagation(); // it would stop the answer
      event.preventDefault();
      this.#options.leave();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    }
  }

  #send(): void {
    if (!this.#sendButton.disabled) this.#options.send(this.#field.value.trim());
  }

  #refresh(): void {
    const text = this.#field.value.trim();
    const limit = this.#options.messageBytesLimit();
    const excess = excessBytes(contentOf(text, this.#attachments), limit);
    const isEmpty = text === "" && this.#attachments.length === 0;
    this.#sendButton.disabled = isEmpty || excess !== null;
    const hint = excess === null ? more.reviseHint : strings.tooLong(excess, limit);
    setText(this.#note, hint);
    this.#fitHeight();
  }

  /** Where the browser does not size a field by its text itself. */
  #fitHeight(): void {
    if (globalThis.CSS?.supports?.("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
