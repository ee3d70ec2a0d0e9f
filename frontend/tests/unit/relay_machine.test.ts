import { describe, expect, test } from "vitest";
import { notInstalled } from "../../src/connection_words";
import { NO_ANSWER, Simulation } from "../simulation";

const REFUSED = {
  status: 401,
  problem: { code: "auth_invalid", message: "The server refused the token." },
  fromServer: true,
};

function started(relay: "spare" | "only" = "spare"): Simulation {
  return new Simulation({ relay }).input({ type: "start" });
}

/** Live through the kernel, because nothing answers the page. */
function relayed(): Simulation {
  return started().failDirectly().openRelay();
}

function relayId(world: Simulation): number {
  return world.last("open_relay").id;
}

describe("a page that cannot reach the server", () => {
  test("asks the kernel at once and is live through it", () => {
    const world = started().failDirectly();
    expect(world.all("open_relay")).toHaveLength(1);
    expect(world.status).toBe("Connecting…");

    world.openRelay(4);

    expect(world.machine.status).toMatchObject({
      transport: "relay",
      text: "Live through the kernel",
    });
    expect(world.machine.status.detail).toContain("cannot reach the server itself");
    expect(world.last("reset").state).toMatchObject({ seq: 4 });
  });

  test("sends no token, which the kernel has", () => {
    const world = relayed();

    expect(world.command("authenticate").token).toBe("");
    expect(world.all("fetch_token")).toHaveLength(1); // its own, in vain
  });

  test("sends messages over the kernel's socket, each once", () => {
    const world = started().send("hi").failDirectly().openRelay();

    expect(world.commands("send")).toHaveLength(1);
    expect(world.command("send").socket).toBe(relayId(world));
    expect(world.all("post_message")).toEqual([]);
  });

  test("says how long it waits for the server while the kernel says nothing", () => {
    const world = started().failDirectly().advance(3_500);

    expect(world.machine.status.text).not.toBe("Live through the kernel");
    expect(world.all("fetch_token").length).toBeGreaterThan(1);
    expect(world.all("open_relay")).toHaveLength(1); // one question is enough
    world.failDirectly().advance(60_000).openRelay();
    expect(world.status).toBe("Live through the kernel");
  });

  test("goes the direct way when that opens first, and lets the kernel go", () => {
    const world = started().failDirectly().advance(1_000);

    world.openSocket();

    expect(world.status).toBe("Live over WebSocket");
    expect(world.all("close").map(({ id }) => id)).toContain(relayId(world));
  });

  test("asks a kernel where the page's server is not the right one", () => {
    for (const problem of [notInstalled(), { code: "not_found", message: "" }]) {
      const failure = { status: 404, problem, fromServer: true };
      const world = started();
      world.input({ type: "token_failed", id: world.last("fetch_token").id, failure });

      expect(world.openRelay().status).toBe("Live through the kernel");
      expect(world.machine.status.problem).toBeUndefined();
    }
  });

  test("says what is wrong when the kernel cannot help, and asks it again", () => {
    const world = started();
    const failure = { status: 404, problem: notInstalled(), fromServer: false };
    world.input({ type: "token_failed", id: world.last("fetch_token").id, failure });
    world.input({ type: "token_failed", id: relayId(world), failure: NO_ANSWER });

    expect(world.machine.status.problem).toEqual(notInstalled());
    world.advance(10_000);
    expect(world.all("open_relay")).toHaveLength(2);
    world.input({ type: "token_failed", id: relayId(world), failure: REFUSED });
    world.advance(60_000);
    expect(world.all("open_relay")).toHaveLength(2);
  });

  test("is never relayed where there is no kernel", () => {
    const world = new Simulation().input({ type: "start" }).failDirectly();

    world.advance(600_000);

    expect(world.all("open_relay")).toEqual([]);
  });
});

