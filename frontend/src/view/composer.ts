/** Where the reader writes: Enter sends, Shift+Enter makes a line. */

import { type Attachment, contentOf, excessBytes } from "../content";
import type { Completion } from "./completion";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { finishedMentionsIn, mentionAt, mentionsIn, withoutMention } from "./mentions";
import type { Extras, Parts } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import { TraySlot } from "./tray_slot";
import type { ChatModel, DataSource } from "./types";

export interface ComposerOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly parts: Parts;
  /** `null` where there is no notebook. */
  readonly dataSource: DataSource | null;
  readonly send: (text: string, attachments: readonly Attachment[]) => void;
}

/** What goes on while the reader writes. */
export interface Busy {
  readonly running: boolean;
  /** Whether messages wait for their turn. */
  readonly waiting: boolean;
}

/** Something to say in place of the hint. */
interface Remark {
  readonly text: string;
  readonly isProblem: boolean;
}

let nextId = 1;

export class ComposerView {
  readonly #options: ComposerOptions;
  readonly element = make("form", "composer");
  readonly #field = make("textarea", "field");
  readonly #hint = make("div", "hint");
  readonly #files = make("input", "");
  readonly #sendButton: HTMLButtonElement;
  readonly #stopButton: HTMLButtonElement;
  readonly #tray: TraySlot;
  /** The variables that are offered while a name is typed. */
  readonly #completion: Slot<Extras, Completion> | null;
  #running = false;
  #waiting = false;
  /** Whether to send as soon as everything that is attached is there. */
  #isSending = false;
  /** Said in place of the hint until something is typed. */
  #remark: Remark | null = null;

