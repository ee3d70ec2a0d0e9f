/** Under a message of the reader's: the way to its versions, and to another one. */

import { revisionOf } from "../kept_texts";
import { attachedTo, writtenTextOf } from "../turns";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import { MessageEditor } from "./message_editor";
import { more } from "./more_strings";
import type { ChatModel, MessageState } from "./types";
import { type Toward, VersionsView } from "./versions";

export interface MessageToolsOptions {
  readonly signal: AbortSignal;
  readonly model: Pick<
    ChatModel,
    "draft" | "keepDraft" | "revise" | "messageBytesLimit"
  >;
  /** Show another version; `from` is what was pressed. */
  readonly selectVersion: (version: string, toward: Toward, from: HTMLElement) => void;
  /** Told whether the message is being written in other words. */
  readonly editing: (isEditing: boolean) => void;
  /** Told that another version was sent. */
  readonly sent: () => void;
}

export class MessageTools {
  readonly #options: MessageToolsOptions;
  readonly element = make("div", "user-tools");
  readonly #row = make("div", "user-tools-row");
  readonly #edit: HTMLButtonElement;
  #versions: VersionsView | null = null;
  #editor: MessageEditor | null = null;
  #message: MessageState | null = null;

  constructor(options: MessageToolsOptions) {
    this.#options = options;
    const edit = (): void =>
      this.#openEditor(writtenTextOf(this.#message ?? undefined));
    this.#edit = makeButton("edit", makeIcon("pencil"), edit, options.signal);
    this.#edit.setAttribute("aria-label", more.editMessage);
    this.#edit.title = more.editMessageDetail;
    this.#row.append(this.#edit);
    this.element.append(this.#row);
  }

  /** @param versions all versions of the message that can be shown, in order */
  update(message: MessageState, versions: readonly string[]): void {
    const isNew = this.#message === null;
    this.#message = message;
    if (versions.length > 1) this.#versions ??= this.#makeVersions();
    this.#versions?.update(message.message, versions);
    if (isNew) this.#resumeEdit();
  }

  /** Let the reader go on from the way to the version before or after. */
  focusVersions(toward: Toward): void {
    this.#versions?.focus(toward);
  }

  #makeVersions(): VersionsView {
    const { selectVersion, signal } = this.#options;
    const select = (version: string, toward: Toward): void =>
      selectVersion(version, toward, this.element);
    const versions = new VersionsView(select, signal);
    this.#row.append(versions.element);
    return versions;
  }

  #makeEditor(): MessageEditor {
    const { signal, model, sent } = this.#options;
    const editor = new MessageEditor({
      signal,
      messageBytesLimit: () => model.messageBytesLimit,
      keep: (text) => model.keepDraft(text, this.#key),
      leave: () => this.#closeEditor(),
      send: (text) => {
        this.#closeEditor();
        model.revise(this.#message?.message ?? "", text);
        sent();
      },
    });
    this.element.prepend(editor.element);
    return editor;
  }

  get #key(): string {
    return revisionOf(this.#message?.message ?? "");
  }

  /** Go on with a version that was being written when the page ended. */
  #resumeEdit(): void {
    const draft = this.#options.model.draft(this.#key);
    if (draft !== "") this.#openEditor(draft, false);
  }

  #openEditor(text: string, focus = true): void {
    this.#editor ??= this.#makeEditor();
    this.#showEditor(true);
    const attachments = attachedTo(this.#message ?? undefined);
    this.#editor.open(text, attachments, focus);
  }

  #closeEditor(): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.#showEditor(false);
    this.#options.model.keepDraft("", this.#key);
    if (hadFocus) this.#edit.focus();
  }

  #showEditor(isShown: boolean): void {
    if (this.#editor !== null) this.#editor.element.hidden = !isShown;
    this.#row.hidden = isShown;
    this.#options.editing(isShown);
  }
}
