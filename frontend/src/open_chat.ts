/** A connected chat for a page of this browser. */

import { Chat } from "./chat";
import type { ClientKind } from "./connection_words";
import { discoverSite, xsrfToken } from "./credentials";
import { Requests } from "./transport/requests";

export interface OpenChatOptions {
  /** Id of the conversation; empty: make one, a page with its first message. */
  readonly conversation: string;
  readonly kind: ClientKind;
  /** A base URL that somebody else knows. */
  readonly baseUrlHint?: string;
  /** Ends the chat. */
  readonly signal: AbortSignal;
  /** Told the id of a conversation that was made. */
  readonly onConversation: (id: string) => void;
}

export interface OpenedChat {
  readonly chat: Chat;
  /** Where the parts of the front end are that are loaded when they are needed. */
  readonly staticUrl: string;
}

/** Find the server of this page and begin to connect to a conversation. */
export function openChat(options: OpenChatOptions): OpenedChat {
  const { conversation, kind, signal, onConversation } = options;
  const site = discoverSite({ document, location }, options.baseUrlHint);
  const apiUrl = new URL("streamchat/api/", site.baseUrl).href;
  const requests = new Requests({
    url: apiUrl,
    pageToken: site.pageToken,
    xsrfToken: () => xsrfToken(document),
    fetch: (input, init) => fetch(input, init),
  });
  const chat = new Chat({
    conversation: conversation === "" ? null : conversation,
    ...{ kind, requests, apiUrl, signal, onConversation, window },
  });
  chat.start();
  return { chat, staticUrl: new URL("streamchat/static/", site.baseUrl).href };
}
