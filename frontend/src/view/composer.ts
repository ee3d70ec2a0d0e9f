/** Where the reader writes and sends; what helps with that is loaded with the focus. */

import { type Attachment, contentOf, excessBytes } from "../content";
import { make, makeButton, makeProse, setText } from "./element";
import { makeIcon } from "./icon";
import type { Extras, Parts } from "./part";
import { actionIn, FIELD_SHORTCUTS } from "./shortcuts";
import { Slot } from "./slot";
import type { Steering } from "./steering";
import { strings } from "./strings";
import { TraySlot } from "./tray_slot";
import type { ChatModel, DataSource } from "./types";
import type { WritingAid } from "./writing_aid";

export interface ComposerOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly parts: Parts;
  /** `null` where there is no notebook. */
  readonly dataSource: DataSource | null;
  readonly send: (text: string, attachments: readonly Attachment[]) => void;
  /** What commands do. */
  readonly steering: (extras: Extras) => Steering;
  /** Says something to a screen reader. */
  readonly announce: (text: string) => void;
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

const SIZES_BY_TEXT = globalThis.CSS?.supports?.("field-sizing", "content") ?? true;

let nextId = 1;

export class ComposerView {
  readonly #options: ComposerOptions;
  readonly element = make("form", "composer");
  readonly #field = makeProse("textarea", "field");
  readonly #hint = make("div", "hint");
  readonly #files = make("input", "");
  readonly #sendButton: HTMLButtonElement;
  readonly #stopButton: HTMLButtonElement;
  readonly #tray: TraySlot;
  readonly #aid: Slot<Extras, WritingAid>;
  /** Grows as its text does where the browser does not size a field by it. */
  readonly #sizer = make("div", "field-sizer", this.#field);
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
      text: () => this.#field.value,
      rewrite: (text) => this.#rewrite(text),
      refuse: (why) => this.say(why, true),
      focusComposer: () => this.focus(),
    });
    this.#aid = this.#makeAid();
    this.#assemble();
    this.#listen(signal);
    this.#field.value = model.draft();
    this.#tray.restore(model.draftAttachments);
    this.#refresh();
  }

  /** Put what was written elsewhere before what is in the field, and say why. */
  giveBack(text: string, attachments: readonly Attachment[], why: string): void {
    const written = this.#field.value;
    this.#remark = { text: why, isProblem: false };
    this.#tray.restore(attachments);
    this.#rewrite(written.trim() === "" ? text : `${text}\n\n${written}`);
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

  /** What helps writing is there. */
  prepare(): void {
    this.#aid.show(true, (aid) => {
      if (this.#field.matches(":focus")) this.#look(aid);
    });
  }

  /** Say something in place of the hint, until something is typed. */
  say(text: string, isProblem: boolean): void {
    this.#remark = { text, isProblem };
    this.#refresh();
  }

  #makeAid(): Slot<Extras, WritingAid> {
    const { signal, parts, dataSource, steering, announce } = this.#options;
    return new Slot({
      ...{ part: parts.extras, name: strings.writingAid, signal },
      make: (extras) =>
        new extras.WritingAid({
          ...{ signal, dataSource, announce, field: this.#field },
          steering: steering(extras),
          written: () => this.#noteText(),
          attach: (file) => this.attach([file]),
          share: (variable) => this.#tray.addVariable(variable),
        }),
      failed: () => this.#sendIfReady(),
    });
  }

  /** Offer what goes on as what is typed. */
  #complete(): void {
    const mayBeOffered = /^\/|@/.test(this.#field.value);
    if (mayBeOffered || this.#aid.view !== null)
      this.#aid.show(true, (aid) => this.#look(aid));
  }

  #look(aid: WritingAid): void {
    aid.refresh();
    this.#refresh(); // there may be something to know of what is typed
    this.#sendIfReady();
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
      this.#sizer,
      buttons,
    );
    const { element } = this.#tray;
    const box = make("div", "composer-box", this.#aid.element, element, line);
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
    this.#field.addEventListener("input", () => this.#onInput(), { signal });
    for (const moved of ["keyup", "click"]) {
      this.#field.addEventListener(moved, () => this.#followText(), { signal });
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

  #onInput(): void {
    if (this.#aid.view?.isWriting) return;
    this.#remark = null;
    this.#isSending = false;
    this.#noteText();
    this.#followText();
    this.#complete();
  }

  #onKey(event: KeyboardEvent): void {
    const action = actionIn(FIELD_SHORTCUTS, event);
    if (this.#aid.view?.takeKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (action === "waitWithSending" && this.#isSending) {
      event.preventDefault();
      event.stopPropagation(); // it would stop the answer
      this.#isSending = false;
      this.#refresh();
    } else if (action === "send") {
      event.preventDefault();
      this.#send();
    }
  }

  #onPaste(event: ClipboardEvent): void {
    const { clipboardData: data } = event;
    const files = [...(data?.files ?? [])];
    if (this.#aid.view?.takePaste(event)) return;
    // Cells of a spreadsheet come as text, and as a picture of themselves.
    const isText =
      data?.types.includes("text/plain") && data.types.includes("text/html");
    if (files.length === 0 || isText) return;
    event.preventDefault();
    this.attach(files);
  }

  /** Share the variables whose names were typed to their end. */
  #followText(): void {
    const { value, selectionStart } = this.#field;
    this.#tray.follow(value, selectionStart);
  }

  #onTrayChange(): void {
    if (!this.#sendIfReady()) this.#refresh();
  }

  /** Send what waited for something, if all of it is there. */
  #sendIfReady(): boolean {
    const isReady = this.#isSending && this.#tray.state !== "pending";
    if (isReady) this.#send();
    return isReady;
  }

  #send(): void {
    this.#isSending = false;
    const { value } = this.#field;
    const isCommand = /^\/\S/.test(value);
    const { view, hasFailed } = this.#aid;
    if (isCommand && view?.run(value.trimEnd())) return;
    this.#tray.follow(value, null);
    if (!this.#canSend) {
      this.#refresh();
      return;
    }
    const { state, attachments } = this.#tray;
    if (state === "failed") this.say(strings.chipFailed, true);
    else if (state === "pending" || (isCommand && view === null && !hasFailed)) {
      this.#isSending = true;
      this.#refresh();
      this.#complete(); // it says whether it is a command
    } else {
      this.focus();
      this.#remark = null;
      this.#options.send(value.trim(), attachments);
      this.#tray.clear();
      this.#field.value = this.#aid.view?.end() ?? "";
      this.#noteText();
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

  /** Give the field another text; the reader can take that back. */
  #rewrite(text: string): void {
    const { view } = this.#aid;
    if (view === null) this.#field.value = text;
    else view.rewrite(text);
    this.#noteText();
  }

  /** Keep what is written; what is shared goes with its name. */
  #noteText(): void {
    const { value } = this.#field;
    if (!this.#aid.view?.showsEarlier) this.#options.model.keepDraft(value);
    this.#tray.keepNamed();
    this.#refresh();
  }

  #refresh(): void {
    const excess = this.#excess;
    const isEmpty = this.#field.value.trim() === "" && this.#tray.isEmpty;
    const busy = this.#running || this.#waiting;
    const label = this.#isSending ? strings.sendWaits : strings.send;
    if (!SIZES_BY_TEXT) this.#sizer.dataset["text"] = this.#field.value;
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
  }

  #hintFor(excess: number | null): string {
    const { model, dataSource } = this.#options;
    if (excess !== null) return strings.tooLong(excess, model.messageBytesLimit);
    if (this.#remark !== null) return this.#remark.text;
    if (this.#isSending) return strings.sendsWhenReady(this.#tray.pendingCount);
    if (this.#waiting) return strings.composerHintWaiting;
    if (this.#running) return strings.composerHintRunning;
    const hint = dataSource === null ? strings.composerHint : strings.composerHintData;
    return this.#aid.view?.hint || hint;
  }
}
