/** The chat in a cell: what the widget fetches and mounts. */

import { onLanguage } from "./catalog";
import { KernelChannel, type MessageModel } from "./kernel_channel";
import { KernelData } from "./kernel_data";
import { type OpenedChat, openChat } from "./open_chat";
import { SavedTranscript } from "./saved_transcript";
import { addStyles } from "./styles";
import { ChatView } from "./view/chat";
import { ConversationsButton } from "./view/conversations_button";
import { speak } from "./view/language";
import { type LoadFile, Parts } from "./view/part";
import type { Direction, Theme } from "./view/types";

export { build } from "./build";

/** The synced traits of `Chat` in Python; no secret is among them. */
export interface Traits {
  /** Id of the conversation; empty until there is one. */
  conversation: string;
  /** Path of the server as the kernel knows it. */
  base_url: string;
  /** Whether only the kernel reaches the server. */
  through_kernel: boolean;
  theme: Theme;
  /** A language's tag, or `auto`; none where an older kernel has no such trait. */
  language?: string;
  direction?: Direction;
  /** A CSS length; empty for the usual one. */
  height: string;
  /** Set here, read in Python. */
  status: "connecting" | "connected" | "offline";
}

/** The part of anywidget's model that is used. */
export interface WidgetModel extends MessageModel {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  on(event: string, callback: (content: unknown) => void): void;
  off(event: string, callback: (content: unknown) => void): void;
  /** What the front end keeps its widgets with. */
  readonly widget_manager?: unknown;
}

export interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  readonly signal?: AbortSignal | undefined;
}

/** What the widget gives to be shown. */
export interface CellContext extends RenderContext {
  /** Loads what the chat needs later, from where this file came. */
  readonly loadFile: LoadFile;
  readonly signal: AbortSignal;
}

/** What the file of the chat in a cell gives. */
export interface CellFile {
  mountCell(context: CellContext): void;
}

/** One chat for all views of a model, open while there is one of them. */
class SharedChat {
  readonly opened: OpenedChat;
  readonly dataSource: KernelData;
  readonly parts: Parts;
  readonly #lifetime = new AbortController();
  readonly #model: WidgetModel;
  #conversation: string;
  #views = 0;

  constructor(model: WidgetModel, loadFile: LoadFile) {
    this.#model = model;
    this.#conversation = model.get("conversation");
    const { signal } = this.#lifetime;
    const channel = new KernelChannel(model);
    this.dataSource = new KernelData(channel, signal);
    new SavedTranscript(channel, model.widget_manager, signal);
    const kernel = { channel, isOnly: model.get("through_kernel") === true };
    this.opened = openChat({
      conversation: this.#conversation,
      kind: "widget",
      baseUrlHint: model.get("base_url"),
      kernel,
      signal,
      onConversation: (id) => {
        this.#conversation = id;
        tell(model, "conversation", id);
      },
    });
    const { chat } = this.opened;
    this.parts = new Parts(loadFile);
    chat.subscribe(({ kind }) => {
      if (kind === "connection") {
        tell(model, "status", statusOf(chat.connection.transport));
      }
    }, signal);
  }

  /** Make a fresh conversation, and let the model have it in place of this one. */
  readonly newConversation = async (): Promise<void> => {
    const { signal } = this.#lifetime;
    const { server } = this.opened.chat;
    const came = await server.ask("conversations", {
      method: "POST",
      body: {},
      signal,
    });
    const id =
      "answer" in came && (came.answer as { readonly id?: unknown } | null)?.id;
    if (typeof id === "string") tell(this.#model, "conversation", id);
  };

  /** Whether it shows this conversation, or will once it has made it. */
  shows(conversation: string): boolean {
    return (
      !this.#lifetime.signal.aborted &&
      (conversation === this.#conversation || conversation === "")
    );
  }

  /** Keep it open until `signal` aborts, and as long as others do. */
  hold(signal: AbortSignal): void {
    this.#views += 1;
    signal.addEventListener(
      "abort",
      () => {
        this.#views -= 1;
        if (this.#views === 0) {
          this.#lifetime.abort();
        }
      },
      { once: true },
    );
  }
}

const sharedChats = new WeakMap<WidgetModel, SharedChat>();

function sharedChatOf(model: WidgetModel, loadFile: LoadFile): SharedChat {
  const known = sharedChats.get(model);
  if (known?.shows(model.get("conversation"))) {
    return known;
  }
  const chat = new SharedChat(model, loadFile);
  sharedChats.set(model, chat);
  return chat;
}

/** Show the chat of a model in `el` until `signal` aborts. */
export function mountCell({ model, el, loadFile, signal }: CellContext): void {
  addStyles(el);
  let view: { readonly chat: ChatView; readonly end: () => void } | undefined;
  let shown: SharedChat | undefined;

  const show = (): void => {
    const shared = sharedChatOf(model, loadFile);
    if (shared === shown || signal.aborted) {
      return;
    }
    const viewLifetime = new AbortController();
    shared.hold(viewLifetime.signal);
    view?.end();
    shown = shared;
    const newConversation = (): void =>
      void shared.newConversation().then(() => view?.chat.focus());
    view = {
      chat: new ChatView(el, shared.opened.chat, {
        signal: viewLifetime.signal,
        theme: model.get("theme"),
        direction: model.get("direction"),
        layout: "widget",
        dataSource: shared.dataSource,
        parts: shared.parts,
        newConversation,
        conversations: new ConversationsButton({
          signal: viewLifetime.signal,
          part: shared.parts.conversations,
          open: (id) => {
            if (id === "") newConversation();
            else tell(model, "conversation", id);
            view?.chat.focus();
          },
        }),
      }),
      end: () => viewLifetime.abort(),
    };
    setHeight();
  };
  const showAnew = (): void => {
    shown = undefined;
    show();
  };
  const speakAndShow = (): void => {
    const shared = sharedChatOf(model, loadFile);
    const speaking = speak(model.get("language") ?? "auto", loadFile);
    if (speaking === null) {
      show();
      return;
    }
    const waiting = new AbortController();
    shared.hold(waiting.signal);
    void speaking.then(show).finally(() => waiting.abort());
  };
  const setTheme = (): void => view?.chat.setTheme(model.get("theme"));
  const setHeight = (): void => {
    if (view !== undefined) {
      view.chat.element.style.height = model.get("height");
    }
  };
  listen(model, "change:conversation", show, signal);
  listen(model, "change:theme", setTheme, signal);
  listen(model, "change:height", setHeight, signal);
  listen(model, "change:language", speakAndShow, signal);
  listen(model, "change:direction", showAnew, signal);
  onLanguage(showAnew, signal);
  signal.addEventListener("abort", () => view?.end(), { once: true });
  speakAndShow();
}

function listen(
  model: WidgetModel,
  event: string,
  callback: () => void,
  signal: AbortSignal,
): void {
  model.on(event, callback);
  signal.addEventListener("abort", () => model.off(event, callback), { once: true });
}

function tell<Name extends keyof Traits>(
  model: WidgetModel,
  name: Name,
  value: Traits[Name],
): void {
  if (model.get(name) !== value) {
    model.set(name, value);
    model.save_changes();
  }
}

function statusOf(transport: string): Traits["status"] {
  return transport === "connecting" || transport === "offline"
    ? transport
    : "connected";
}
