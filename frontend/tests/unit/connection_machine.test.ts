import { describe, expect, test } from "vitest";
import type { MachineOptions } from "../../src/connection_machine";
import { contentOf } from "../../src/content";
import { CLOSE_CODES, type ErrorBody } from "../../src/protocol";
import type { KeptMessage } from "../../src/transport/outbox";
import { cursor, echo, eventAfter, NO_ANSWER, Simulation } from "../simulation";

/** A message that an earlier page left. */
function keptMessage(text: string, problem: ErrorBody | null = null): KeptMessage {
  return { clientMessageId: `w_${text}`, content: contentOf(text, []), problem };
}

const signedOut = {
  status: 403,
  problem: { code: "signed_out", message: "You are signed out." },
  fromServer: true,
};

function started(): Simulation {
  return new Simulation().input({ type: "start" });
}

function live(seq?: number): Simulation {
  return started().openSocket(seq);
}

describe("opening a WebSocket", () => {
  test("asks for the token while the socket opens", () => {
    const types = started()
      .news()
      .map(({ type }) => type);

    expect(types).toEqual(["open_socket", "fetch_token"]);
  });

  test("says who it is after hello, with the token, whichever comes first", () => {
    const first = started().hello().token();
    const second = started().token().hello();

    for (const world of [first, second]) {
      expect(world.commands("authenticate")).toEqual([
        {
          type: "authenticate",
          id: 1,
          token: "jwt",
          client: { id: "b_1", name: "Notebook cell", kind: "widget" },
          features: ["short_deltas"],
        },
      ]);
    }
  });

  test("is live once the subscription begins, and gives the snapshot", () => {
    const world = live(4);

    expect(world.machine.status).toEqual({
      transport: "websocket",
      text: "Live over WebSocket",
      detail: "An open WebSocket brings every word as it comes.",
    });
    expect(world.last("reset").state).toMatchObject({ seq: 4 });
    expect(world.machine.limits.message_bytes).toBe(100);
  });

  test("makes a conversation first where there is none", () => {
    const world = new Simulation({ conversation: null }).input({ type: "start" });
    expect(world.news()[0]).toEqual({ type: "create_conversation" });
    expect(world.all("open_socket")).toEqual([]);

    world.input({ type: "created", conversation: "c_1" });

    expect(world.last("conversation").conversation).toBe("c_1");
    expect(world.openSocket().status).toBe("Live over WebSocket");
    expect(world.command("subscribe").conversation).toBe("c_1");
  });

  test("tries to make a conversation again when nothing answers", () => {
    const world = new Simulation({ conversation: null }).input({ type: "start" });

    world.input({ type: "create_failed", failure: NO_ANSWER });
    expect(world.status).toBe("Reconnecting in 1 s…");
    world.advance(1_000);

    expect(world.all("create_conversation")).toHaveLength(2);
  });
});

describe("reading the log", () => {
  test("applies events in order and drops what was seen", () => {
    const world = live(4).event(5).event(6).event(5).event(6).event(7);

    expect(world.applied).toEqual([5, 6, 7]);
  });

  test("takes merged events: prev tells that nothing is missing", () => {
    const world = live(4).event(5).event(90, { prev: 5 });

    expect(world.applied).toEqual([5, 90]);
  });

  test("makes a short delta whole by the delta before it", () => {
    const delta = {
      ...{ type: "block.delta", title: undefined, ts: 7 },
      ...{ message: "m", block: "b0", kind: "text" },
    };
    const world = live(4)
      .event(5, { ...delta, delta: "One" })
      .frame(' tw"o')
      .frame("")
      .event(8, { ...delta, ts: 9, delta: "!" })
      .frame("?");

    expect(world.all("apply").map(({ event }) => event)).toEqual(
      [
        { seq: 5, prev: 4, delta: "One", ts: 7 },
        { seq: 6, prev: 5, delta: ' tw"o', ts: 7 },
        { seq: 7, prev: 6, delta: "", ts: 7 },
        { seq: 8, prev: 7, delta: "!", ts: 9 },
        { seq: 9, prev: 8, delta: "?", ts: 9 },
      ].map((fields) => ({ ...delta, conversation: "c_1", ...fields })),
    );
  });

  test("takes no short delta that follows another frame, and misses it", () => {
    const delta = { type: "block.delta", message: "m", block: "b0", kind: "text" };
    const world = live(4)
      .frame("lost")
      .event(5, { ...delta, delta: "One" })
      .frame({ type: "presence", conversation: "c_1", participants: [], count: 0 })
      .frame("lost");
    expect(world.applied).toEqual([5]);

    world.event(7, { ...delta, delta: "three" });

    expect(world.command("subscribe").since).toEqual(cursor(5));
  });

  test("subscribes again from the cursor when an event is missing", () => {
    const world = live(4).event(5).event(7).event(8);

    expect(world.applied).toEqual([5]);
    expect(world.commands("subscribe")).toHaveLength(2);
    expect(world.command("subscribe").since).toEqual(cursor(5));

    world.event(9); // of the subscription before
    world.subscribed(9).event(6).event(7);

    expect(world.applied).toEqual([5, 6, 7]);
    expect(world.status).toBe("Live over WebSocket");
  });

  test("asks for a snapshot when the cursor leads nowhere", () => {
    const world = live(4);
    for (let i = 0; i < 4; i += 1) {
      world.event(9).subscribed();
    }

    expect(world.command("subscribe").since).toBeUndefined();
    expect(world.event(5).applied).toEqual([5]);
  });

  test("joins a snapshot that comes in parts", () => {
    const world = started().hello().token().authenticated();
    const { id } = world.command("subscribe");
    const snapshot = { type: "snapshot", conversation: "c_1", log: "log1", seq: 8 };

    world
      .frame({
        type: "subscribed",
        ...{ re: id, conversation: "c_1", log: "log1", head: 8, mode: "snapshot" },
      })
      .frame({
        ...{ ...snapshot, part: 1, parts: 2 },
        state: {
          ...{ seq: 8, title: "T", turns: ["t1"] },
          messages: [{ message: "m1" }, { message: "m2" }],
        },
      })
      .event(9)
      .frame({
        ...{ ...snapshot, part: 2, parts: 2 },
        state: { messages: [{ message: "m3" }], tool_calls: ["c1"], turns: ["t2"] },
      })
      .event(9);

    expect(world.all("reset")).toEqual([
      {
        type: "reset",
        state: {
          seq: 8,
          title: "T",
          messages: ["m1", "m2", "m3"].map((message) => ({ message, blocks: [] })),
          tool_calls: ["c1"],
          turns: ["t1", "t2"],
        },
      },
    ]);
    expect(world.applied).toEqual([9]);
  });

  test("takes no notice of another conversation, of noise and of new frames", () => {
    const world = live(4)
      .event(5, { conversation: "c_2" })
      .frame({ type: "presence", conversation: "c_2", participants: [], count: 0 })
      .frame([1, 2])
      .input({ type: "socket_frame", id: 1, data: "{" })
      .event(5, { type: "message.starred" })
      .event(6);

    expect(world.applied).toEqual([5, 6]);
  });

  test("ends, with advice, when the conversation is deleted", () => {
    const world = live().frame({
      type: "unsubscribed",
      conversation: "c_1",
      reason: "deleted",
    });

    expect(world.status).toBe("Not connected");
    expect(world.machine.status.problem).toMatchObject({
      code: "conversation_not_found",
      message: expect.stringContaining("Run the cell with Chat() again"),
    });
    expect(world.machine.deadline).toBeNull();
  });

  test("connects again when the server cannot read the log", () => {
    const world = live().frame({
      type: "unsubscribed",
      conversation: "c_1",
      reason: "failed",
    });

    expect(world.status).toBe("Reconnecting in 1 s…");
  });
});

