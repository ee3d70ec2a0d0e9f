import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import { Chat, type ChatOptions } from "../../src/chat";
import { Requests, type RequestsOptions } from "../../src/transport/requests";
import type { Change } from "../../src/view/types";
import { LocalServer } from "../local_server";
import { MemoryStorage } from "../memory_storage";

/** A browser's WebSocket: an error that nobody listens for is no exception. */
class BrowserWebSocket extends NodeWebSocket {
  constructor(url: URL, protocol: string) {
    super(url, protocol);
    this.on("error", () => undefined);
  }
}

vi.stubGlobal("WebSocket", BrowserWebSocket);

let server: LocalServer;
let lifetime: AbortController;

beforeEach(async () => {
  server = await new LocalServer().start();
  lifetime = new AbortController();
  vi.spyOn(Math, "random").mockReturnValue(0.1); // short pauses before new attempts
});

afterEach(async () => {
  lifetime.abort();
  await server.stop();
});

function requestsTo(options: Partial<RequestsOptions> = {}): Requests {
  return new Requests({
    url: new URL("streamchat/api/", server.url).href,
    pageToken: null,
    xsrfToken: () => "x1",
    fetch,
    ...options,
  });
}

function open(options: Partial<ChatOptions> = {}): Chat {
  const chat = new Chat({
    conversation: server.conversation,
    kind: "page",
    requests: requestsTo(),
    apiUrl: new URL("streamchat/api/", server.url).href,
    signal: lifetime.signal,
    ...options,
  });
  chat.start();
  return chat;
}

/** Wait until a condition holds, looking whenever the chat changes. */
async function until(chat: Chat, holds: () => boolean, within = 10_000): Promise<void> {
  const waiting = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new Error(`It did not come to that: ${JSON.stringify(chat.connection)}`),
        );
      }, within);
      waiting.signal.addEventListener("abort", () => clearTimeout(timer));
      const look = (): void => {
        if (holds()) {
          resolve();
        }
      };
      chat.subscribe(look, waiting.signal);
      look();
    });
  } finally {
    waiting.abort();
  }
}

const uses = (transport: string) => (chat: Chat) => () =>
  chat.connection.transport === transport;
const hasEverything = (chat: Chat) => () =>
  chat.outbox.length === 0 && chat.state.turns.at(-1)?.status === "completed";

/** A chat whose turn t9 runs, and t1 and t2 wait for it. */
async function openWithQueue(transport: string): Promise<Chat> {
  server.append({ type: "turn.started", turn: "t9", message: "q", agent: "a" });
  const chat = open();
  await until(chat, uses(transport)(chat));
  chat.send("one");
  chat.send("two");
  await until(chat, () => chat.turn("t2")?.status === "queued");
  return chat;
}

