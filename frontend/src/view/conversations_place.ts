/** Where the list of conversations is: beside the chat, or over it. */

import { ConversationsView } from "./conversations";
import type { ConversationsOptions, ListedChat } from "./conversations_button";
import { make } from "./element";

/** From this width on there is room for the list beside the chat, in CSS pixels. */
const WIDE = "(min-width: 900px)";

export class ConversationsPlace {
  readonly element = make("div", "conversations-place");
  readonly #options: ConversationsOptions;
  readonly #button: HTMLElement;
  readonly #list: ConversationsView;
  readonly #wide: MediaQueryList | null;
  #chat: ListedChat | null = null;
  #isOpen: boolean;

  constructor(options: ConversationsOptions, button: HTMLElement) {
    const { signal, isBeside = false } = options;
    this.#options = options;
    this.#button = button;
    this.#wide = isBeside ? matchMedia(WIDE) : null;
    const makeRoom = (): void => {
      this.#isOpen = this.#isBeside; // it would lie over the chat
      this.#arrange();
    };
    this.#wide?.addEventListener("change", makeRoom, { signal });
    this.#isOpen = this.#isBeside;
    this.#list = new ConversationsView({
      signal,
      server: () => this.#chat?.model.server ?? null,
      say: (text) => this.#chat?.say(text),
      open: (conversation) => this.#open(conversation),
      close: () => this.#show(false),
    });
    this.element.append(this.#list.element);
    this.#arrange();
  }

  /** Stand in this chat from now on, until its view ends. */
  attach(chat: ListedChat): void {
    if (chat === this.#chat) return;
    this.#chat = chat;
    chat.model.subscribe(({ kind }) => {
      const isListed = kind === "turn" || kind === "conversation" || kind === "reset";
      if (isListed && chat === this.#chat) this.#update();
    }, this.#options.signal);
    this.#arrange();
  }

  toggle(): void {
    this.#show(!this.#isOpen);
  }

  /** Open, and search. */
  search(words: string): void {
    this.#show(true);
    this.#list.search(words);
  }

  get #isBeside(): boolean {
    return this.#wide?.matches ?? false;
  }

  #open(conversation: string): void {
    if (!this.#isBeside) this.#show(false);
    this.#options.open(conversation);
  }

  #show(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#arrange();
    if (isOpen) this.#list.focus();
    else this.#button.focus();
  }

  #arrange(): void {
    this.element.hidden = !this.#isOpen;
    this.#button.setAttribute("aria-expanded", String(this.#isOpen));
    this.#chat?.root.toggleAttribute("data-beside", this.#isOpen && this.#isBeside);
    this.#update();
  }

  #update(): void {
    this.#list.update(this.#chat?.model.state.conversation ?? "", {
      isOpen: this.#isOpen && this.#chat !== null,
      isBeside: this.#isBeside,
    });
  }
}
