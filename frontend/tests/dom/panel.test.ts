import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { KernelChannel } from "../../src/kernel_channel";
import { transportTrials } from "../../src/transport_trials";
import { ChatView } from "../../src/view/chat";
import { Parts } from "../../src/view/part";
import { loadedParts, loadFromSources } from "../parts";
import { turnFinished, wholeTurn } from "../scenes";
import { ScriptedModel } from "../scripted_model";
import { servePage } from "./local_page";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

const AGENTS = [
  { name: "assistant", description: "Answers.", model: "claude-a", default: true },
  { name: "planner", description: "Plans trips.", where: "kernel" },
  { name: "broken", problem: "It cannot be loaded: no module planner." },
];
const MODELS = [
  {
    id: "claude-a",
    name: "A",
    efforts: ["low", "high"],
    thinking: true,
    default: true,
  },
  { id: "claude-b", name: "B", efforts: ["high"], thinking: false },
];

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  model.server.answers.set("GET agents", { agents: AGENTS });
  model.server.answers.set("GET models", { models: MODELS, source: "endpoint" });
  model.server.answers.set("PATCH conversations/c", {});
  model.server.saved = (settings) => {
    const changed = { ...model.state.settings, ...settings };
    const kept = Object.entries(changed).filter(([, value]) => value !== null);
    model.play({ type: "conversation.updated", settings: Object.fromEntries(kept) });
  };
});

afterEach(() => lifetime.abort());

function open(loaded = parts): void {
  view = new ChatView(document.body, model, {
    signal: lifetime.signal,
    parts: loaded,
  });
}

function button(name: string): HTMLButtonElement {
  const found = [...view.element.querySelectorAll("button")].find(
    (one) => (one.getAttribute("aria-label") ?? one.textContent) === name,
  );
  if (found === undefined) throw new Error(`There is no button ${name}.`);
  return found;
}

/** The list that a label names; undefined where it is not shown. */
function choice(label: string): HTMLSelectElement | undefined {
  return [...view.element.querySelectorAll("select")].find(
    (one) =>
      one.closest("[hidden]") === null &&
      one.closest("label")?.firstElementChild?.textContent === label,
  );
}

async function choose(label: string, value: string): Promise<void> {
  const select = choice(label);
  if (select === undefined) throw new Error(`There is no choice of ${label}.`);
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await settled();
}