describe("silence", () => {
  test("is broken by a ping after 20 s, and a pong is enough", () => {
    const world = live().advance(19_999);
    expect(world.commands("ping")).toEqual([]);

    world.advance(1);
    const { id } = world.command("ping");
    world.frame({ type: "pong", re: id, heads: { c_1: 4 } }).advance(19_999);

    expect(world.commands("ping")).toHaveLength(1);
    expect(world.status).toBe("Live over WebSocket");
  });

  test("after a ping means that nobody is there", () => {
    const world = live().advance(30_000);

    expect(world.status).toBe("Reconnecting in 1 s…");
    expect(world.all("close")).toHaveLength(1);
  });

  test("a head in a pong that does not come is asked for", () => {
    const world = live(4).advance(20_000);
    world.frame({ type: "pong", re: world.command("ping").id, heads: { c_1: 6 } });

    world.advance(2_999);
    expect(world.commands("subscribe")).toHaveLength(1);
    world.advance(1);

    expect(world.command("subscribe").since).toEqual(cursor(4));
  });

  test("a head in a pong whose events were under way is nothing", () => {
    const world = live(4).advance(20_000);
    world.frame({ type: "pong", re: world.command("ping").id, heads: { c_1: 6 } });

    world.event(5).event(6).advance(5_000);

    expect(world.commands("subscribe")).toHaveLength(1);
  });

  test("somebody who looks at the page again has the connection checked", () => {
    const world = live().advance(1_000).input({ type: "visible" });

    expect(world.commands("ping")).toHaveLength(1);
  });
});

describe("tokens", () => {
  test("a token that expires is renewed without a gap", () => {
    const world = live(4).event(5).frame({ type: "token.expiring", exp: 99 });
    expect(world.all("fetch_token")).toHaveLength(2);

    world.token();
    expect(world.commands("authenticate")).toHaveLength(2);
    world.authenticated().event(6);

    expect(world.applied).toEqual([5, 6]);
    expect(world.commands("subscribe")).toHaveLength(1);
  });

  test("a send after the token's end goes again with the next token", () => {
    const world = live().send("a");
    const { id } = world.command("send");

    world.frame({ type: "error", re: id, code: "auth_expired", message: "…" });
    expect(world.outbox).toEqual(["a: sending"]);
    world.token().authenticated();

    expect(world.commands("send")).toHaveLength(2);
    expect(world.command("send").client_message_id).toBe("w_a");
  });

  test("somebody who is signed out is told what to do, and comes back by itself", () => {
    const world = started().input({ type: "token_failed", id: 1, failure: signedOut });
    expect(world.status).toBe("Signed out");
    expect(world.machine.status).toMatchObject({
      transport: "offline",
      problem: { code: "signed_out" },
    });

    world.advance(30_000);

    expect(world.openSocket().status).toBe("Live over WebSocket");
    expect(world.machine.status.problem).toBeUndefined();
  });

  test("a server without the chat is told from one that is not there", () => {
    const world = started().input({
      type: "token_failed",
      id: 1,
      failure: {
        status: 404,
        problem: { code: "http_404", message: "" },
        fromServer: false,
      },
    });

    expect(world.machine.status.problem?.code).toBe("not_installed");
  });

  test("a token that the socket refuses twice leads to the HTTP stream", () => {
    const world = started();
    const refuse = (): void => {
      world.hello().token();
      const { id } = world.command("authenticate");
      world.frame({ type: "error", re: id, code: "auth_invalid", message: "…" });
      world.closeSocket(4401, "…");
    };

    refuse();
    world.advance(1_000);
    refuse();
    world.openStream();

    expect(world.machine.status.detail).toBe(
      "An HTTP stream brings every word as it comes: the server does not accept this page's token.",
    );
  });
});

