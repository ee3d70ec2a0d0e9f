/** The waterfall of an answer: bars on one line of time, and what was sent. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "./browser_parts";
import type { TracedRequest, TraceSpan, TurnTrace } from "../../src/protocol";
import { ChatView } from "../../src/view/chat";
import { formatTime, TimeAxis } from "../../src/view/time_axis";
import { loadedParts } from "../parts";
import { asks, status, turnFinished, turnStarts, wholeTurn } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const parts = await loadedParts();
const PATH = "GET conversations/c/turns/t1/trace";
const copied = vi.fn(() => Promise.resolve());
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  copied.mockClear();
  Object.assign(navigator, { clipboard: { writeText: copied } });
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
});

afterEach(() => {
  vi.useRealTimers();
  lifetime.abort();
});

async function paint(): Promise<void> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

function all<Found extends Element = HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

function texts(selector: string): string[] {
  return all(selector).map((element) => element.textContent ?? "");
}

const span = (id: string, fields: Partial<TraceSpan>): TraceSpan => ({
  ...{ id, kind: "step", name: id, start_ms: 0, ...fields },
});

const request: TracedRequest = {
  ...{ source: "endpoint", start_ms: 20, method: "POST", status: 200 },
  url: "https://host.test/v1/messages",
  headers: { "x-api-key": "[hidden]" },
  body: { model: "m", messages: [{ role: "user", content: "Who is <b>Ada</b>?" }] },
  ...{ body_bytes: 2_048, first_ms: 220, end_ms: 400, request_id: "req_1" },
};

const TRACE: TurnTrace = {
  ...{
    conversation: "c-1",
    turn: "t1",
    sent_ts: 1,
    now_ms: 9_000,
    status: "completed",
  },
  spans: [
    span("queue", { kind: "queue", end_ms: 10, status: "started" }),
    span("s1", { start_ms: 10, end_ms: 400, first_ms: 205, status: "tool_use" }),
    span("a", { kind: "tool", name: "search", start_ms: 400, end_ms: 800 }),
    span("a/run-1", { kind: "run", start_ms: 400, end_ms: 800, parent: "a" }),
    span("b", { kind: "tool", name: "plot", start_ms: 400, end_ms: 600 }),
    span("b/approval", { kind: "approval", start_ms: 400, end_ms: 500, parent: "b" }),
    span("b/run-1", { kind: "run", start_ms: 500, end_ms: 600, parent: "b" }),
    span("s2", {
      ...{ start_ms: 800, end_ms: 1_000, first_ms: 900, status: "end_turn" },
      usage: { input_tokens: 1_200, output_tokens: 34 },
    }),
  ],
  requests: [request],
};

async function open(trace: TurnTrace): Promise<void> {
  model.server.answers.set(PATH, trace);
  model.play(...wholeTurn(1, "Who is Ada?", "A mathematician."));
  await paint();
  all<HTMLButtonElement>(".streamchat-timing-button")[0]?.click();
  await paint();
}

test("bars lie where their time is, and side by side in time where tools ran so", async () => {
  await open(TRACE);
  expect(texts(".streamchat-timing-summary")).toEqual([
    "1.0 s in all · first word after 205 ms · 1 request",
  ]);
  const names = all(".streamchat-timing-name").map(
    (one) => one.firstChild?.textContent,
  );
  expect(names).toEqual([
    ...["Waited for its turn", "Model", "search", "plot", "Waited for you", "Ran"],
    "Model",
  ]);
  const bars = all(".streamchat-timing-bar").map(({ style }) => [
    Number.parseFloat(style.insetInlineStart),
    Number.parseFloat(style.inlineSize),
  ]);
  expect(bars[2]).toEqual([40, 40]);
  expect(bars[3]).toEqual([40, 20]);
  expect(bars[6]).toEqual([80, 20]);
  const [first] = all(".streamchat-timing-first");
  expect(first?.style.insetInlineStart).toBe("50.000%");
  expect(texts(".streamchat-timing-took").at(-1)).toBe("200 ms");
  expect(texts(".streamchat-timing-facts").at(-1)).toBe(
    "100 ms to the first word · 1,200 tokens in · 34 out",
  );
});

test("a table tells a screen reader the same", async () => {
  await open(TRACE);
  expect(texts(".streamchat-timing-table thead th")).toEqual(["What", "When", "Took"]);
  const rows = all(".streamchat-timing-table tbody tr");
  expect(rows[2]?.querySelector("th")?.scope).toBe("row");
  expect(rows[2]?.querySelector(".streamchat-unseen")?.textContent).toBe("from 400 ms");
  const [button] = all(".streamchat-timing-button");
  expect(button?.getAttribute("aria-expanded")).toBe("true");
  button?.click();
  await paint();
  expect(all(".streamchat-timing")).toEqual([]);
  expect(button?.getAttribute("aria-expanded")).toBe("false");
});

test("a request is shown as it went out, and copied as JSON", async () => {
  await open(TRACE);
  expect(texts(".streamchat-request-words")).toEqual([
    "Request 1 · endpoint · 200 · 2 kB · 200 ms to the first word",
  ]);
  const [fold] = all<HTMLDetailsElement>(".streamchat-request");
  if (fold === undefined) throw new Error("no request");
  fold.open = true;
  fold.dispatchEvent(new Event("toggle"));
  await paint();
  await paint();
  const words = fold.textContent ?? "";
  for (const word of [
    "https://host.test/v1/messages",
    "[hidden]",
    "req_1",
    "messages",
  ]) {
    expect(words).toContain(word);
  }
  const copy = [...fold.querySelectorAll("button")].find(
    (one) => one.textContent === "Copy as JSON",
  );
  copy?.click();
  await paint();
  expect(copied).toHaveBeenCalledWith(JSON.stringify(request.body, null, 2));
  expect(fold.querySelector("b")).toBeNull();
});

test("what is not kept, and what cannot be seen, is said in plain words", async () => {
  await open({ ...TRACE, requests: [], requests_kept: "forgotten" });
  expect(texts(".streamchat-requests-note")[0]).toContain("not kept any more");
  model.server.answers.set(PATH, { ...TRACE, requests: [], requests_kept: "unseen" });
  const [button] = all<HTMLButtonElement>(".streamchat-timing-button");
  button?.click();
  button?.click();
  await paint();
  expect(texts(".streamchat-requests-note")[0]).toContain("sends them itself");
});

test("a problem is said, and it can be tried again", async () => {
  model.server.answers.set(PATH, { code: "not_found", message: "No such turn." });
  model.play(...wholeTurn(1, "Who is Ada?", "A mathematician."));
  await paint();
  all<HTMLButtonElement>(".streamchat-timing-button")[0]?.click();
  await paint();
  expect(texts(".streamchat-timing .streamchat-notice")[0]).toContain("No such turn.");
  model.server.answers.set(PATH, TRACE);
  all<HTMLButtonElement>(".streamchat-timing .streamchat-notice button")[0]?.click();
  await paint();
  expect(all(".streamchat-timing-row")).toHaveLength(7);
});

test("it grows while the turn runs, and ends with it", async () => {
  const { end_ms: _, ...open_span } = span("s1", { start_ms: 10, end_ms: 0 });
  const running = (now_ms: number): TurnTrace => ({
    ...{ ...TRACE, status: "running", now_ms },
    spans: [open_span],
  });
  model.server.answers.set(PATH, running(1_010));
  model.play(asks("u1", "Who?"), turnStarts("t1", "u1", false));
  model.play(status("t1", "using_tool", "Using search…"));
  await paint();
  all<HTMLButtonElement>(".streamchat-timing-button")[0]?.click();
  await paint();
  expect(texts(".streamchat-timing-took")).toEqual(["1.0 s…"]);
  model.server.answers.set(PATH, running(2_010));
  await vi.waitFor(() => expect(texts(".streamchat-timing-took")).toEqual(["2.0 s…"]), {
    timeout: 10_000,
  });
  model.server.answers.set(PATH, TRACE);
  model.play(turnFinished("t1", "completed"));
  await vi.waitFor(() => expect(all(".streamchat-timing-row")).toHaveLength(7), {
    timeout: 10_000,
  });
});

test("a turn that only thinks offers nothing yet", async () => {
  model.play(asks("u1", "Who?"), turnStarts("t1", "u1", false));
  await paint();
  expect(all(".streamchat-timing-button")).toEqual([]);
});

test("the line of time has few and even ticks, also of nothing", () => {
  const axis = new TimeAxis([span("s", { end_ms: 1_234 })], 0);
  expect(axis.ticks_ms).toEqual([0, 500, 1_000]);
  expect(axis.place(617)).toBeCloseTo(0.5);
  expect(axis.place(9_999)).toBe(1);
  expect(new TimeAxis([], 0).length_ms).toBe(1);
  expect(formatTime(994)).toBe("994 ms");
  expect(formatTime(1_240)).toBe("1.2 s");
});
