/** A connected chat for a page of this browser. */

import { Chat } from "./chat";
import type { KernelWay } from "./connection";
import type { ClientKind } from "./connection_words";
import { discoverSite, xsrfToken } from "./credentials";
import { isRelayed, relayFetch } from "./transport/relay_fetch";
import { Requests } from "./transport/requests";

export interface OpenChatOptions {
  /** Id of the conversation; empty: make one, a page with its first message. */
  readonly conversation: string;
  readonly kind: ClientKind;
  /** A base URL that somebody else knows. */
  readonly baseUrlHint?: string;
  /** A kernel that can pass on what the page cannot send itself. */
  readonly kernel?: KernelWay;
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
  const { conversation, kind, kernel, signal, onConversation } = options;
  const site = discoverSite({ document, location }, options.baseUrlHint);
  const apiUrl = new URL("streamchat/api/", site.baseUrl).href;
  const requests: Requests = new Requests({
    url: apiUrl,
    pageToken: site.pageToken,
    xsrfToken: () => xsrfToken(document),
    fetch: fetchWith(apiUrl, kernel, () => chat.connection.transport === "relay"),
  });
  const chat: Chat = new Chat({
    conversation: conversation === "" ? null : conversation,
    ...{ kind, requests, apiUrl, kernel, signal, onConversation, window },
  });
  chat.start();
  return { chat, staticUrl: new URL("streamchat/static/", site.baseUrl).href };
}

/**
 * Return a `fetch` that lets the kernel make the requests that it makes: all where the
 * chat goes through it, else those that get no answer.
 */
function fetchWith(
  apiUrl: string,
  kernel: KernelWay | undefined,
  isThroughKernel: () => boolean,
): typeof fetch {
  if (kernel === undefined) {
    return (input, init) => fetch(input, init);
  }
  return async (input, init = {}) => {
    const path = String(input).slice(apiUrl.length);
    const useKernel = kernel.isOnly || isThroughKernel();
    if (useKernel && path === "session") {
      return new Response(null, { status: 204 }); // the kernel needs no cookies
    }
    const canRelay = isRelayed(init.method ?? "GET", path);
    if (useKernel && canRelay) {
      return await relayFetch(kernel.channel, path, init);
    }
    try {
      return await fetch(input, init);
    } catch (error) {
      if (!canRelay || init.signal?.aborted) {
        throw error;
      }
      return await relayFetch(kernel.channel, path, init);
    }
  };
}