describe("a connection that breaks", () => {
  test("is made again from the cursor after a random, growing pause", () => {
    const world = live(4).event(5);

    world.closeSocket();
    expect(world.status).toBe("Reconnecting in 1 s…");
    world.advance(249);
    expect(world.all("open_socket")).toHaveLength(1);
    world.advance(1);
    expect(world.all("open_socket")).toHaveLength(2);
    world.hello().token().authenticated();

    expect(world.command("subscribe").since).toEqual(cursor(5));
    expect(world.subscribed(6).event(6).applied).toEqual([5, 6]);
  });

  test.each([
    ["visible", "5 s", [500, 1e3, 2e3, 4e3, 5e3, 5e3, 5e3, 5e3, 5e3]],
    ["hidden", "30 s", [500, 1e3, 2e3, 4e3, 8e3, 16e3, 30e3, 30e3, 30e3]],
  ] as const)(
    "waits 0.5 s × 2 with full jitter, %s at most %s",
    (type, _, expected) => {
      const pauses: number[] = [];
      const world = new Simulation({ random: () => 1 }).input({ type });
      world.input({ type: "start" });
      for (let attempt = 0; attempt < 9; attempt += 1) {
        const { id } = world.last("fetch_token");
        world.input({ type: "token_failed", id, failure: NO_ANSWER });
        const opened = world.all("open_socket").length;
        const start = world.now;
        while (world.all("open_socket").length === opened) {
          world.advance(250);
        }
        pauses.push(world.now - start);
      }

      expect(pauses).toEqual(expected);
    },
  );

  test("counts the seconds down in words", () => {
    const world = new Simulation({ random: () => 1 }).input({ type: "start" });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      world.input({
        type: "token_failed",
        id: world.last("fetch_token").id,
        failure: NO_ANSWER,
      });
      world.advance(attempt < 2 ? 1_000 : 0);
    }
    const words = [world.status];
    for (let tenth = 0; tenth < 20; tenth += 1) {
      world.advance(100);
      if (words.at(-1) !== world.status) {
        words.push(world.status);
      }
    }

    expect(words).toEqual([
      "Reconnecting in 2 s…",
      "Reconnecting in 1 s…",
      "Connecting…",
    ]);
    expect(world.machine.status.transport).toBe("connecting");
  });

  test("a connection that was good begins with the short pause again", () => {
    const world = new Simulation({ random: () => 1 }).input({ type: "start" });
    world.openSocket().advance(1_000).closeSocket().advance(500);
    world.openSocket().advance(1_000).closeSocket().advance(999);
    expect(world.all("open_socket")).toHaveLength(2);
    world.advance(1).openSocket().advance(6_000).closeSocket().advance(500);

    expect(world.all("open_socket")).toHaveLength(4);
  });

  test.each(["network", "visible", "reconnect"] as const)(
    "is made again at once on %s",
    (type) => {
      const world = live().closeSocket().input({ type });

      expect(world.all("open_socket")).toHaveLength(2);
    },
  );

  test("a server that restarts is given the time it asks for", () => {
    const world = live()
      .frame({ type: "going_away", retry_after_ms: 3_000 })
      .closeSocket(1012, "the server restarts");
    expect(world.machine.status.detail).toMatch(/^The server restarts/);

    world.advance(3_249);
    expect(world.all("open_socket")).toHaveLength(1);
    world.advance(1);

    expect(world.all("open_socket")).toHaveLength(2);
  });

  test.each(
    Object.entries(CLOSE_CODES).map(([code, { reconnect }]) => [
      Number(code),
      reconnect,
    ]),
  )("with code %i reconnects: %s", (code, reconnect) => {
    const world = live().closeSocket(Number(code), "because").advance(60_000);

    expect(world.all("open_socket").length > 1).toBe(reconnect);
    expect(world.machine.status.problem === undefined).toBe(reconnect);
    if (!reconnect) {
      world.input({ type: "reconnect" });
      expect(world.openSocket().status).toBe("Live over WebSocket");
    }
  });

  test("what an abandoned session still says is not heard", () => {
    const world = live(4).closeSocket().advance(250);
    world.openSocket();
    world.news();

    world
      .frame(eventAfter(5), 1)
      .input({ type: "socket_closed", id: 1, code: 1000, reason: "" })
      .input({ type: "token", id: 1, token: "old" })
      .input({ type: "token_failed", id: 1, failure: signedOut });

    expect(world.news()).toEqual([]);
  });
});

describe("a server that is not there", () => {
  test("is told in plain words, and no transport is blamed", () => {
    const world = started();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      world.closeSocket();
      const { id } = world.last("fetch_token");
      world.input({ type: "token_failed", id, failure: NO_ANSWER });
      expect(world.machine.status.transport).toBe("offline");
      expect(world.machine.status.detail).toMatch(/^The server is not running/);
      const code = attempt === 0 ? undefined : "server_unreachable";
      expect(world.machine.status.problem?.code).toBe(code);
      world.input({ type: "network" });
      expect(world.machine.status.problem?.code).toBe(code);
    }

    expect(world.all("open_stream")).toEqual([]);
    expect(world.openSocket().status).toBe("Live over WebSocket");
    expect(world.machine.status.problem).toBeUndefined();
  });

  test("that comes back gets what was typed meanwhile, in order", () => {
    const world = live().closeSocket().send("a").send("b");
    expect(world.outbox).toEqual(["a: sending", "b: sending"]);

    world.advance(250).openSocket();

    expect(world.commands("send")).toMatchObject([
      { client_message_id: "w_a", content: [{ type: "text", text: "a" }] },
      { client_message_id: "w_b" },
    ]);
  });
});

