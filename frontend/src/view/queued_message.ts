/** One message that waits: its text, and what can be done with it. */

import { type Attachment, attachmentNames, contentOf, excessBytes } from "../content";
import { removeHidden, showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { attachedTo, writtenTextOf } from "../turns";
import { actionOf } from "./all_shortcuts";
import { make, makeButton, makeProse, setText } from "./element";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ChatModel, MessageState, OutgoingRequest } from "./types";

/** What the queue needs from the chat around it. */
export interface QueueSurroundings {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  /** How many the reader knows to wait. */
  readonly announced: number;
  readonly say: (text: string) => void;
  /** Put a text that was typed here into the message field, and say why. */
  readonly giveBack: (
    text: string,
    attachments: readonly Attachment[],
    why: string,
  ) => void;
  readonly focusComposer: () => void;
}

export class QueuedMessageView {
  readonly #turn: string;
  readonly #surroundings: QueueSurroundings;
  readonly element = make("li", "queued");
  readonly #text = makeProse("div", "queued-text");
  readonly #attached = make("div", "queued-attached");
  readonly #note = make("p", "queued-note");
  readonly #field = makeProse("textarea", "queued-field");
  readonly #shown: HTMLElement;
  readonly #editor: HTMLElement;
  readonly #sendNow: HTMLButtonElement;
  readonly #edit: HTMLButtonElement;
  readonly #remove: HTMLButtonElement;
  readonly #save: HTMLButtonElement;
  /** The text that the log has. */
  #written: string | null = null;
  #attachments: readonly Attachment[] = [];
  #shownText: string | null = null;
  /** Why something was refused, or what changed; until the next thing is done. */
  #remark = "";

  constructor(turn: string, surroundings: QueueSurroundings) {
    this.#turn = turn;
    this.#surroundings = surroundings;
    const { model } = surroundings;
    this.#sendNow = this.#makeButton(more.sendNow, () => model.sendNow(turn));
    this.#sendNow.title = more.sendNowDetail;
    this.#edit = this.#makeButton(more.edit, () => this.#openEditor(this.#shownText));
    this.#remove = this.#makeButton(strings.remove, () => model.remove(turn));
    this.#save = this.#makeButton(more.save, () => this.#saveEdit());
    const leave = this.#makeButton(more.leaveEdit, () => this.#closeEditor());
    this.#shown = make(
      "div",
      "queued-shown",
      make("div", "queued-words", this.#text, this.#attached),
      make("div", "queued-buttons", this.#sendNow, this.#edit, this.#remove),
    );
    this.#editor = make(
      "div",
      "queued-editor",
      this.#field,
      make("div", "queued-buttons", this.#save, leave),
    );
    this.#editor.hidden = true;
    this.element.append(this.#shown, this.#editor, this.#note);
    this.#note.setAttribute("role", "status");
    this.#listen();
  }

  /**
   * Bring it up to date.
   *
   * @param message as the log has it
   * @param request what was asked last and is not done yet
   * @param canHurry whether something runs that could make room
   */
  update(
    message: MessageState | undefined,
    request: OutgoingRequest | undefined,
    canHurry: boolean,
  ): void {
    const before = this.#written;
    const written = writtenTextOf(message);
    this.#attachments = attachedTo(message);
    this.#written = written;
    if (before === null) this.#resumeEdit();
    else if (before !== written && this.#isEditing && this.#field.value !== written) {
      this.#remark = more.changedMeanwhile(written);
    }
    this.#showText(request?.kind === "edit" ? request.text : written);
    this.#sendNow.hidden = !canHurry;
    this.element.dataset["state"] = request === undefined ? "waiting" : "sending";
    const doing = request === undefined ? "" : more.requestSending[request.kind];
    setText(this.#note, this.#remark || (this.#isEditing ? this.#editHint : doing));
    this.#note.hidden = this.#note.textContent === "";
  }

  /** Something was asked of it that the server refused. */
  showRefusal({ kind, text, error }: OutgoingRequest): void {
    if (kind === "edit" && !this.#isEditing) {
      this.#openEditor(text);
      this.#surroundings.model.keepDraft(text, this.#turn);
    }
    this.#remark = `${more.requestFailed[kind]} ${error?.message ?? ""}`.trim();
  }

  /** It waits no more: return what was being typed. */
  leave(): string {
    return this.#isEditing ? this.#field.value : "";
  }

  get #isEditing(): boolean {
    return !this.#editor.hidden;
  }

  get #excess(): number | null {
    const content = contentOf(this.#field.value.trim(), this.#attachments);
    return excessBytes(content, this.#surroundings.model.messageBytesLimit);
  }

  get #editHint(): string {
    const limit = this.#surroundings.model.messageBytesLimit;
    const excess = this.#excess;
    return excess === null ? more.editHint : strings.tooLong(excess, limit);
  }

  #listen(): void {
    const { signal, model } = this.#surroundings;
    this.#field.rows = 1;
    this.#field.setAttribute("aria-label", more.editLabel);
    this.#field.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.#field.addEventListener(
      "input",
      () => {
        this.#remark = "";
        model.keepDraft(this.#field.value, this.#turn);
        this.#refreshEditor();
      },
      { signal },
    );
  }

  #onKey(event: KeyboardEvent): void {
    const action = actionOf("change", event);
    if (action === "leaveChange") {
      event.stopPropagation(); // it would stop the answer
      event.preventDefault();
      this.#closeEditor();
    } else if (action === "saveChange") {
      event.preventDefault();
      this.#saveEdit();
    }
  }

  /** Go on with a change that was being typed when the page ended. */
  #resumeEdit(): void {
    const draft = this.#surroundings.model.draft(this.#turn);
    if (draft !== "" && draft !== this.#written) this.#openEditor(draft, false);
  }

  #openEditor(text: string | null, focus = true): void {
    this.#field.value = text ?? "";
    this.#remark = "";
    this.#shown.hidden = true;
    this.#editor.hidden = false;
    this.#refreshEditor();
    if (focus) this.#field.focus();
  }

  #closeEditor(): void {
    const hadFocus = this.#editor.contains(document.activeElement);
    this.#editor.hidden = true;
    this.#shown.hidden = false;
    this.#remark = "";
    setText(this.#note, "");
    this.#surroundings.model.keepDraft("", this.#turn);
    if (hadFocus) this.#edit.focus();
  }

  #saveEdit(): void {
    const text = this.#field.value.trim();
    if (this.#save.disabled) return;
    this.#closeEditor();
    if (text !== this.#written) this.#surroundings.model.edit(this.#turn, text);
  }

  #refreshEditor(): void {
    const text = this.#field.value.trim();
    const isEmpty = text === "" && this.#attachments.length === 0;
    this.#save.disabled = isEmpty || this.#excess !== null;
    setText(this.#note, this.#editHint);
    this.#note.hidden = false;
  }

  #showText(text: string): void {
    const names = removeHidden(attachmentNames(this.#attachments));
    setText(this.#attached, names);
    this.#attached.hidden = names === "";
    if (text === this.#shownText) return;
    this.#shownText = text;
    this.#text.title = removeHidden(text);
    this.#text.replaceChildren();
    appendVisible(this.#text, showControls(text));
    for (const button of [this.#sendNow, this.#edit, this.#remove]) {
      const label = more.about(button.textContent ?? "", text || names);
      button.setAttribute("aria-label", label);
    }
  }

  #makeButton(label: string, onClick: () => void): HTMLButtonElement {
    const { signal } = this.#surroundings;
    return makeButton("quiet-button", label, onClick, signal);
  }
}
