/** A chat in a panel or a tab of JupyterLab. */

import { Signal } from "@lumino/signaling";
import { Widget } from "@lumino/widgets";
import type { LabChat } from "../../frontend/src/lab";
import { type Failure, LoadError, loadChat } from "./chat_files";
import { chatIcon } from "./icon";
import type { Words } from "./words";

export interface ChatWidgetOptions {
  /** Id of the conversation; empty: a new one. */
  readonly conversation: string;
  /** The tag of the language that JupyterLab speaks. */
  readonly language: string;
  readonly words: Words;
  /** Where it stands: a panel's tab shows its icon alone, a tab its title. */
  readonly place: "panel" | "tab";
}

const ENABLE = "jupyter server extension enable streamchat_nb";

/** Shows one conversation at a time, from when it is first on the screen. */
export class ChatWidget extends Widget {
  /** The conversation became another one: made by its first message, or new. */
  readonly conversationChanged = new Signal<this, string>(this);
  readonly #options: ChatWidgetOptions;
  #conversation: string;
  #lifetime = new AbortController();
  /** The chat that is shown or on its way. */
  #chat: Promise<LabChat> | null = null;

  constructor(options: ChatWidgetOptions) {
    super();
    this.#options = options;
    this.#conversation = options.conversation;
    this.addClass("streamchat-lab");
    this.title.icon = chatIcon;
    this.#setTitle("");
  }

  /** Id of the conversation that is shown; empty while it has no message. */
  get conversation(): string {
    return this.#conversation;
  }

  override dispose(): void {
    this.#lifetime.abort();
    super.dispose();
  }

  /** Show another conversation; the empty id stands for a new one. */
  open(conversation: string): void {
    this.#keep(conversation);
    this.#lifetime.abort();
    this.#chat = null;
    if (this.isVisible) this.#show();
  }

  /** The chat, once it is there. @throws {LoadError} it cannot be shown */
  async chat(): Promise<LabChat> {
    return await this.#show();
  }

  /** Put a text before what the reader is writing, and say so. */
  async write(text: string): Promise<void> {
    (await this.#show()).write(text, this.#options.words.added);
  }

  protected override onAfterShow(): void {
    this.#showQuietly();
  }

  protected override onAfterAttach(): void {
    if (this.isVisible) this.#showQuietly();
  }

  protected override onActivateRequest(): void {
    this.#show().then(
      (chat) => chat.focus(),
      () => this.node.querySelector("button")?.focus(),
    );
  }

  #showQuietly(): void {
    this.#show().catch(() => undefined); // it says itself what is wrong
  }

  #show(): Promise<LabChat> {
    this.#chat ??= this.#mount();
    return this.#chat;
  }

  async #mount(): Promise<LabChat> {
    this.#lifetime = new AbortController();
    const { signal } = this.#lifetime;
    const { words, language } = this.#options;
    this.#say(words.loading);
    try {
      const { mountChat } = await loadChat();
      signal.throwIfAborted();
      this.node.replaceChildren();
      return await mountChat(this.node, {
        ...{ language, signal, conversation: this.#conversation },
        onConversation: (id) => this.#keep(id),
        onTitle: (title) => this.#setTitle(title),
        open: (id) => {
          this.open(id);
          this.activate();
        },
      });
    } catch (error) {
      if (!signal.aborted) {
        this.#chat = null;
        this.#explain(error instanceof LoadError ? error.failure : "notReached");
      }
      throw error;
    }
  }

  #keep(conversation: string): void {
    this.#conversation = conversation;
    if (conversation === "") this.#setTitle("");
    this.conversationChanged.emit(conversation);
  }

  #setTitle(title: string): void {
    const { words, place } = this.#options;
    this.title.caption = title || words.chat;
    if (place === "tab") this.title.label = this.title.caption;
  }

  #say(text: string): HTMLElement {
    const line = document.createElement("p");
    line.textContent = text;
    const notice = document.createElement("div");
    notice.className = "streamchat-lab-notice";
    notice.setAttribute("role", "status");
    notice.append(line);
    this.node.replaceChildren(notice);
    return notice;
  }

  #explain(failure: Failure): void {
    const { words } = this.#options;
    const notice = this.#say(words[failure]);
    if (failure === "notEnabled") {
      const command = document.createElement("code");
      command.textContent = ENABLE;
      notice.append(command);
    }
    const again = document.createElement("button");
    again.className = "jp-mod-styled";
    again.textContent = words.tryAgain;
    again.addEventListener("click", () => this.activate());
    notice.append(again);
  }
}
