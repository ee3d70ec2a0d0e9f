import { afterEach, describe, expect, test, vi } from "vitest";
import { mountCell, type Traits, type WidgetModel } from "../../src/cell";
import { KernelChannel } from "../../src/kernel_channel";
import { fileLoader } from "../../src/lazy_files";
import widget from "../../src/widget";
import { servePage } from "./local_page";

const page = servePage();

/** A model as anywidget gives it, with the kernel's side to look at. */
class Model implements WidgetModel {
  readonly traits: Traits = {
    conversation: "c_1",
    base_url: "/",
    theme: "light",
    height: "",
    through_kernel: false,
    status: "connecting",
  };
  /** What the kernel got, in order. */
  readonly saved: Partial<Traits>[] = [];
  /** What was said to the kernel, in order. */
  readonly messages: unknown[] = [];
  readonly listeners = new Map<string, Set<(content: unknown) => void>>();
  #unsaved: Partial<Traits> = {};

  get<Name extends keyof Traits>(name: Name): Traits[Name] {
    return this.traits[name];
  }

  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void {
    this.traits[name] = value;
    this.#unsaved[name] = value;
    for (const listener of this.listeners.get(`change:${name}`) ?? []) {
      listener(undefined);
    }
  }

  send(content: unknown): void {
    this.messages.push(content);
  }

  /** Let the kernel say something. */
  say(content: unknown): void {
    for (const listener of this.listeners.get("msg:custom") ?? []) {
      listener(content);
    }
  }

  save_changes(): void {
    this.saved.push(this.#unsaved);
    this.#unsaved = {};
  }

  on(event: string, callback: (content: unknown) => void): void {
    const callbacks = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, callbacks.add(callback));
  }

