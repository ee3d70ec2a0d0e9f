/** The card of a tool call: what it says while it runs, and what it gave. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import {
  answers,
  asks,
  blockStarts,
  completes,
  delta,
  toolCompleted,
  toolContent,
  toolProgress,
  toolRequested,
  toolStarted,
  turnStarts,
} from "../scenes";
import { ScriptedModel } from "../scripted_model";
import { paint, paintText } from "./painting";

const parts = await loadedParts();
const begins = [asks("u1", "Who?"), turnStarts("t1", "u1"), answers("t1", "a1")];
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
});

afterEach(() => {
  lifetime.abort();
});

function texts(selector: string): string[] {
  return [...view.element.querySelectorAll(selector)]
    .filter((element) => element.closest("[hidden]") === null)
    .map((element) => element.textContent ?? "");
}

function open(): void {
  const card = view.element.querySelector<HTMLDetailsElement>(".streamchat-tool");
  if (card === null) throw new Error("There is no card.");
  card.open = true;
  card.dispatchEvent(new Event("toggle"));
}

/** A call that was made and runs. */
function runs(): void {
  model.play(
    ...begins,
    completes("a1", [toolContent("k1", "search", { query: "Ada" })]),
    toolRequested("a1", "b0", "k1", "search", { query: "Ada" }, "t1"),
    toolStarted("k1"),
  );
}

test("the input is seen while the model writes it", async () => {
  model.play(...begins, blockStarts("a1", "b0", "tool_use"));
  model.play(delta("a1", "b0", '{"query": "A', "tool_use"));
  await paint();
  expect(texts(".streamchat-tool-brief")).toEqual(['{"query": "A']);
  open();
  expect(texts(".streamchat-tool-text")).toEqual(['{"query": "A']);
  model.play(delta("a1", "b0", 'da"}', "tool_use"));
  await paintText();
  expect(texts(".streamchat-tool-text")).toEqual(['{"query": "Ada"}']);
});

test("what it is made with stands beside its name, then what it says", async () => {
  runs();
  await paint();
  expect(texts(".streamchat-tool-brief")).toEqual(["Ada"]);
  model.play(toolProgress("k1", "Page 1", null));
  model.play(toolProgress("k1", "Page 2", null));
  await paint();
  expect(texts(".streamchat-tool-brief")).toEqual(["Page 2"]);
  open();
  expect(texts(".streamchat-tool-detail").at(1)).toBe("What it saysPage 1\nPage 2");
  model.play(toolCompleted("k1", "ok", "Found.", 400));
  await paint();
  expect(texts(".streamchat-tool-brief")).toEqual(["Ada"]);
  expect(texts(".streamchat-tool-detail")).toHaveLength(2);
});

test("seconds are counted while it runs, and the server's count stands at its end", async () => {
  runs();
  await paint();
  expect(texts(".streamchat-tool-duration")).toEqual([""]);
  await vi.waitFor(
    () => expect(texts(".streamchat-tool-duration")[0]).toMatch(/\d s$/),
    { timeout: 20_000 },
  );
  model.play(toolCompleted("k1", "ok", "Found.", 3_400));
  await paint();
  expect(texts(".streamchat-tool-duration")).toEqual(["3.4 s"]);
});

test.each([
  ["rows are a table", '[{"name":"Ada","age":36},{"name":"Grace","age":85}]', "table"],
  ["other JSON is a tree", '{"found":{"name":"Ada"}}', ".streamchat-json"],
  ["text is text", "Found Ada.", ".streamchat-tool-detail:last-child pre"],
])("of a result %s", async (_, output, selector) => {
  runs();
  model.play(toolCompleted("k1", "ok", output, 5));
  await paint();
  open();
  expect(texts(`.streamchat-tool ${selector}`)).toHaveLength(1);
  expect(texts(".streamchat-tool-detail-title")).toEqual(["Input", "Result"]);
});

test("of an error it says what happened, and what the model was told", async () => {
  runs();
  model.play(toolCompleted("k1", "error", "The file is locked.\nClose it.", 5));
  await paint();
  expect(texts(".streamchat-tool-error")).toEqual(["The file is locked."]);
  open();
  expect(texts(".streamchat-tool-detail-title").at(-1)).toBe("What the model was told");
  expect(texts(".streamchat-tool-text").at(-1)).toBe("The file is locked.\nClose it.");
});

test("a thought says how long it took", async () => {
  model.play(...begins);
  model.play({ ...blockStarts("a1", "b0", "thinking"), ts: 1_000 });
  model.play({
    ...{ type: "block.completed", message: "a1", block: "b0", kind: "thinking" },
    ...{ content: { type: "thinking", thinking: "Hm." }, ts: 5_200 },
  });
  await paint();
  expect(texts(".streamchat-thought-title")).toEqual(["Thought for 4.2 s"]);
});