describe("falling back", () => {
  test("two sockets that do not open lead to the HTTP stream, with the reason", () => {
    const world = started().blockSocket();
    expect(world.machine.status.transport).toBe("connecting");
    expect(world.all("open_stream")).toEqual([]);

    world.advance(1_000).blockSocket().openStream();

    expect(world.machine.status).toEqual({
      transport: "sse",
      text: "Live over HTTP stream",
      detail:
        "An HTTP stream brings every word as it comes: this network blocks WebSockets.",
    });
  });

  test("a socket that opens and stays silent for 5 s is enough", () => {
    const world = started().token().advance(4_999);
    expect(world.all("open_stream")).toEqual([]);

    world.advance(1);

    expect(world.all("close")).toHaveLength(1);
    expect(world.all("open_stream")).toHaveLength(1);
  });

  test("a socket that stays silent while the token is slow is tried once more", () => {
    const world = started().advance(8_000);
    expect(world.all("open_stream")).toEqual([]);

    world.token().advance(500);
    expect(world.all("open_socket")).toHaveLength(2);
    expect(world.all("open_stream")).toEqual([]);
    world.token().advance(5_000);

    expect(world.all("open_stream")).toHaveLength(1);
  });

  test("a server that starts slowly is not taken for a network that blocks", () => {
    const world = started().blockSocket().advance(1_000);
    const { id } = world.last("fetch_token");
    world.input({ type: "token_failed", id, failure: NO_ANSWER }).advance(2_000);
    world.blockSocket().advance(1_000);

    expect(world.all("open_stream")).toEqual([]);
    expect(world.openSocket().status).toBe("Live over WebSocket");
  });

  test("a socket over which no answer to authenticate comes is enough", () => {
    const world = started().hello().token().advance(15_000);

    expect(world.all("open_stream")).toHaveLength(1);
  });

  test("a socket that is cut before it is live counts too", () => {
    const world = started().hello().token().closeSocket();
    world.advance(1_000).hello().token().authenticated().closeSocket();

    expect(world.all("open_stream")).toHaveLength(1);
  });

  test("a stream without a first item within 5 s leads to polling", () => {
    const world = started().fallToStream().advance(5_000);
    expect(world.last("fetch_page")).toMatchObject({ since: null, waitMs: 0 });

    world.page({ mode: "snapshot", snapshot: { seq: 4 } });

    expect(world.machine.status).toEqual({
      transport: "rest",
      text: "Live over HTTP requests",
      detail:
        "The server is asked for news again and again: this network blocks WebSockets, and HTTP streams do not get through.",
    });
    expect(world.last("reset").state).toMatchObject({ seq: 4 });
  });

  test("a proxy that refuses streams leads to polling", () => {
    const world = started().fallToStream();
    const { id } = world.last("open_stream");

    world.input({
      type: "stream_closed",
      id,
      failure: { ...signedOut, fromServer: false },
    });

    expect(world.all("fetch_page")).toHaveLength(1);
  });

  test("a server that refuses the stream is believed", () => {
    const world = started().fallToStream();
    const { id } = world.last("open_stream");

    world.input({
      type: "stream_closed",
      id,
      failure: {
        status: 404,
        problem: { code: "not_found", message: "" },
        fromServer: true,
      },
    });

    expect(world.machine.status.problem?.code).toBe("conversation_not_found");
  });

  test("when the server dies meanwhile, no transport is blamed", () => {
    const world = started().fallToStream().openStream().advance(6_000);
    world.input({
      type: "stream_closed",
      id: world.last("open_stream").id,
      failure: null,
    });
    world.advance(250);
    world.input({
      type: "stream_closed",
      id: world.last("open_stream").id,
      failure: NO_ANSWER,
    });
    world.input({
      type: "page_failed",
      id: world.last("fetch_page").id,
      failure: NO_ANSWER,
    });
    expect(world.status).toMatch(/^Reconnecting/);

    world.advance(1_000).openStream();

    expect(world.status).toBe("Live over HTTP stream");
  });
});