  off(event: string, callback: (content: unknown) => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  get listenerCount(): number {
    return [...this.listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) {
    end();
  }
});

function render(model: Model, signal?: AbortSignal) {
  const el = document.createElement("div");
  document.body.append(el);
  const lifetime = new AbortController();
  const end = (): void => lifetime.abort();
  ends.push(end);
  const isOnly = model.get("through_kernel");
  const kernel = { channel: new KernelChannel(model), isOnly };
  const both = signal ? AbortSignal.any([signal, lifetime.signal]) : lifetime.signal;
  mountCell({ model, el, signal: both, loadFile: fileLoader("/nowhere/", kernel) });
  return { el, end };
}

function sockets(): number {
  return page.server.requests.filter((r) => r.startsWith("UPGRADE")).length;
}

async function saw(el: HTMLElement, text: string): Promise<void> {
  await vi.waitFor(() => expect(el.textContent).toContain(text), 5_000);
}

async function send(el: HTMLElement, text: string): Promise<void> {
  const field = el.querySelector("textarea");
  if (field === null) {
    throw new Error("There is nothing to write into.");
  }
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
}

describe("a widget", () => {
  test("connects, answers, and tells the kernel how it is connected", async () => {
    const model = new Model();
    const { el } = render(model);
    await saw(el, "Live over WebSocket");

    await send(el, "Hello");
    await saw(el, "All that was seen.");

    expect(el.textContent).toContain("Hello");
    expect(model.saved).toEqual([{ status: "connected" }]);
  });

  test("keeps every secret to itself", async () => {
    const model = new Model();
    const { el } = render(model);
    await saw(el, "Live over WebSocket");

    expect(JSON.stringify([model.traits, model.saved])).not.toMatch(/jwt|x1/);
  });

  test("makes a conversation where the kernel has none", async () => {
    const model = new Model();
    model.traits.conversation = "";
    const { el } = render(model);
    await saw(el, "Live over WebSocket");

    expect(model.saved).toContainEqual({ conversation: "c_1" });
    expect(sockets()).toBe(1);
  });

  test("of two views of one model has one connection, open for the last", async () => {
    const model = new Model();
    const first = render(model);
    const second = render(model);
    await saw(second.el, "Live over WebSocket");

    first.end();
    await send(second.el, "Hello");
    await saw(second.el, "All that was seen.");

    expect(first.el.childElementCount).toBe(0);
    expect(sockets()).toBe(1);
  });

  test("of two models shows the same conversation in both", async () => {
    const first = render(new Model());
    const second = render(new Model());
    await saw(first.el, "Live over WebSocket");
    await saw(second.el, "Live over WebSocket");

    await send(first.el, "Hello");

    await saw(second.el, "All that was seen.");
    expect(sockets()).toBe(2);
  });

  test("goes to another conversation when Python says so", async () => {
    const model = new Model();
    const { el } = render(model);
    await saw(el, "Live over WebSocket");

    model.set("conversation", "c_9");

    await saw(el, "Connecting");
    expect(el.querySelectorAll("section")).toHaveLength(1);
  });

  test("begins a new conversation where this one is at its ceiling", async () => {
    const model = new Model();
    const { el } = render(model);
    await saw(el, "Live over WebSocket");
    page.server.made = "c_2";
    const turn = "t1";
    const asked = { type: "message.created", message: "q1", role: "user", turn };
    page.server.append({
      ...{ ...asked, author: { id: "u", name: "You", kind: "user" } },
      content: [{ type: "text", text: "More" }],
    });
    page.server.append({ type: "turn.started", message: "q1", agent: "a", turn });
    const error = { code: "budget_reached", message: "It is reached." };
    page.server.append({ type: "turn.finished", turn, status: "failed", error });
    await saw(el, "It is reached.");

    [...el.querySelectorAll("button")]
      .find(({ textContent }) => textContent === "New conversation")
      ?.click();

    await vi.waitFor(() => expect(model.traits.conversation).toBe("c_2"), 5_000);
    expect(model.saved).toContainEqual({ conversation: "c_2" });
    await vi.waitFor(() => expect(el.contains(document.activeElement)).toBe(true));
    expect(el.querySelectorAll("section")).toHaveLength(1);
  });

  test("follows theme and height", async () => {
    const model = new Model();
    model.traits.height = "321px";
    const { el } = render(model);
    const chat = el.querySelector<HTMLElement>("section");
    expect(chat?.style.height).toBe("321px");
    expect(chat?.dataset["tone"]).toBe("light");

    model.set("theme", "dark");
    model.set("height", "");

    expect(chat?.dataset["tone"]).toBe("dark");
    expect(chat?.style.height).toBe("");
  });

  test.each(["signal", "result"])("ends by its %s and leaves nothing", async (way) => {
    const model = new Model();
    const lifetime = new AbortController();
    const { el, end } = render(model, lifetime.signal);
    await saw(el, "Live over WebSocket");

    if (way === "signal") {
      lifetime.abort();
    } else {
      end();
    }

    expect(el.childElementCount).toBe(0);
    expect(model.listenerCount).toBe(0);
    await vi.waitUntil(() => page.server.readers === 0);
  });
});

describe("what travels with a widget", () => {
  test("shows nothing where it had ended before it began", () => {
    const lifetime = new AbortController();
    lifetime.abort();
    const model = new Model();
    const el = document.createElement("div");

    ends.push(widget.render({ model, el, signal: lifetime.signal }));

    expect(el.childElementCount).toBe(0);
    expect(model.listenerCount).toBe(0);
  });

  test("says so where nobody has the chat, tries again, and leaves nothing", async () => {
    const model = new Model();
    model.traits.through_kernel = true;
    const asked = vi.spyOn(model, "send").mockImplementation(() => {
      throw new Error("The kernel is gone.");
    });
    const el = document.createElement("div");
    const end = widget.render({ model, el });
    await saw(el, "could not be loaded");

    el.querySelector("button")?.click();
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
    await saw(el, "could not be loaded");
    end();

    expect(el.textContent).toBe("");
    expect(model.listenerCount).toBe(0);
  });
});
