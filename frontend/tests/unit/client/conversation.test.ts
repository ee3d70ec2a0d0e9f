import { filter, firstValueFrom, from, map } from "rxjs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import {
  type Conversation,
  type ConversationSnapshot,
  connect,
  openConversation,
  StreamchatError,
} from "../../../src/client";
import { LocalServer } from "../../local_server";

let server: LocalServer;
let conversation: Conversation | undefined;

beforeEach(async () => {
  server = await new LocalServer().start();
  vi.spyOn(Math, "random").mockReturnValue(0.1);
});

afterEach(async () => {
  conversation?.close();
  await server.stop();
});

const openSocket = (
  url: string,
  protocol: string,
  headers: Readonly<Record<string, string>>,
): WebSocket => {
  const socket = new NodeWebSocket(url, protocol, { headers });
  socket.on("error", () => undefined);
  return socket as unknown as WebSocket;
};

function open(options: { readonly withSockets?: boolean } = {}): Conversation {
  conversation = openConversation({
    ...{ url: server.url, token: "t", conversation: server.conversation },
    openSocket: options.withSockets === false ? undefined : openSocket,
  });
  return conversation;
}

/** Wait for a snapshot of which something holds. */
function until(
  watched: Conversation,
  holds: (snapshot: ConversationSnapshot) => boolean,
): Promise<ConversationSnapshot> {
  return firstValueFrom(from(watched).pipe(filter(holds)));
}

const isLive = ({ connection }: ConversationSnapshot): boolean =>
  connection.text.startsWith("Live");
const hasAnswers =
  (count: number) =>
  ({ turns, running }: ConversationSnapshot): boolean =>
    turns.filter(({ status }) => status === "completed").length === count &&
    running === undefined;

describe("A conversation", () => {
  test("is live over a socket, sends, and has the answer", async () => {
    const opened = open();
    await until(opened, isLive);
    opened.send("Hello");
    const { messages, outbox, connection } = await until(opened, hasAnswers(1));
    expect(connection.transport).toBe("websocket");
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(outbox).toEqual([]);
  });

  test("goes over an HTTP stream where no socket can carry its token", async () => {
    vi.stubGlobal("document", {}); // as in a browser
    try {
      const opened = open({ withSockets: false });
      opened.send("Hello");
      const { connection } = await until(opened, hasAnswers(1));
      expect(connection.transport).toBe("sse");
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("keeps what does not change, and replaces what does", async () => {
    const opened = open();
    opened.send("One");
    const one = await until(opened, hasAnswers(1));
    const seen: ConversationSnapshot[] = [];
    const copies: string[] = [];
    opened.subscribe((snapshot) => {
      seen.push(snapshot);
      copies.push(JSON.stringify(snapshot));
    });
    expect(seen).toEqual([one]);
    opened.send("Two");
    const two = await until(opened, hasAnswers(2));
    expect(two).not.toBe(one);
    expect(two.messages[0]).toBe(one.messages[0]);
    expect(two.messages[1]).toBe(one.messages[1]);
    expect(two.messages).not.toBe(one.messages);
    expect(new Set(seen).size).toBe(seen.length);
    // Nothing that was told once changed afterwards.
    expect(seen.map((snapshot) => JSON.stringify(snapshot))).toEqual(copies);
    expect(opened.getSnapshot()).toBe(opened.getSnapshot());
  });

  test("has every state that the answer went through, as RxJS maps it", async () => {
    const opened = open();
    const texts: string[] = [];
    const watching = from(opened)
      .pipe(map(({ messages }) => messages[1]?.blocks[0]?.text ?? ""))
      .subscribe((text) => texts.push(text));
    opened.send("Hello");
    const { messages } = await until(opened, hasAnswers(1));
    watching.unsubscribe();
    const whole = messages[1]?.blocks[0]?.text ?? "";
    expect(whole).not.toBe("");
    expect(texts.at(-1)).toBe(whole);
    expect(texts.every((text) => whole.startsWith(text))).toBe(true);
  });

  test("ends for all who watch when it is closed", async () => {
    const opened = open();
    await until(opened, isLive);
    const ended = new Promise<void>((resolve) => {
      opened.subscribe({ complete: resolve });
    });
    opened.close();
    await ended;
    await expect.poll(() => server.readers).toBe(0);
  });

  test("asks for a token, and for another where it is not taken", async () => {
    const asked: string[] = [];
    const sent: (string | null)[] = [];
    const opened = openConversation({
      ...{ url: server.url, conversation: server.conversation, openSocket },
      fetchToken: async () => {
        asked.push("asked");
        return `t${asked.length}`;
      },
      fetch: async (input, init) => {
        const header = new Headers(init?.headers).get("Authorization");
        sent.push(header);
        return header === "token t1"
          ? new Response("{}", { status: 403 })
          : await fetch(input, init);
      },
    });
    conversation = opened;
    await until(opened, isLive);
    expect(asked.length).toBe(2);
    expect(sent.slice(0, 2)).toEqual(["token t1", "token t2"]);
  });
});

test("What a server refuses is a StreamchatError that says why", async () => {
  server.faults.signedOut = true;
  const listing = connect({ url: server.url, token: "t" }).listConversations();
  await expect(listing).rejects.toThrow(StreamchatError);
  await expect(listing).rejects.toMatchObject({ code: "signed_out", retryable: true });
});