describe("the HTTP stream", () => {
  const streaming = (): Simulation => started().fallToStream().openStream();

  test("applies events and reads again from the cursor after a gap, unseen", () => {
    const world = streaming().item(eventAfter(5)).item(eventAfter(7));
    expect(world.last("open_stream").since).toEqual(cursor(5));
    expect(world.status).toBe("Live over HTTP stream");

    world.openStream().item(eventAfter(6)).item(eventAfter(7));

    expect(world.applied).toEqual([5, 6, 7]);
  });

  test("is made again after 40 s of silence; heartbeats keep it", () => {
    const world = streaming().advance(39_000);
    world.input({ type: "stream_heard", id: world.last("open_stream").id });
    world.advance(2_000);
    expect(world.all("open_stream")).toHaveLength(1);

    world.advance(39_000);

    expect(world.all("open_stream")).toHaveLength(2);
  });

  test("sends by requests, one after the other", () => {
    const world = streaming().send("a").send("b");
    expect(world.all("post_message")).toMatchObject([
      { conversation: "c_1", clientMessageId: "w_a", content: contentOf("a", []) },
    ]);

    world.input({ type: "posted", clientMessageId: "w_a", seq: 5 });

    expect(world.last("post_message").clientMessageId).toBe("w_b");
    expect(world.outbox).toEqual(["a: sending", "b: sending"]);
    world.item(echo(5, "w_a"));
    expect(world.outbox).toEqual(["b: sending"]);
  });

  test("sends again what got no answer, under the same id", () => {
    const world = streaming().send("a");

    world.input({ type: "posted", clientMessageId: "w_a", failure: NO_ANSWER });
    world.advance(2_000);

    expect(world.all("post_message")).toHaveLength(2);
    expect(world.last("post_message").clientMessageId).toBe("w_a");
  });

  test.each([
    [502, false, "sending"],
    [413, false, "failed"],
    [403, true, "failed"],
    [503, true, "failed"],
  ])(
    "a post answered with %i (from the server: %s) is %s",
    (status, fromServer, is) => {
      const world = streaming().send("a");
      const problem = { code: `http_${status}`, message: "…" };

      world.input({
        type: "posted",
        clientMessageId: "w_a",
        failure: { status, problem, fromServer },
      });

      expect(world.outbox).toEqual([`a: ${is}`]);
    },
  );

  test("keeps what the server refuses, with the reason, and goes on", () => {
    const world = streaming().send("a").send("b");
    const problem = { code: "queue_full", message: "Too many.", retryable: true };

    world.input({
      type: "posted",
      clientMessageId: "w_a",
      failure: { status: 429, problem, fromServer: true },
    });

    expect(world.machine.outbox[0]).toMatchObject({ status: "failed", error: problem });
    expect(world.last("post_message").clientMessageId).toBe("w_b");
  });

  test("cancels by a request, again until there is an answer", () => {
    const world = streaming().ask("cancel", "t1");
    const { key, request } = world.last("post_request");
    expect(request).toEqual({ kind: "cancel", turn: "t1", andQueued: true });

    world.input({ type: "request_posted", key, failure: NO_ANSWER }).advance(2_000);
    expect(world.all("post_request")).toHaveLength(2);
    world.input({ type: "request_posted", key, seq: 4 }).advance(10_000);

    expect(world.all("post_request")).toHaveLength(2);
    expect(world.requests).toEqual([]);
  });

  test("gives way to a WebSocket that opens in the background", () => {
    const world = streaming().item(eventAfter(5)).advance(38_000);
    world.input({ type: "stream_heard", id: world.last("open_stream").id });
    world.advance(22_000);
    expect(world.all("open_socket")).toHaveLength(3);
    expect(world.status).toBe("Live over HTTP stream");
    const stream = world.last("open_stream").id;

    world.item(eventAfter(6)).hello().token().authenticated();
    expect(world.last("close").id).toBe(stream);
    expect(world.command("subscribe").since).toEqual(cursor(6));
    world.subscribed();

    expect(world.status).toBe("Live over WebSocket");
    expect(world.send("a").commands("send")).toHaveLength(1);
  });

  test("stays when the WebSocket fails in the background, and tries every minute", () => {
    const world = streaming();
    const beat = (milliseconds: number): void => {
      for (let passed = 0; passed < milliseconds; passed += 15_000) {
        world.advance(15_000);
        world.input({ type: "stream_heard", id: world.last("open_stream").id });
      }
    };

    beat(60_000);
    world.blockSocket();
    beat(60_000);
    world.blockSocket();

    expect(world.all("open_socket")).toHaveLength(4);
    expect(world.all("open_stream")).toHaveLength(1);
    expect(world.status).toBe("Live over HTTP stream");
  });

  test("tries the WebSocket at once when the network changes", () => {
    const world = streaming().input({ type: "network" });

    expect(world.all("open_socket")).toHaveLength(3);
  });
});

describe("polling", () => {
  const polling = (): Simulation =>
    started()
      .fallToStream()
      .advance(5_000)
      .page({ mode: "snapshot", snapshot: { seq: 4 } })
      .advance(0);

  test("holds a request open and asks again as soon as there was news", () => {
    const world = polling();
    expect(world.last("fetch_page")).toMatchObject({
      since: cursor(4),
      waitMs: 20_000,
    });

    world.advance(500).page({ events: [eventAfter(5), eventAfter(6)] as never });

    expect(world.applied).toEqual([5, 6]);
    expect(world.last("fetch_page")).toMatchObject({ since: cursor(6) });
  });

  test("pauses when nothing comes at once, so that it cannot run hot", () => {
    const world = polling().page({});
    const asked = world.all("fetch_page").length;

    world.advance(1_999);
    expect(world.all("fetch_page")).toHaveLength(asked);
    world.advance(1);

    expect(world.all("fetch_page")).toHaveLength(asked + 1);
  });

  test("asks for short answers where long requests are cut", () => {
    const world = polling().advance(9_000);

    world.input({
      type: "page_failed",
      id: world.last("fetch_page").id,
      failure: NO_ANSWER,
    });
    expect(world.last("fetch_page").waitMs).toBe(0);
    world.page({}).advance(2_000);

    expect(world.last("fetch_page").waitMs).toBe(0);
    expect(world.status).toBe("Live over HTTP requests");
  });

  test("goes on from a snapshot when the log is another one", () => {
    const world = polling().page({
      log: "log2",
      mode: "snapshot",
      snapshot: { seq: 2 },
    });

    expect(world.last("reset").state).toMatchObject({ seq: 2 });
    expect(world.last("fetch_page").since).toEqual({ log: "log2", seq: 2 });
  });

  test("gives way to a stream, then to a WebSocket", () => {
    const world = polling().advance(60_000).blockSocket();
    expect(world.status).toBe("Live over HTTP requests");
    world.openStream();
    expect(world.status).toBe("Live over HTTP stream");
    world.input({ type: "network" }).openSocket();

    expect(world.status).toBe("Live over WebSocket");
  });

  test("says so when somebody was signed out", () => {
    const world = polling().input({
      type: "page_failed",
      id: 5,
      failure: signedOut,
    });
    world.input({
      type: "page_failed",
      id: world.last("fetch_page").id,
      failure: signedOut,
    });

    expect(world.status).toBe("Signed out");
  });
});

