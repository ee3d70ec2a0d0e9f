import { afterEach, expect, test, vi } from "vitest";
import { mountCell, type Traits, type WidgetModel } from "../../src/cell";
import { loadFromSources } from "../parts";
import { servePage } from "./local_page";

const page = servePage();
const lifetime = new AbortController();

afterEach(() => lifetime.abort());

/** What of a model the list has to do with: traits that tell who listens. */
function makeModel(): WidgetModel & { readonly traits: Traits } {
  const traits: Traits = {
    ...{ conversation: "c_1", base_url: "/", theme: "light", height: "" },
    ...{ through_kernel: false, status: "connecting" },
  };
  const listeners = new Map<string, Set<(content: unknown) => void>>();
  return {
    traits,
    get: (name) => traits[name],
    set: (name, value) => {
      traits[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener(undefined);
    },
    save_changes: () => undefined,
    send: () => undefined,
    on: (event, callback) => {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(callback));
    },
    off: (event, callback) => {
      listeners.get(event)?.delete(callback);
    },
  };
}

test("a conversation of the list takes the cell, and the kernel's chat goes along", async () => {
  const title = "Another one";
  page.server.listed = [
    {
      ...{ id: "c_9", title, updated_ms: Date.now(), pinned: false, archived: false },
      ...{ unread: true, open_turns: 0, marked_title: [title], snippet: [] },
    },
  ];
  const model = makeModel();
  const el = document.createElement("div");
  document.body.append(el);
  mountCell({ model, el, signal: lifetime.signal, loadFile: loadFromSources });
  await vi.waitFor(() => expect(el.textContent).toContain("Live over"), 5_000);

  el.querySelector<HTMLElement>("[aria-label=Conversations]")?.click();
  const open = ".streamchat-conversations-open";
  await vi.waitFor(() => expect(el.querySelector(open)).not.toBeNull(), 5_000);
  expect(el.querySelector("[role=dialog]")?.textContent).toContain(title);
  el.querySelector<HTMLElement>(open)?.click();

  await vi.waitFor(() => expect(el.textContent).toContain("Connecting"), 5_000);
  expect(model.traits.conversation).toBe("c_9");
  expect(el.querySelectorAll("section.streamchat")).toHaveLength(1);
  expect(el.querySelector("[role=dialog]")).toBeNull();
  lifetime.abort();
});
