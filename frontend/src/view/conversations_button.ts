/** The button that opens the list of conversations. */

import type { ConversationsPlace } from "./conversations_place";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import type { Conversations, Part } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { ChatModel } from "./types";

export interface ConversationsOptions {
  readonly signal: AbortSignal;
  readonly part: Part<Conversations>;
  /** Shows another conversation; a new one for an empty id. */
  readonly open: (conversation: string) => void;
  /** Whether the list is beside the chat, from the start, where there is room. */
  readonly isBeside?: boolean;
}

/** The chat that the list stands in. */
export interface ListedChat {
  readonly model: ChatModel;
  readonly root: HTMLElement;
  /** Says something to a screen reader. */
  readonly say: (text: string) => void;
}

/** May outlive a chat: attached to the next one, the list stays as it was. */
export class ConversationsButton {
  readonly button: HTMLButtonElement;
  readonly #options: ConversationsOptions;
  readonly #holder = make("div", "");
  readonly #place: Slot<Conversations, ConversationsPlace>;
  #chat: ListedChat | null = null;

  constructor(options: ConversationsOptions) {
    const { signal, part } = options;
    this.#options = options;
    const toggle = (): void => this.#show((place) => place.toggle());
    this.button = makeButton("settings", makeIcon("list"), toggle, signal);
    this.button.setAttribute("aria-label", strings.conversations);
    this.button.setAttribute("aria-expanded", "false");
    this.button.title = strings.conversations;
    this.#place = new Slot({
      ...{ part, name: strings.conversations, signal },
      make: ({ ConversationsPlace }) => new ConversationsPlace(options, this.button),
    });
    this.#holder.append(this.#place.element);
  }

  /** Stand in a chat from now on, until its view ends. */
  attach(chat: ListedChat): void {
    this.#chat = chat;
    chat.root.prepend(this.#holder);
    if (this.#options.isBeside || this.#place.view !== null) this.#show();
  }

  /** Search in all conversations. */
  search(words: string): void {
    this.#show((place) => place.search(words));
  }

  #show(then?: (place: ConversationsPlace) => void): void {
    const chat = this.#chat;
    this.#place.show(true, (place) => {
      if (chat !== null) place.attach(chat);
      then?.(place);
    });
  }
}