describe("what was typed", () => {
  test("shows at once and leaves when the log shows it", () => {
    const world = live(4).send("a");
    expect(world.outbox).toEqual(["a: sending"]);
    const { id } = world.command("send");

    world.frame({ type: "ack", re: id, seq: 5, result: {} });
    expect(world.outbox).toEqual(["a: sending"]);
    world.frame(echo(5, "w_a"));

    expect(world.outbox).toEqual([]);
  });

  test("leaves when a snapshot shows it", () => {
    const world = live(4).send("a").closeSocket().advance(250);
    world.hello().token().authenticated();
    const { id } = world.command("subscribe");

    world
      .frame({
        ...{ type: "subscribed", re: id, conversation: "c_1", log: "log2" },
        ...{ mode: "snapshot", head: 9, reason: "log_changed" },
      })
      .frame({
        ...{ type: "snapshot", conversation: "c_1", log: "log2", seq: 9 },
        ...{ part: 1, parts: 1 },
        state: { seq: 9, messages: [{ client_message_id: "w_a" }] },
      });

    expect(world.outbox).toEqual([]);
  });

  test("is sent again under the same id when the connection breaks first", () => {
    const world = live().send("a").closeSocket().advance(250).openSocket();

    expect(
      world.commands("send").map((c) => "client_message_id" in c && c),
    ).toMatchObject([{ client_message_id: "w_a" }, { client_message_id: "w_a" }]);
  });

  test("is not sent again when it was acknowledged", () => {
    const world = live(4).send("a");
    world.frame({ type: "ack", re: world.command("send").id, seq: 5 });

    world.closeSocket().advance(250).openSocket();

    expect(world.commands("send")).toHaveLength(1);
  });

  test("an answer that does not come within 15 s means a broken connection", () => {
    const world = live().send("a").advance(10_000).event(5).advance(5_000);
    expect(world.status).toMatch(/^Reconnecting/);

    world.advance(1_000).openSocket();

    expect(world.commands("send")).toHaveLength(2);
  });

  test("a refusal keeps it, with the reason, until it is sent again or dropped", () => {
    const world = live().send("a").send("b");
    const [a, b] = world.commands("send");
    const refusal = { code: "queue_full", message: "Too many turns wait." };
    world.frame({ type: "error", re: (a as { id: number }).id, ...refusal });
    world.frame({ type: "error", re: (b as { id: number }).id, ...refusal });
    expect(world.outbox).toEqual(["a: failed", "b: failed"]);
    expect(world.machine.outbox[0]?.error).toMatchObject(refusal);

    world.input({ type: "resend", clientMessageId: "w_a" });
    world.input({ type: "discard", clientMessageId: "w_b" });

    expect(world.outbox).toEqual(["a: sending"]);
    expect(world.command("send").client_message_id).toBe("w_a");
  });

  test("that is too long is refused before it is sent, in bytes", () => {
    const world = live().send("é".repeat(51));

    expect(world.machine.outbox[0]).toMatchObject({
      status: "failed",
      error: { code: "too_large", message: expect.stringContaining("102 bytes") },
    });
    expect(world.commands("send")).toEqual([]);
  });

  test("waits in a bounded line", () => {
    const world = started();
    for (let index = 0; index < 33; index += 1) {
      world.send(`${index}`);
    }

    expect(world.outbox[31]).toBe("31: sending");
    expect(world.machine.outbox[32]).toMatchObject({
      status: "failed",
      error: { code: "outbox_full" },
    });
    expect(world.openSocket().commands("send")).toHaveLength(32);
  });
});

describe("what is asked of turns", () => {
  test("goes out as commands, in order", () => {
    const image = { type: "image", artifact: "a1", media_type: "image/png" } as const;
    const world = live().edit("t2", "New", [image]).ask("send_now", "t2");
    world.ask("cancel", "t1");

    const id = expect.any(Number);
    expect(world.command("edit_queued")).toMatchObject({
      ...{ id, conversation: "c_1", turn: "t2" },
      content: [{ type: "text", text: "New" }, image],
    });
    expect(world.command("send_now")).toMatchObject({ id, turn: "t2" });
    expect(world.command("cancel")).toMatchObject({ id, turn: "t1", and_queued: true });
    expect(world.requests).toEqual([
      "edit t2: sending",
      "send_now t2: sending",
      "cancel t1: sending",
    ]);
  });

  test.each(["cancel", "send_now"] as const)(
    "is repeated when the connection breaks: %s",
    (type) => {
      const world = live().ask(type, "t1").closeSocket().advance(250).openSocket();

      expect(world.commands(type)).toHaveLength(2);
    },
  );

  test("offline goes out later, of several changes the last", () => {
    const world = live().closeSocket().edit("t1", "a").edit("t1", "b");
    expect(world.requests).toEqual(["edit t1: sending"]);

    world.advance(250).openSocket();

    expect(world.commands("edit_queued")).toHaveLength(1);
    expect(world.command("edit_queued").content).toEqual([{ type: "text", text: "b" }]);
  });

  test("is done when the log shows it, and not repeated after its answer", () => {
    const world = live(4).edit("t1", "a");
    world.frame({ type: "ack", re: world.command("edit_queued").id, seq: 5 });
    expect(world.requests).toEqual(["edit t1: sending"]);
    world.closeSocket().advance(250).openSocket();
    expect(world.commands("edit_queued")).toHaveLength(1);

    world.event(5);

    expect(world.requests).toEqual([]);
  });

  test("and refused stays with the reason until it is dropped", () => {
    const world = live().edit("t1", "a").edit("t1", "b");
    const first = world.commands("edit_queued")[0] as { readonly id: number };
    const code = "not_queued";
    world.frame({ type: "error", re: first.id, code, message: "Too late." });
    expect(world.requests).toEqual(["edit t1: failed", "edit t1: sending"]);
    expect(world.machine.requests[0]).toMatchObject({ text: "a", error: { code } });
    world.closeSocket().advance(250).openSocket();
    expect(world.commands("edit_queued")).toHaveLength(3); // the other one, again

    const key = world.machine.requests[0]?.key ?? "";
    world.input({ type: "discard_request", key });

    expect(world.requests).toEqual(["edit t1: sending"]);
  });

  test("of a turn that is over is not repeated, but a change is: it has text", () => {
    const world = live(4).ask("cancel", "t1").ask("send_now", "t1").edit("t1", "a");

    world.event(5, { type: "turn.finished", turn: "t1", status: "completed" });
    world.closeSocket().advance(250).openSocket();

    expect(world.commands("cancel")).toHaveLength(1);
    expect(world.commands("send_now")).toHaveLength(1);
    expect(world.commands("edit_queued")).toHaveLength(2);
  });

  test("goes again with the next token when the token had expired", () => {
    const world = live().ask("send_now", "t1");
    const { id } = world.command("send_now");

    world.frame({ type: "error", re: id, code: "auth_expired", message: "…" });
    world.token().authenticated();

    expect(world.commands("send_now")).toHaveLength(2);
  });

  test("by requests goes one after the other for each turn", () => {
    const world = started().fallToStream().openStream();
    world.edit("t1", "a").ask("send_now", "t1").ask("send_now", "t2");
    const kinds = () =>
      world.all("post_request").map(({ request: { kind, turn } }) => `${kind} ${turn}`);
    expect(kinds()).toEqual(["edit t1", "send_now t2"]);

    const key = world.all("post_request")[0]?.key ?? "";
    world.input({ type: "request_posted", key, seq: 4 });

    expect(kinds()).toEqual(["edit t1", "send_now t2", "send_now t1"]);
  });
});