/** Let what was asked be answered, and painted. */
async function settled(): Promise<void> {
  for (let frame = 0; frame < 2; frame++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

function shown(selector: string): string[] {
  return [...view.element.querySelectorAll(selector)]
    .filter((one) => one.closest("[hidden]") === null)
    .map((one) => one.textContent ?? "");
}

function valuesOf(label: string): string[] {
  return [...(choice(label)?.options ?? [])].map(({ value }) => value);
}

const patches = () => model.server.asked.filter(([method]) => method === "PATCH");

describe("the settings", () => {
  test("offer what the endpoint has, when they are opened and not before", async () => {
    open();
    expect(model.server.asked).toEqual([]);
    button("Settings").click();
    await settled();
    expect(valuesOf("Agent")).toEqual(["assistant", "planner", "broken"]);
    expect(choice("Agent")?.options[2]?.disabled).toBe(true);
    expect(valuesOf("Model")).toEqual(["", "claude-b"]);
    expect(choice("Model")?.selectedOptions[0]?.textContent).toBe("A (default)");
    expect(valuesOf("Effort")).toEqual(["", "low", "high"]);
    expect(valuesOf("Thinking")).toEqual(["", "on", "off"]);
    expect(shown(".streamchat-choice-note")[0]).toContain("next turn");
    const dialog = view.element.querySelector("[role=dialog]");
    expect(dialog?.getAttribute("aria-label")).toBe("Settings");
    expect(document.activeElement?.closest("[role=dialog]")).not.toBeNull();
  });

  test("are saved one by one, and count from the next turn", async () => {
    open();
    button("Settings").click();
    await settled();
    await choose("Effort", "low");
    await choose("Thinking", "off");
    expect(patches().map(([, , body]) => body)).toEqual([
      { settings: { effort: "low" } },
      { settings: { thinking: false } },
    ]);
    expect(shown(".streamchat-choice-note")).toEqual([
      "Saved. It counts from the next turn.",
    ]);
    expect(choice("Thinking")?.value).toBe("off");
  });

  test("that another model does not have go with the one that had them", async () => {
    open();
    model.play({
      type: "conversation.updated",
      settings: { effort: "low", thinking: true },
    });
    button("Settings").click();
    await settled();
    await choose("Model", "claude-b");
    expect(patches()).toEqual([
      [
        "PATCH",
        "conversations/c",
        { settings: { model: "claude-b", effort: null, thinking: null } },
      ],
    ]);
    expect(valuesOf("Effort")).toEqual(["", "high"]);
    expect(choice("Thinking")).toBeUndefined();
  });

  test("that another seat changes are shown at once", async () => {
    open();
    button("Settings").click();
    await settled();
    model.play({ type: "conversation.updated", settings: { agent: "planner" } });
    await settled();
    expect(choice("Agent")?.value).toBe("planner");
    // It brings its own model.
    expect(choice("Model")).toBeUndefined();
    expect(shown(".streamchat-choice-detail")[0]).toContain("kernel");
  });

  test("that are refused are shown as they are, with the reason", async () => {
    open();
    button("Settings").click();
    await settled();
    const refusal = { code: "invalid_input", message: "There is no such model." };
    model.server.answers.set("PATCH conversations/c", refusal);
    await choose("Model", "claude-b");
    expect(shown(".streamchat-choice-problem")[0]).toContain("There is no such model.");
    expect(choice("Model")?.value).toBe("");
  });

  test("close by Escape, which stops no answer, and give the focus back", async () => {
    open();
    model.play(...wholeTurn(1, "Hi", "Hello").slice(0, 3));
    button("Settings").click();
    await settled();
    const press = { key: "Escape", bubbles: true, cancelable: true };
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", press));
    expect(shown("[role=dialog]")).toEqual([]);
    expect(document.activeElement).toBe(button("Settings"));
    expect(model.asked).toEqual([]);
  });

  test("whose file does not come say so, and come when it does", async () => {
    let isThere = false;
    open(
      new Parts(async (name) => {
        if (!isThere) throw new TypeError("Failed to fetch");
        return await loadFromSources(name);
      }),
    );
    button("Settings").click();
    await settled();
    expect(shown(".streamchat-notice-what")[0]).toContain("could not be loaded");
    isThere = true;
    button("Try again").click();
    await settled();
    expect(valuesOf("Agent")).toContain("planner");
  });

  test("tell what the conversation used, and what is not known of its cost", async () => {
    open();
    const usage = {
      input_tokens: 1_200,
      output_tokens: 30,
      cache_read_input_tokens: 800,
    };
    const turn = wholeTurn(1, "Hi", "Hello").slice(0, -1);
    model.play(...turn.map((event) => ({ ...event, offline: false })));
    model.play(turnFinished("t1", "completed", { usage, cost: 0.0042 }));
    const other = wholeTurn(2, "And?", "Then").slice(0, -1);
    model.play(...other.map((event) => ({ ...event, offline: false })));
    model.play(turnFinished("t2", "completed", { usage: { output_tokens: 5 } }));
    button("Settings").click();
    await settled();
    const rows = shown(".streamchat-panel-usage :is(dt, dd)");
    expect(rows).toEqual([
      ...["Tokens in", "2,000", "of them read from the cache", "800"],
      ...["Tokens out", "35", "Cost"],
      "at least $0.0042 (estimated); 1 answer has no known price",
    ]);
  });
});

describe("the check", () => {
  test("says what works and what to do about the rest, and is copied without secrets", async () => {
    const copied = vi.fn(async () => undefined);
    vi.stubGlobal("navigator", { clipboard: { writeText: copied } });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    vi.stubGlobal(
      "WebSocket",
      class {
        constructor() {
          throw new DOMException("blocked", "SecurityError");
        }
      },
    );
    model.server.answers.set("POST check", {
      checks: [
        { name: "credential", status: "ok", says: "The key is taken." },
        {
          name: "model",
          status: "failed",
          says: "https://me:secret@host/?token=abc sk-ant-12345678 refuses <b>it</b>.",
          hint: "Choose another model.",
        },
        { name: "tools", status: "skipped", says: "The model is not known." },
        { name: 7 },
      ],
    });
    open();
    button("Settings").click();
    await settled();
    button("Check connection").click();
    await vi.waitFor(() => expect(button("Copy as text").hidden).toBe(false));
    const items = shown(".streamchat-check-item");
    expect(items).toHaveLength(7);
    expect(items.join("\n")).toContain("refuses <b>it</b>");
    expect(shown(".streamchat-check-summary")).toEqual(["3 things do not work."]);
    button("Copy as text").click();
    const text = String(copied.mock.calls.at(0)?.at(0));
    expect(text).toContain("Model: Does not work.");
    expect(text).toContain("Choose another model.");
    expect(text).toContain("Through the kernel: Not tried.");
    for (const secret of ["secret@", "abc", "12345678"]) {
      expect(text).not.toContain(secret);
    }
    vi.unstubAllGlobals();
  });
});

describe("a way to the server", () => {
  const page = servePage();

  test("works where the server answers, and is named where it does not", async () => {
    const options = {
      apiUrl: `${location.origin}/base/streamchat/api/`,
      ...{ conversation: "c_1", channel: null, signal: lifetime.signal },
    };
    const before = await Promise.all(transportTrials(options));
    expect(before.map(({ name, status }) => [name, status])).toEqual([
      ["websocket", "ok"],
      ["sse", "ok"],
      ["rest", "ok"],
      ["relay", "skipped"],
    ]);
    await page.server.stop();
    const after = await Promise.all(transportTrials(options));
    expect(after.slice(0, 3).map(({ status }) => status)).toEqual(
      Array(3).fill("failed"),
    );
    for (const { hint } of after.slice(0, 3)) expect(hint).not.toBe("");
    await page.server.start();
  });

  test("has a deadline", async () => {
    const silent = { send: () => undefined, on: () => undefined, off: () => undefined };
    const results = await Promise.all(
      transportTrials({
        apiUrl: `${location.origin}/base/streamchat/api/`,
        ...{ conversation: "", channel: new KernelChannel(silent) },
        ...{ signal: lifetime.signal, timeoutMs: 50 },
      }),
    );
    expect(results.find(({ name }) => name === "relay")).toMatchObject({
      status: "failed",
      says: "No answer within 0 s.",
    });
  });
});