describe.each([
  ["websocket", {}],
  ["sse", { sockets: "blocked" }],
  ["rest", { sockets: "blocked", streams: "blocked" }],
] as const)("a chat over %s", (transport, faults) => {
  beforeEach(() => {
    Object.assign(server.faults, faults);
  });

  test("shows what is there, then a message at once, then the answer", async () => {
    server.send("w_0", [{ type: "text", text: "before" }]);
    const chat = open();
    await until(chat, uses(transport)(chat));
    expect(chat.state.messages).toHaveLength(2);

    chat.send("Hello");
    expect(chat.outbox).toMatchObject([
      { content: [{ type: "text", text: "Hello" }], status: "sending" },
    ]);
    await until(chat, () => chat.state.messages.length === 4 && hasEverything(chat)());

    expect(chat.state).toEqual(server.state);
    expect(chat.state.messages.at(-1)?.blocks[0]?.text).toBe("All that was seen.");
  });

  test("tells of each change as it comes", async () => {
    const chat = open();
    const changes: Change[] = [];
    await until(chat, uses(transport)(chat));
    chat.subscribe((change) => changes.push(change), lifetime.signal);

    chat.send("Hello");
    await until(chat, hasEverything(chat));

    expect(changes.filter(({ kind }) => kind === "delta")).toHaveLength(4);
    expect(changes).toContainEqual({ kind: "message", message: "q1" });
    expect(changes).toContainEqual({ kind: "turn", turn: "t1" });
    expect(changes.filter(({ kind }) => kind === "reset")).toEqual([]);
  });

  test("sends several messages once each, in order", async () => {
    const chat = open();
    for (const text of ["a", "b", "c"]) {
      chat.send(text);
    }

    await until(chat, () => chat.state.messages.length === 6 && hasEverything(chat)());

    const asked = chat.state.messages.filter(({ role }) => role === "user");
    expect(asked.map(({ blocks }) => blocks[0]?.text)).toEqual(["a", "b", "c"]);
    expect(chat.state).toEqual(server.state);
  });

  test("cancels the running turn and all that wait", async () => {
    const chat = await openWithQueue(transport);

    chat.cancel();
    await until(chat, () => chat.state.turns.every((t) => t.status === "cancelled"));

    expect(chat.state.turns).toHaveLength(3);
    expect(chat.requests).toEqual([]);
  });

  test("changes, hurries and removes what waits", async () => {
    const chat = await openWithQueue(transport);
    const text = (id: string) => chat.message(id)?.blocks.map((block) => block.text);

    chat.edit("t1", "changed");
    chat.edit("t1", "changed again");
    chat.sendNow("t2");
    expect(chat.requests.map(({ kind, turn }) => `${kind} ${turn}`)).toContain(
      "send_now t2",
    );
    await until(chat, () => chat.requests.length === 0);
    expect(text("q1")).toEqual(["changed again"]);
    expect(chat.state.turns.map(({ turn }) => turn)).toEqual(["t9", "t2", "t1"]);

    chat.remove("t1");
    await until(chat, () => chat.turn("t1")?.status === "cancelled");

    expect(chat.turn("t1")?.stop_reason).toBe("removed");
    expect(chat.turn("t2")?.status).toBe("queued");
    expect(chat.state).toEqual(server.state);
  });

  test("keeps what is attached to a message that is changed", async () => {
    const chat = await openWithQueue(transport);
    const image = { type: "image", artifact: "a1", media_type: "image/png" };
    server.send("w_i", [{ type: "text", text: "Look" }, image]);
    await until(chat, () => chat.turn("t3")?.status === "queued");

    chat.edit("t3", "Look here");
    await until(chat, () => chat.requests.length === 0);

    expect(chat.message("q3")?.blocks.map(({ content }) => content)).toMatchObject([
      { type: "text", text: "Look here" },
      image,
    ]);
  });

  test("says that a change came too late", async () => {
    const chat = await openWithQueue(transport);
    server.append({ type: "turn.started", turn: "t1", message: "q1", agent: "a" });

    chat.edit("t1", "changed");
    await until(chat, () => chat.requests[0]?.status === "failed");

    expect(chat.requests).toMatchObject([
      { kind: "edit", turn: "t1", text: "changed", error: { code: "not_queued" } },
    ]);
    chat.discardRequest(chat.requests[0]?.key ?? "");
    expect(chat.requests).toEqual([]);
  });

  test("goes on when the server was stopped and started again", async () => {
    const chat = open();
    chat.send("before");
    await until(chat, () => chat.state.messages.length === 2 && hasEverything(chat)());

    await server.stop();
    await until(chat, uses("offline")(chat));
    chat.send("meanwhile");
    server.send("w_other", [{ type: "text", text: "of somebody else" }]);
    await server.start();
    await until(chat, () => chat.state.messages.length === 6 && hasEverything(chat)());

    expect(chat.state).toEqual(server.state);
    expect(chat.connection.transport).toBe(transport);
  });

  test("leaves nothing behind when it ends", async () => {
    const chat = open();
    await until(chat, uses(transport)(chat));

    lifetime.abort();
    chat.send("after the end");
    chat.reconnect();

    await vi.waitUntil(() => server.readers === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const requests = [...server.requests];
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(server.requests).toEqual(requests);
  });
});

describe("a chat", () => {
  test("whose socket is cut again and again has everything once", async () => {
    server.faults.cutAfterEvents = 3;
    const chat = open();
    await until(chat, uses("websocket")(chat));

    for (const text of ["a", "b"]) {
      chat.send(text);
    }
    await until(
      chat,
      () => chat.state.messages.length === 4 && hasEverything(chat)(),
      30_000,
    );

    expect(chat.state).toEqual(server.state);
    const upgrades = server.requests.filter((r) => r.startsWith("UPGRADE"));
    expect(upgrades.length).toBeGreaterThan(3);
  }, 40_000);

  test("of a page without a conversation makes it with the first message", async () => {
    const made: string[] = [];
    const chat = open({ conversation: null, onConversation: (id) => made.push(id) });

    await until(chat, uses("ready")(chat));
    expect(chat.isOffline).toBe(true);
    expect(server.requests).toEqual(["GET agents"]);

    chat.send("Hello");
    await until(chat, () => chat.state.messages.length === 2 && hasEverything(chat)());

    expect(made).toEqual(["c_1"]);
    expect(chat.connection.transport).toBe("websocket");
  });

  test("that ends offline is followed by one that sends what was typed, once", async () => {
    const places = { allTabs: new MemoryStorage(), thisTab: new MemoryStorage() };
    const page = new AbortController();
    const first = open({ places, signal: page.signal });
    await until(first, uses("websocket")(first));
    await server.stop();
    await until(first, uses("offline")(first));
    first.send("meanwhile");
    first.keepDraft("a draft");
    page.abort();

    const reloaded = open({ places });
    const otherTab = open({ places: { ...places, thisTab: new MemoryStorage() } });
    for (const chat of [reloaded, otherTab]) {
      expect(chat.outbox).toMatchObject([
        { content: [{ type: "text", text: "meanwhile" }], status: "sending" },
      ]);
    }
    expect([reloaded.draft(), otherTab.draft()]).toEqual(["a draft", ""]);
    await server.start();
    for (const chat of [reloaded, otherTab]) {
      await until(
        chat,
        () => chat.state.messages.length === 2 && hasEverything(chat)(),
        20_000,
      );
    }

    expect(server.state.messages.filter(({ role }) => role === "user")).toHaveLength(1);
    expect(places.allTabs.length).toBe(0);
  });

  test("keeps a change of what waits until the server has it", async () => {
    const places = { allTabs: new MemoryStorage(), thisTab: new MemoryStorage() };
    server.append({ type: "turn.started", turn: "t9", message: "q", agent: "a" });
    server.send("w_1", [{ type: "text", text: "one" }]);
    const chat = open({ places });
    await until(chat, () => chat.turn("t1")?.status === "queued");

    chat.edit("t1", "changed");
    expect(chat.draft("t1")).toBe("changed");
    await until(chat, () => chat.requests.length === 0);

    expect(chat.draftTurns).toEqual([]);
  });

  test("of a widget without a conversation makes one at once", async () => {
    const made: string[] = [];
    const onConversation = (id: string) => made.push(id);
    const chat = open({ conversation: null, kind: "widget", onConversation });

    await until(chat, uses("websocket")(chat));

    expect(made).toEqual(["c_1"]);
  });

  test("goes to polling when streams are taken and never answered", async () => {
    Object.assign(server.faults, { sockets: "blocked", streams: "silent" });
    const chat = open();

    await until(chat, uses("rest")(chat));

    expect(chat.connection.detail).toContain("HTTP streams do not get through");
  }, 20_000);

  test("of somebody who is signed out says so, and comes back on request", async () => {
    server.faults.signedOut = true;
    const chat = open();
    await until(chat, () => chat.connection.problem?.code === "signed_out");

    server.faults.signedOut = false;
    chat.reconnect();

    await until(chat, uses("websocket")(chat));
  });

  test("of a conversation that is not there says so", async () => {
    server.faults.sockets = "blocked";
    const chat = open({ conversation: "c_9" });

    await until(chat, () => chat.connection.problem !== undefined);

    expect(chat.connection.problem?.message).toContain("not on this server");
  });

  test("asks again what a turn was to answer, and does what a button says", async () => {
    const chat = open();
    chat.send("Who is Ada?");
    await until(chat, () => chat.state.messages.length === 2 && hasEverything(chat)());

    chat.retry("t1");
    chat.act({ kind: "button", label: "Draft", send: "Draft a mail" });
    chat.act({ kind: "link", label: "Ada", href: "https://example.org" });
    chat.send("  ");
    await until(chat, () => chat.state.messages.length === 6 && hasEverything(chat)());

    const asked = chat.state.messages.filter(({ role }) => role === "user");
    expect(asked.map(({ blocks }) => blocks[0]?.text)).toEqual([
      "Who is Ada?",
      "Who is Ada?",
      "Draft a mail",
    ]);
  });

  test.each([{}, { sockets: "blocked" } as const])(
    "asks again for data in the shape that was wanted, with %o",
    async (faults) => {
      Object.assign(server.faults, faults);
      const chat = open();
      const schema = { type: "object", required: ["name"] };
      chat.send("Contacts", [], schema);
      await until(chat, () => chat.state.messages.length === 2);

      chat.retry("t1");
      await until(chat, () => chat.state.messages.length === 4);

      const asked = chat.state.messages.filter(({ role }) => role === "user");
      expect(asked.map((message) => message.output_schema)).toEqual([schema, schema]);
    },
  );

  test("whose view throws stays connected", async () => {
    const thrown: unknown[] = [];
    const keep = (error: unknown): void => {
      thrown.push(error);
    };
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", keep);
    try {
      const chat = open();
      chat.subscribe(() => {
        throw new Error("a view's fault");
      }, lifetime.signal);
      chat.send("Hello");
      await until(
        chat,
        () => chat.state.messages.length === 2 && hasEverything(chat)(),
      );

      expect(chat.state).toEqual(server.state);
      expect(String(thrown[0])).toContain("a view's fault");
    } finally {
      process.removeListener("uncaughtException", keep);
      for (const listener of before) {
        process.on("uncaughtException", listener);
      }
    }
  });
});

describe("a token", () => {
  test("is asked for again where a dead connection swallows the question", async () => {
    let asked = 0;
    const swallowing: typeof fetch = async (input, init) => {
      asked += String(input).endsWith("token") ? 1 : 0;
      return asked === 1
        ? await new Promise(() => undefined)
        : await fetch(input, init);
    };
    const chat = open({ requests: requestsTo({ fetch: swallowing }) });

    await until(chat, uses("websocket")(chat), 4_000);

    expect(asked).toBe(2);
  });
});

describe("credentials", () => {
  test("a missing XSRF cookie is fetched first", async () => {
    let cookie: string | null = null;
    const withCookie: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      cookie = String(input).endsWith("session") ? "x1" : cookie;
      return response;
    };

    const requests = requestsTo({ xsrfToken: () => cookie, fetch: withCookie });
    const signal = lifetime.signal;
    await requests.json("token", { method: "POST", body: {}, signal });

    expect(server.requests).toEqual(["GET session", "POST token"]);
  });

  test("an XSRF cookie that is out of date is renewed once", async () => {
    let cookie = "old";
    const withCookie: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      cookie = String(input).endsWith("session") ? "x1" : cookie;
      return response;
    };

    const requests = requestsTo({ xsrfToken: () => cookie, fetch: withCookie });
    const signal = lifetime.signal;
    await requests.json("token", { method: "POST", body: {}, signal });

    expect(server.requests).toEqual(["POST token", "GET session", "POST token"]);
    expect(server.xsrfTokens).toEqual(["old", "x1"]);
  });

  test("the page's token is the last resort, and never part of an address", async () => {
    const seen: [string, string | null][] = [];
    const onlyToken: typeof fetch = async (input, init) => {
      const authorization = new Headers(init?.headers).get("Authorization");
      seen.push([String(input), authorization]);
      server.faults.signedOut = authorization !== "token t0";
      return await fetch(input, init);
    };
    const requests = requestsTo({ pageToken: "t0", fetch: onlyToken });
    const signal = lifetime.signal;

    await requests.json("token", { method: "POST", body: {}, signal });
    await requests.json("session", { signal });

    expect(seen.map(([, authorization]) => authorization)).toEqual([
      null,
      null,
      null,
      "token t0",
      "token t0",
    ]);
    expect(seen.filter(([url]) => url.includes("t0"))).toEqual([]);
  });

  test.each([
    [new Response("<p>Sign in</p>"), { status: 200, code: "unexpected_answer" }],
    [new Response("busy", { status: 502 }), { status: 502, code: "http_502" }],
    [Response.redirect("http://sso.example/"), { status: 302, code: "http_302" }],
    [
      Response.json(
        { code: "too_large", message: "Too large.", details: { bytes: 1 } },
        { status: 413 },
      ),
      { status: 413, code: "too_large" },
    ],
    [
      Response.json({ code: "origin_forbidden", message: "…" }, { status: 403 }),
      { status: 403, code: "origin_forbidden" },
    ],
  ])("an answer that says no becomes one error", async (response, expected) => {
    const requests = requestsTo({ fetch: async () => response.clone() });

    const failure = await requests.json("token", { signal: lifetime.signal }).then(
      () => null,
      (error) => error.failure,
    );

    expect({ status: failure.status, code: failure.problem.code }).toEqual(expected);
  });

  test("a request that is not answered in time is given up", async () => {
    server.faults.streams = "silent";
    const requests = requestsTo();

    const asked = requests.open("conversations/c_1/events", {
      headers: { Accept: "text/event-stream" },
      signal: lifetime.signal,
      timeoutMs: 50,
    });

    await expect(asked).rejects.toMatchObject({
      failure: { status: null, problem: { code: "server_unreachable" } },
    });
  });
});