describe("who is there", () => {
  const participants = [{ client: "b_1", user: "You" }];
  const presence = { type: "presence", conversation: "c_1", participants, count: 1 };

  test("is what the server said last, and unknown without a connection", () => {
    const world = live().frame(presence);
    expect(world.machine.presence).toEqual({ participants, count: 1 });
    expect(world.all("presence_changed")).toHaveLength(1);

    world.closeSocket();

    expect(world.machine.presence.count).toBe(0);
    expect(world.all("presence_changed")).toHaveLength(2);
  });

  test("is told over the HTTP stream, too", () => {
    const world = started().fallToStream().openStream().item(presence);

    expect(world.machine.presence.count).toBe(1);
  });
});

describe("who would answer", () => {
  test("is asked once the connection is there, and again when that failed", () => {
    const world = live();
    expect(world.all("fetch_agent")).toHaveLength(1);
    expect(world.machine.offline).toBeNull();

    world.input({ type: "agent_failed", failure: NO_ANSWER });
    expect(world.status).toBe("Live over WebSocket");
    world.closeSocket().advance(250).openSocket();
    expect(world.all("fetch_agent")).toHaveLength(2);
    world.input({ type: "agent", offline: true });
    world.closeSocket().advance(250).openSocket();

    expect(world.machine.offline).toBe(true);
    expect(world.all("fetch_agent")).toHaveLength(2);
  });
});

describe("a page without a conversation", () => {
  const page = (kept: MachineOptions["kept"] = []): Simulation =>
    new Simulation({ conversation: null, kind: "page", kept }).input({ type: "start" });

  test("is ready when the server is there, and makes it with the first message", () => {
    const world = page();
    expect(world.news()).toEqual([{ type: "fetch_agent" }]);
    world.input({ type: "agent", offline: false });
    expect(world.machine.status).toEqual({
      transport: "ready",
      text: "Ready",
      detail: "A conversation begins with your first message.",
    });
    expect(world.advance(600_000).all("create_conversation")).toEqual([]);

    world.send("a").input({ type: "created", conversation: "c_1" }).openSocket();

    expect(world.all("create_conversation")).toHaveLength(1);
    expect(world.command("send").client_message_id).toBe("w_a");
  });

  test("makes one at once for what was kept", () => {
    const kept = keptMessage("a");
    const world = page([kept]);

    expect(world.news()).toContainEqual({ type: "create_conversation" });
  });

  test("makes none for what is only offered, until somebody sends it", () => {
    const problem = { code: "old", message: "You wrote it 8 days ago." };
    const kept = keptMessage("a", problem);
    const world = page([kept]).input({ type: "agent", offline: false });
    expect(world.outbox).toEqual(["a: failed"]);
    expect(world.all("create_conversation")).toEqual([]);

    world.input({ type: "resend", clientMessageId: "w_a" });

    expect(world.all("create_conversation")).toHaveLength(1);
  });

  test("comes back when the server was not there", () => {
    const world = page().input({ type: "agent_failed", failure: NO_ANSWER });
    expect(world.status).toBe("Reconnecting in 1 s…");
    world.send("a");
    expect(world.all("create_conversation")).toEqual([]);

    world.advance(1_000);
    expect(world.all("create_conversation")).toHaveLength(1);
    world.input({ type: "create_failed", failure: NO_ANSWER }).advance(2_000);

    expect(world.all("create_conversation")).toHaveLength(2);
    expect(world.outbox).toEqual(["a: sending"]);
  });

  test("says so when somebody is signed out", () => {
    const world = page().input({ type: "agent_failed", failure: signedOut });
    expect(world.status).toBe("Signed out");

    world.advance(30_000).input({ type: "agent", offline: false });

    expect(world.status).toBe("Ready");
  });
});

describe("what was kept from before a reload", () => {
  test("is sent in order under its old ids, before anything new", () => {
    const kept = ["a", "b"].map((text) => keptMessage(text));
    const world = new Simulation({ kept }).input({ type: "start" }).send("c");
    expect(world.outbox).toEqual(["a: sending", "b: sending", "c: sending"]);

    world.openSocket();

    expect(world.commands("send")).toMatchObject([
      { client_message_id: "w_a" },
      { client_message_id: "w_b" },
      { client_message_id: "w_c" },
    ]);
  });

  test("and has been edited since counts as arrived", () => {
    const kept = [keptMessage("a")];
    const world = new Simulation({ kept }).input({ type: "start" }).openSocket();
    const code = "idempotency_mismatch";

    world.frame({ type: "error", re: world.command("send").id, code, message: "…" });

    expect(world.outbox).toEqual([]);
  });
});