  constructor(options: ComposerOptions) {
    this.#options = options;
    const { signal, model, parts, dataSource } = options;
    this.#hint.id = `streamchat-hint-${nextId++}`;
    this.#field.rows = 1;
    this.#field.placeholder = strings.messagePlaceholder;
    this.#field.setAttribute("aria-label", strings.messageLabel);
    this.#field.setAttribute("aria-describedby", this.#hint.id);
    this.#sendButton = this.#makeButton("send", "arrowUp", strings.send, () =>
      this.#send(),
    );
    this.#stopButton = this.#makeButton("stop", "stop", strings.stop, () =>
      model.cancel(),
    );
    this.#tray = new TraySlot(parts.extras, {
      ...{ signal, model, dataSource },
      changed: () => this.#onTrayChange(),
      withdrawn: (name) => this.#write(withoutMention(this.#field.value, name)),
      refuse: (why) => this.#say(why),
      focusComposer: () => this.focus(),
    });
    this.#completion = dataSource === null ? null : this.#completionOf(dataSource);
    this.#assemble();
    this.#listen(signal);
    this.#field.value = model.draft();
    this.#tray.restore(model.draftAttachments);
    this.#tray.keepOnly(mentionsIn(this.#field.value));
    this.#refresh();
  }

  /** Put what was written elsewhere before what is in the field, and say why. */
  giveBack(text: string, attachments: readonly Attachment[], why: string): void {
    const written = this.#field.value;
    this.#remark = { text: why, isProblem: false };
    this.#tray.restore(attachments);
    this.#write(written.trim() === "" ? text : `${text}\n\n${written}`);
  }

  /** Attach files, from wherever they came. */
  attach(files: readonly File[]): void {
    this.focus();
    this.#remark = null;
    this.#tray.addFiles(files);
  }

  focus(): void {
    this.#field.focus();
  }

  /** While a turn runs or waits there is something to stop. */
  setBusy({ running, waiting }: Busy): void {
    if (running === this.#running && waiting === this.#waiting) return;
    const hadFocus = document.activeElement === this.#stopButton;
    this.#running = running;
    this.#waiting = waiting;
    this.#refresh();
    // A button that vanishes must not take the focus with it.
    if (hadFocus && this.#stopButton.hidden) this.focus();
  }

  #completionOf(dataSource: DataSource): Slot<Extras, Completion> {
    const { signal, parts } = this.#options;
    return new Slot({
      ...{ part: parts.extras, name: strings.variables, signal },
      make: ({ Completion }) =>
        new Completion({
          ...{ signal, dataSource, field: this.#field },
          choose: (variable) => {
            this.#tray.addVariable(variable);
            this.#write(this.#field.value);
          },
        }),
    });
  }

  /** Offer the variables that go on as what is typed. */
  #complete(): void {
    const { value, selectionStart } = this.#field;
    const isMention = mentionAt(value, selectionStart) !== null;
    this.#completion?.show(isMention, (completion) => completion.refresh());
  }

  #assemble(): void {
    this.#files.type = "file";
    this.#files.multiple = true;
    this.#files.hidden = true;
    const attach = this.#makeButton("attach", "clip", strings.attach, () =>
      this.#files.click(),
    );
    const buttons = make("div", "composer-buttons", this.#stopButton, this.#sendButton);
    const line = make(
      "div",
      "composer-line",
      attach,
      this.#files,
      this.#field,
      buttons,
    );
    const box = make("div", "composer-box", this.#tray.element, line);
    if (this.#completion !== null) box.prepend(this.#completion.element);
    this.element.append(box, this.#hint);
  }

  #makeButton(
    name: "send" | "stop" | "attach",
    icon: Parameters<typeof makeIcon>[0],
    label: string,
    onClick: () => void,
  ): HTMLButtonElement {
    const { signal } = this.#options;
    const button = makeButton(name, makeIcon(icon), onClick, signal);
    button.setAttribute("aria-label", label);
    button.title = label;
    return button;
  }

  #listen(signal: AbortSignal): void {
    this.#field.addEventListener(
      "input",
      () => {
        this.#remark = null;
        this.#isSending = false;
        this.#write(this.#field.value);
        this.#lookUpFinished();
        this.#complete();
      },
      { signal },
    );
    for (const moved of ["keyup", "click"]) {
      this.#field.addEventListener(moved, () => this.#lookUpFinished(), { signal });
    }
    this.#field.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.#field.addEventListener("paste", (event) => this.#onPaste(event), { signal });
    this.#files.addEventListener(
      "change",
      () => {
        this.attach([...(this.#files.files ?? [])]);
        this.#files.value = ""; // so that the same file can be chosen again
      },
      { signal },
    );
    this.element.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        this.#send();
      },
      { signal },
    );
  }

  #onKey(event: KeyboardEvent): void {
    // A key that ends the composition of a character is not ours.
    if (event.isComposing) return;
    if (this.#completion?.view?.takeKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Escape" && this.#isSending) {
      event.preventDefault();
      event.stopPropagation(); // it would stop the answer
      this.#isSending = false;
      this.#refresh();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#send();
    }
  }

  #onPaste(event: ClipboardEvent): void {
    const { clipboardData: data } = event;
    const files = [...(data?.files ?? [])];
    // Cells of a spreadsheet come as text, and as a picture of themselves.
    const isText =
      data?.types.includes("text/plain") && data.types.includes("text/html");
    if (files.length === 0 || isText) return;
    event.preventDefault();
    this.attach(files);
  }

  /** Share the variables whose names were typed to their end. */
  #lookUpFinished(): void {
    const { value, selectionStart } = this.#field;
    this.#tray.lookUp(finishedMentionsIn(value, selectionStart));
  }

  #onTrayChange(): void {
    if (this.#isSending && this.#tray.state !== "pending") this.#send();
    else this.#refresh();
  }

  #send(): void {
    this.#isSending = false;
    const names = mentionsIn(this.#field.value);
    this.#tray.keepOnly(names);
    this.#tray.lookUp(names);
    if (!this.#canSend) {
      this.#refresh();
      return;
    }
    const { state, attachments } = this.#tray;
    if (state === "failed") this.#say(strings.chipFailed);
    else if (state === "pending") {
      this.#isSending = true;
      this.#refresh();
    } else {
      const text = this.#field.value.trim();
      this.focus();
      this.#remark = null;
      this.#completion?.view?.close();
      this.#options.send(text, attachments);
      this.#tray.clear();
      this.#write("");
    }
  }

  get #canSend(): boolean {
    const isEmpty = this.#field.value.trim() === "" && this.#tray.isEmpty;
    return !isEmpty && this.#excess === null;
  }

  /** The bytes of what would be sent, where they are too many. */
  get #excess(): number | null {
    const content = contentOf(this.#field.value.trim(), this.#tray.attachments);
    return excessBytes(content, this.#options.model.messageBytesLimit);
  }

  /** What is shared goes with its name. */
  #write(text: string): void {
    if (text !== this.#field.value) this.#field.value = text;
    this.#options.model.keepDraft(text);
    this.#tray.keepOnly(mentionsIn(text));
    this.#refresh();
  }

  #say(problem: string): void {
    this.#remark = { text: problem, isProblem: true };
    this.#refresh();
  }

  #refresh(): void {
    const excess = this.#excess;
    const isEmpty = this.#field.value.trim() === "" && this.#tray.isEmpty;
    const busy = this.#running || this.#waiting;
    const label = this.#isSending ? strings.sendWaits : strings.send;
    this.#sendButton.disabled = !this.#canSend || this.#isSending;
    this.#sendButton.setAttribute("aria-label", label);
    this.#sendButton.title = label;
    this.#sendButton.setAttribute("aria-busy", String(this.#isSending));
    this.#stopButton.hidden = !busy;
    this.#sendButton.hidden = busy && isEmpty;
    const isProblem = excess !== null || this.#remark?.isProblem === true;
    this.element.classList.toggle("streamchat-too-long", excess !== null);
    this.element.classList.toggle("streamchat-has-problem", isProblem);
    this.#field.setAttribute("aria-invalid", String(excess !== null));
    // What cannot be sent is said at once; the ordinary hint is there to be found.
    this.#hint.setAttribute("role", isProblem ? "alert" : "note");
    setText(this.#hint, this.#hintFor(excess));
    this.#fitHeight();
  }

  #hintFor(excess: number | null): string {
    const { model, dataSource } = this.#options;
    if (excess !== null) return strings.tooLong(excess, model.messageBytesLimit);
    if (this.#remark !== null) return this.#remark.text;
    if (this.#isSending) return strings.sendsWhenReady(this.#tray.pendingCount);
    if (this.#waiting) return strings.composerHintWaiting;
    if (this.#running) return strings.composerHintRunning;
    if (dataSource !== null) return strings.composerHintData;
    const isMention = mentionAt(this.#field.value, this.#field.selectionStart) !== null;
    return isMention ? strings.noDataHere : strings.composerHint;
  }

  /** Where the browser does not size a field by its text itself. */
  #fitHeight(): void {
    if (globalThis.CSS?.supports?.("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