describe("a kernel that passes frames on", () => {
  test("is left for the direct way, which is tried every minute", () => {
    const world = relayed();
    const tried = world.all("open_socket").length;

    world.input({ type: "relay_alive", id: relayId(world), isWaiting: false });
    for (let beat = 0; beat < 12; beat += 1) {
      world.advance(5_000);
      world.input({ type: "relay_alive", id: relayId(world), isWaiting: false });
    }
    expect(world.all("open_socket")).toHaveLength(tried + 1);
    expect(world.status).toBe("Live through the kernel");
    world.openSocket();

    expect(world.status).toBe("Live over WebSocket");
    expect(world.all("close").map(({ id }) => id)).toContain(relayId(world));
  });

  test("is left for streams and requests, too, where sockets are blocked", () => {
    const world = relayed().input({ type: "network" }).blockSocket();

    world.openStream();

    expect(world.status).toBe("Live over HTTP stream");
  });

  test("is not silent while it gives signs of life", () => {
    const world = relayed();
    for (let beat = 0; beat < 20; beat += 1) {
      world.input({ type: "relay_alive", id: relayId(world), isWaiting: false });
      world.advance(5_000);
      world.failDirectly();
    }

    expect(world.commands("ping")).toEqual([]);
    expect(world.status).toBe("Live through the kernel");
  });

  test("is given up when there are none any more", () => {
    const world = relayed().advance(35_000);

    expect(world.machine.status.transport).not.toBe("relay");
  });

  test("may let a question wait while a cell runs, and says so", () => {
    const world = relayed().send("hi");
    for (let beat = 0; beat < 20; beat += 1) {
      world.input({ type: "relay_alive", id: relayId(world), isWaiting: true });
      world.advance(5_000);
      world.failDirectly();
    }
    expect(world.status).toBe("Waiting for the kernel");
    expect(world.outbox).toEqual(["hi: sending"]);

    world.input({ type: "relay_alive", id: relayId(world), isWaiting: false });
    expect(world.status).toBe("Live through the kernel");
    expect(world.commands("send")).toHaveLength(1);
  });

  test("is begun anew by the direct way when it breaks, and never runs hot", () => {
    const world = relayed();
    for (let round = 0; round < 10; round += 1) {
      const id = relayId(world);
      world.input({ type: "socket_closed", id, code: 1006, reason: "" });
      expect(world.all("open_relay")).toHaveLength(round + 1);
      world.advance(6_000).failDirectly().openRelay();
    }

    expect(world.status).toBe("Live through the kernel");
    expect(world.command("subscribe").since).toBeDefined();
  });

  test("passes a restart of the server on", () => {
    const world = relayed();
    const id = relayId(world);
    world.frame({ type: "going_away", retry_after_ms: 2_000 }, id);
    world.input({ type: "socket_closed", id, code: 1012, reason: "" });

    expect(world.machine.status.detail).toContain("restarts");
    world.advance(3_000).failDirectly();
    expect(world.openRelay().status).toBe("Live through the kernel");
  });
});

describe("a kernel that is the only way", () => {
  test("is asked at once, and nothing else is ever tried", () => {
    const world = started("only");
    expect(world.machine.status.detail).toContain("through the kernel");
    world.openRelay();
    expect(world.status).toBe("Live through the kernel");
    for (let beat = 0; beat < 30; beat += 1) {
      world.input({ type: "relay_alive", id: relayId(world), isWaiting: false });
      world.advance(5_000);
    }
    world.input({ type: "network" });

    expect(world.all("open_socket")).toEqual([]);
    expect(world.all("fetch_token")).toEqual([]);
  });

  test("is asked again when it has no server", () => {
    const world = started("only");
    const id = relayId(world);
    world.input({ type: "token_failed", id, failure: NO_ANSWER });
    expect(world.status).toContain("Reconnecting");

    world.advance(6_000).openRelay();

    expect(world.status).toBe("Live through the kernel");
  });

  test("is waited for while it is busy", () => {
    const world = started("only").advance(500_000);

    expect(world.all("open_relay")).toHaveLength(1);
    expect(world.openRelay().status).toBe("Live through the kernel");
  });
});