describe("a computer that slept", () => {
  /** Let the time pass in which no timer goes off. */
  const sleep = (world: Simulation, milliseconds: number): Simulation => {
    world.now += milliseconds;
    return world.input({ type: "wake" });
  };

  test("looks at once whether its socket is still there, and not for long", () => {
    const world = live().advance(1_000);
    sleep(world, 30_000);
    expect(world.commands("ping")).toHaveLength(1);

    world.advance(2_999);
    expect(world.status).toBe("Live over WebSocket");
    world.advance(1);

    expect(world.status).toMatch(/^Reconnecting/);
    world.advance(500);
    expect(world.all("open_socket")).toHaveLength(2);
  });

  test("goes on with its socket when that answers", () => {
    const world = sleep(live().advance(1_000), 30_000);

    world.frame({ type: "pong", re: world.command("ping").id }).advance(10_000);

    expect(world.status).toBe("Live over WebSocket");
    expect(world.all("open_socket")).toHaveLength(1);
  });

  test("notices although it had asked already whether somebody is there", () => {
    const world = live().advance(20_000);
    expect(world.commands("ping")).toHaveLength(1);
    world.now += 9_000; // the answer would be due in 10 s
    world.input({ type: "visible" }).advance(1_000);

    expect(world.status).toMatch(/^Reconnecting/);
  });

  test("reads its HTTP stream again from the cursor", () => {
    const world = started().fallToStream().openStream().item(eventAfter(5));
    sleep(world, 12_000);

    expect(world.all("open_stream")).toHaveLength(2);
    expect(world.last("open_stream").since).toEqual(cursor(5));
    expect(world.openStream().status).toBe("Live over HTTP stream");
  });

  test("is not what a hidden page with late timers is taken for", () => {
    const world = started().fallToStream().openStream().input({ type: "hidden" });

    for (let beat = 0; beat < 4; beat += 1) {
      world.now += 15_000;
      world.input({ type: "stream_heard", id: world.last("open_stream").id });
    }

    expect(world.all("open_stream")).toHaveLength(1);
  });

  test("does not take a slow timer for sleep", () => {
    const world = sleep(live().advance(1_000), 9_000);

    expect(world.commands("ping")).toEqual([]);
  });
});

describe("any inputs in any order", () => {
  test("leave a machine that can be connected, and never one that runs hot", () => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    for (let run = 0; run < 300; run += 1) {
      const world = new Simulation({ random }).input({ type: "start" });
      for (let step = 0; step < 40; step += 1) {
        const attempts = wildInputs(world, random);
        attempts[Math.floor(random() * attempts.length)]?.();
      }
      expectNothingLostOrRepeated(world);
      connectAtLast(world);
      expect(world.machine.status.transport).toBe("websocket");
    }
  });

  /** Every event follows the one before, or a snapshot. */
  function expectNothingLostOrRepeated(world: Simulation): void {
    let seq = Number.NaN;
    for (const output of world.outputs) {
      if (output.type === "reset") {
        seq = output.state.seq ?? 0;
      } else if (output.type === "apply") {
        expect(output.event.seq).toBe(seq + 1);
        seq += 1;
      }
    }
  }

  function wildInputs(world: Simulation, random: () => number): (() => unknown)[] {
    const code = [1000, 1001, 1006, 1011, 1012, 4401, 4404, 4408, 4429];
    const has = (type: "open_stream" | "fetch_page"): boolean =>
      world.all(type).length > 0;
    const can = (type: "authenticate" | "subscribe" | "send"): boolean =>
      world.commands(type).length > 0;
    return [
      () => world.advance(random() * 10_000),
      () => world.hello(),
      () => world.token(),
      () => can("authenticate") && world.authenticated(),
      () => can("subscribe") && world.subscribed(),
      () => world.event(Math.floor(random() * 12)),
      () => world.closeSocket(code[Math.floor(random() * code.length)]),
      () => has("open_stream") && world.openStream(),
      () => has("fetch_page") && world.page({}),
      () => world.send(`${random()}`),
      () => world.ask("cancel", "t1"),
      () => world.edit("t1", `${random()}`),
      () => world.input({ type: "hidden" }),
      () => world.input({ type: "agent", offline: random() < 0.5 }),
      () => world.input({ type: "network" }),
      () => world.input({ type: "visible" }),
      () => can("send") && world.frame({ type: "ack", re: 3, seq: 5 }),
      () =>
        world.input({
          type: "token_failed",
          id: world.last("fetch_token").id,
          failure: random() < 0.5 ? NO_ANSWER : signedOut,
        }),
      () => world.frame({ type: "pong", heads: { c_1: 99 } }),
      () => world.frame({ type: "token.expiring", exp: 1 }),
    ];
  }

  /** Let the server be there from now on. */
  function connectAtLast(world: Simulation): void {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (world.machine.status.transport === "websocket") {
        return;
      }
      const { id } = world.last("fetch_token");
      world.input({ type: "token_failed", id, failure: NO_ANSWER }).advance(6_000);
      if (world.all("fetch_page").length > 0) {
        world.page({ mode: "snapshot", snapshot: { seq: 4 } });
      }
      world.input({ type: "reconnect" }).hello().token();
      if (world.commands("authenticate").length > 0) {
        world.authenticated();
      }
      if (world.commands("subscribe").length > 0) {
        world.subscribed();
      }
    }
  }
});
