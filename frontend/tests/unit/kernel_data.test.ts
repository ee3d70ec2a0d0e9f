import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KernelChannel, type MessageModel } from "../../src/kernel_channel";
import { KernelData } from "../../src/kernel_data";

type Message = Readonly<Record<string, unknown>>;

/** A widget's model, with the kernel's side to look at. */
class Model implements MessageModel {
  readonly sent: Message[] = [];
  readonly listeners = new Set<(content: unknown) => void>();
  isGone = false;

  send(content: unknown): void {
    if (this.isGone) {
      throw new Error("Cannot send");
    }
    this.sent.push(content as Message);
  }

  on(_: string, callback: (content: unknown) => void): void {
    this.listeners.add(callback);
  }

  off(_: string, callback: (content: unknown) => void): void {
    this.listeners.delete(callback);
  }

  /** Answer the question that was sent as this one. */
  answer(at: number, body: Message): void {
    for (const listener of this.listeners) {
      listener({ channel: "share", question: this.sent[at]?.["question"], ...body });
    }
  }
}

let model: Model;
let lifetime: AbortController;
let data: KernelData;

beforeEach(() => {
  model = new Model();
  lifetime = new AbortController();
  data = new KernelData(new KernelChannel(model), lifetime.signal);
});

afterEach(() => vi.useRealTimers());

const forever = new AbortController().signal;
const choice = { columns: ["a"], rows: 5 };

describe("a question to the kernel", () => {
  test("gets its own answer, in whatever order they come", async () => {
    const names = data.names("d", forever);
    const digest = data.digest("df", choice, forever);
    expect(model.sent).toMatchObject([
      { channel: "share", type: "names", prefix: "d" },
      { channel: "share", type: "digest", name: "df", columns: ["a"], rows: 5 },
    ]);

    model.answer(1, { type: "digest", text: "df: 1 row" });
    model.answer(0, { type: "names", names: [{ name: "df" }] });

    expect(await names).toEqual([{ name: "df" }]);
    expect(await digest).toMatchObject({ text: "df: 1 row" });
  });

  test("may be refused", async () => {
    const digest = data.digest("df", choice, forever);
    model.answer(0, { type: "error", code: "not_found", message: "Gone." });

    expect(await digest).toEqual({ problem: { code: "not_found", message: "Gone." } });
  });

  test("ends without an answer when it is given up, or the chat ends", async () => {
    const asking = new AbortController();
    const one = data.names("a", asking.signal);
    const other = data.names("b", forever);
    asking.abort();
    lifetime.abort();

    const none = { problem: { code: "no_answer", retryable: true } };
    expect(await Promise.all([one, other])).toMatchObject([none, none]);
    expect(model.listeners.size).toBe(0);
  });

  test("ends at once where there is no kernel", async () => {
    model.isGone = true;

    expect(await data.names("a", forever)).toMatchObject({
      problem: {
        code: "no_answer",
        message:
          "The kernel does not answer. If it was restarted, run this chat's cell again.",
      },
    });
  });
});

describe("a channel", () => {
  test("hears no other one", () => {
    const heard: unknown[] = [];
    const channel = new KernelChannel(model);
    channel.listen("relay", (message) => heard.push(message), lifetime.signal);
    for (const listener of model.listeners) {
      for (const content of [null, 7, { channel: "share" }, { channel: "relay" }]) {
        listener(content);
      }
    }

    expect(heard).toEqual([{ channel: "relay" }]);
  });
});
