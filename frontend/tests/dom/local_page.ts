/** A page of jsdom that a local server is behind: its requests and sockets go there. */

import { afterEach, beforeEach, vi } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import { LocalServer } from "../local_server";
import "./browser_parts";

/**
 * Serve this page from a server with the base URL `/base/`; stopped after each test,
 * when nobody reads from it any more.
 */
export function servePage({ staysOpen = false } = {}): {
  readonly server: LocalServer;
} {
  const page = { server: new LocalServer() };
  const nodeFetch = globalThis.fetch;

  /** A browser's WebSocket to this page's origin. */
  class PageWebSocket extends NodeWebSocket {
    constructor(url: URL, protocol: string) {
      super(new URL(url.pathname, page.server.url.replace("http", "ws")), protocol);
      this.on("error", () => undefined);
    }
  }

  beforeEach(async () => {
    page.server = await new LocalServer().start();
    // biome-ignore lint/suspicious/noDocumentCookie: what a server would set
    document.cookie = "_xsrf=x1";
    document.body.replaceChildren();
    const config = document.createElement("script");
    config.id = "jupyter-config-data";
    config.type = "application/json";
    config.textContent = JSON.stringify({ baseUrl: "/base/" });
    document.head.replaceChildren(config);
    vi.stubGlobal("WebSocket", PageWebSocket);
    vi.stubGlobal("fetch", (input: URL, init?: RequestInit) => {
      const url = new URL(`${input.pathname}${input.search}`, page.server.url);
      // Node's fetch knows nothing of the signals of jsdom.
      return nodeFetch(url, { ...init, signal: null });
    });
  });

  afterEach(async () => {
    if (!staysOpen) {
      await vi.waitUntil(() => page.server.readers === 0, 5_000);
    }
    await page.server.stop();
    vi.unstubAllGlobals();
  });

  return page;
}
