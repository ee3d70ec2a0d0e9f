import { describe, expect, test } from "vitest";
import { KernelChannel, type KernelMessage } from "../../../src/kernel_channel";
import { isRelayed, relayFetch } from "../../../src/transport/relay_fetch";
import { RelaySocket } from "../../../src/transport/relay_socket";
import type { Input } from "../../../src/transport/values";

/** A kernel of which both ends are seen. */
class Kernel {
  readonly heard: KernelMessage[] = [];
  isGone = false;
  readonly channel: KernelChannel;
  readonly #listeners = new Set<(content: unknown) => void>();

  constructor() {
    this.channel = new KernelChannel({
      send: (content) => {
        if (this.isGone) {
          throw new Error("the comm is closed");
        }
        this.heard.push(content as KernelMessage);
      },
      on: (_event, callback) => this.#listeners.add(callback),
      off: (_event, callback) => this.#listeners.delete(callback),
    });
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  say(message: KernelMessage): void {
    for (const listener of [...this.#listeners]) {
      listener({ ...message, channel: "relay" });
    }
  }
}

function opened() {
  const kernel = new Kernel();
  const inputs: Input[] = [];
  const socket = new RelaySocket(kernel.channel, 7, (input) => inputs.push(input));
  socket.open();
  const relay = String(kernel.heard[0]?.["relay"]);
  let n = 0;
  const say = (message: KernelMessage): void => {
    n += 1;
    kernel.say({ relay, n, ...message });
  };
  return { kernel, inputs, socket, relay, say };
}

describe("a socket that the kernel holds", () => {
  test("passes frames both ways, in order", () => {
    const { kernel, inputs, socket, relay, say } = opened();
    socket.send("a");
    say({ type: "alive", heard: 0 });
    say({ type: "frames", frames: ["1", "2"] });
    say({ type: "alive", heard: 1 });

    expect(kernel.heard.map(({ type, data }) => [type, data])).toEqual([
      ["open", undefined],
      ["frame", "a"],
    ]);
    expect(kernel.heard.every((message) => message["relay"] === relay)).toBe(true);
    expect(inputs).toEqual([
      { type: "relay_alive", id: 7, isWaiting: true },
      { type: "socket_frame", id: 7, data: "1" },
      { type: "socket_frame", id: 7, data: "2" },
      { type: "relay_alive", id: 7, isWaiting: false },
    ]);
  });

  test("takes nothing that is for another browser", () => {
    const { kernel, inputs } = opened();
    kernel.say({ relay: "r_other", n: 1, type: "frames", frames: ["1"] });

    expect(inputs).toEqual([]);
  });

  test("says what it has taken, so that the kernel may send more", () => {
    const { kernel, say } = opened();
    say({ type: "frames", frames: ["x".repeat(60_000)] });
    expect(kernel.heard).toHaveLength(1);
    say({ type: "frames", frames: ["x".repeat(10_000)] });

    expect(kernel.heard.at(-1)).toMatchObject({ type: "taken", n: 2 });
    for (let beat = 0; beat < 10; beat += 1) {
      say({ type: "alive", heard: 0 });
    }
    expect(kernel.heard.at(-1)).toMatchObject({ type: "taken", n: 12 });
    expect(kernel.heard).toHaveLength(3);
  });

  test("ends when a message was lost on the way", () => {
    const { kernel, inputs, say } = opened();
    say({ type: "alive", heard: 0 });
    say({ type: "frames", frames: ["1"], n: 3 });
    say({ type: "frames", frames: ["2"], n: 4 });

    expect(inputs.slice(1)).toEqual([
      { type: "socket_closed", id: 7, code: 1006, reason: "" },
    ]);
    expect(kernel.heard.at(-1)).toMatchObject({ type: "close" });
    expect(kernel.listeners).toBe(0);
  });

  test("tells the server's close code, or why there is no server", () => {
    const first = opened();
    first.say({ type: "closed", code: 1012, reason: "restart" });
    expect(first.inputs).toEqual([
      { type: "socket_closed", id: 7, code: 1012, reason: "restart" },
    ]);
    const second = opened();
    const problem = { code: "x", message: "no" };
    second.say({ type: "failed", status: null, problem });
    expect(second.inputs).toEqual([
      {
        ...{ type: "token_failed", id: 7 },
        failure: { status: null, problem, fromServer: true },
      },
      { type: "socket_closed", id: 7, code: 1006, reason: "" },
    ]);
    expect(second.kernel.listeners).toBe(0);
  });

  test("leaves nothing behind when it is closed, and ends with the kernel", () => {
    const first = opened();
    first.socket.close();
    first.socket.close();
    first.say({ type: "frames", frames: ["1"] });
    expect(first.inputs).toEqual([]);
    expect(first.kernel.heard.map(({ type }) => type)).toEqual(["open", "close"]);
    const second = opened();
    second.kernel.isGone = true;
    second.socket.send("a");
    expect(second.inputs).toMatchObject([{ type: "socket_closed", code: 1006 }]);
  });
});

describe("a request that the kernel makes", () => {
  const base64 = (text: string): string => btoa(text);

  test("is one of few", () => {
    expect(isRelayed("GET", "agents")).toBe(true);
    expect(isRelayed("POST", "conversations")).toBe(true);
    expect(isRelayed("POST", "conversations/c_1/artifacts?name=a.png")).toBe(true);
    expect(isRelayed("GET", "conversations/c_1/artifacts/a_1")).toBe(true);
    expect(isRelayed("GET", "conversations?q=a%2Fb&limit=50")).toBe(true);
    expect(isRelayed("DELETE", "conversations/c_1")).toBe(true);
    expect(isRelayed("POST", "conversations/c_1/restore")).toBe(true);
    for (const path of ["token", "session", "conversations/c_1", "conversations/a/b"]) {
      expect(isRelayed("GET", path)).toBe(false);
    }
  });

  test("is answered in parts", async () => {
    const kernel = new Kernel();
    const asked = relayFetch(kernel.channel, "agents");
    await expect.poll(() => kernel.heard.length).toBe(1);
    const { request } = kernel.heard[0] as { readonly request: string };
    const head = { status: 201, media_type: "application/json", parts: 2 };
    kernel.say({ type: "answer", request, ...head });
    kernel.say({ type: "part", request: "q_other", n: 1, data: base64("no") });
    kernel.say({ type: "part", request, n: 1, data: base64('{"a":') });
    kernel.say({ type: "part", request, n: 2, data: base64("1}") });

    const response = await asked;
    expect(response.status).toBe(201);
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(await response.json()).toEqual({ a: 1 });
    expect(kernel.listeners).toBe(0);
  });

  test("carries a file in parts", async () => {
    const kernel = new Kernel();
    const bytes = Uint8Array.from({ length: 500_000 }, (_, index) => index % 251);
    const body = new Blob([bytes]);
    const path = "conversations/c_1/artifacts?name=a";
    void relayFetch(kernel.channel, path, { method: "POST", body }).catch(() => 0);
    await expect.poll(() => kernel.heard.length).toBe(4);

    const [head, ...parts] = kernel.heard;
    expect(head).toMatchObject({ type: "request", method: "POST", path, parts: 3 });
    const sent = parts.map(({ data }) => atob(String(data))).join("");
    expect(sent).toBe([...bytes].map((byte) => String.fromCharCode(byte)).join(""));
    expect(Math.max(...parts.map(({ data }) => String(data).length))).toBeLessThan(
      300_000,
    );
  });

  test("fails like a network that is not there", async () => {
    const kernel = new Kernel();
    const asked = relayFetch(kernel.channel, "agents");
    await expect.poll(() => kernel.heard.length).toBe(1);
    const request = kernel.heard[0]?.["request"];
    kernel.say({ type: "answer", request, status: 0, media_type: "", parts: 0 });
    await expect(asked).rejects.toBeInstanceOf(TypeError);

    kernel.isGone = true;
    const other = relayFetch(kernel.channel, "agents");
    await expect(other).rejects.toBeInstanceOf(TypeError);
    expect(kernel.listeners).toBe(0);
  });

  test("fails when a part was lost", async () => {
    const kernel = new Kernel();
    const asked = relayFetch(kernel.channel, "agents");
    await expect.poll(() => kernel.heard.length).toBe(1);
    const request = kernel.heard[0]?.["request"];
    kernel.say({ type: "answer", request, status: 200, media_type: "", parts: 2 });
    kernel.say({ type: "part", request, n: 2, data: "" });

    await expect(asked).rejects.toBeInstanceOf(TypeError);
  });

  test("is dropped when nobody wants it any more", async () => {
    const kernel = new Kernel();
    const lifetime = new AbortController();
    const { signal } = lifetime;
    const asked = relayFetch(kernel.channel, "agents", { signal });
    await expect.poll(() => kernel.heard.length).toBe(1);
    lifetime.abort();

    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    expect(kernel.heard.at(-1)).toMatchObject({ type: "drop" });
    expect(kernel.listeners).toBe(0);
  });
});
