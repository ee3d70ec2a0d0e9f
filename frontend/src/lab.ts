/**
 * The chat for JupyterLab: what the panel and the tabs of its extension show.
 *
 * The extension is another program, built and installed with the package but kept by
 * the page for as long as that is open: what it uses of this file is numbered.
 */

import { shownMessages } from "./branches";
import { discoverSite } from "./credentials";
import { lastCode } from "./last_code";
import { fileLoader } from "./lazy_files";
import { openChat } from "./open_chat";
import { ChatView } from "./view/chat";
import { ConversationsButton } from "./view/conversations_button";
import { speak } from "./view/language";
import { Parts } from "./view/part";

/** Changes whenever what this file gives does: the extension must know it. */
export const labInterface = 1;

export interface LabChatOptions {
  /** Id of the conversation; empty: a new one, made by its first message. */
  readonly conversation: string;
  /** The tag of the language that the page speaks; that of the chat, where it can. */
  readonly language: string;
  /** Ends the chat and removes it. */
  readonly signal: AbortSignal;
  /** Told the id of a conversation that was made. */
  readonly onConversation: (id: string) => void;
  /** Told the title whenever it changes; empty while there is none. */
  readonly onTitle: (title: string) => void;
  /** Shows another conversation in place of this one; a new one for an empty id. */
  readonly open: (conversation: string) => void;
}

export interface LabChat {
  focus(): void;
  /** Put a text before what the reader is writing, and say why; sends nothing. */
  write(text: string, why: string): void;
  /** The last code block of the conversation's answers; `null` where there is none. */
  lastCode(): string | null;
}

/** Show a conversation in `container`, as high as that is, until the signal aborts. */
export async function mountChat(
  container: HTMLElement,
  options: LabChatOptions,
): Promise<LabChat> {
  const { conversation, signal, onConversation, open } = options;
  const site = discoverSite({ document, location });
  const load = fileLoader(new URL("streamchat/static/", site.baseUrl).href);
  await speak(options.language, load);
  const { chat } = openChat({
    ...{ conversation, signal, onConversation, kind: "page" },
  });
  chat.subscribe(({ kind }) => {
    if (kind === "conversation" || kind === "reset") options.onTitle(chat.state.title);
  }, signal);
  const parts = new Parts(load);
  const view = new ChatView(container, chat, {
    ...{ signal, parts, layout: "panel" },
    newConversation: () => open(""),
    conversations: new ConversationsButton({ signal, open, part: parts.conversations }),
  });
  return {
    focus: () => view.focus(),
    write: (text, why) => view.write(text, why),
    lastCode: () => lastCode(shownMessages(chat.state)),
  };
}
