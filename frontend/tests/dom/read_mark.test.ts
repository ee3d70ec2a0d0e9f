import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "./browser_parts";
import { noteReading } from "../../src/view/read_mark";
import {
  answers,
  asks,
  blockStarts,
  completes,
  textContent,
  turnFinished,
  turnStarts,
} from "../scenes";
import { ScriptedModel } from "../scripted_model";

let lifetime: AbortController;
let model: ScriptedModel;
let isShown: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
  lifetime = new AbortController();
  model = new ScriptedModel();
  model.server.answers.set("PATCH conversations/c", {});
  isShown = true;
  const element = document.createElement("div");
  const box = [new DOMRect()] as unknown as DOMRectList;
  const none = [] as unknown as DOMRectList;
  vi.spyOn(element, "getClientRects").mockImplementation(() => (isShown ? box : none));
  noteReading(model, element, lifetime.signal);
});

afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function answer(name: string): void {
  model.play(
    asks(`u${name}`, "Why?"),
    turnStarts(`t${name}`, `u${name}`),
    answers(`t${name}`, `a${name}`),
    blockStarts(`a${name}`, "b0", "text"),
    completes(`a${name}`, [textContent("Because.")]),
    turnFinished(`t${name}`, "completed"),
  );
}

test("an answer is noted as read at once, others after a pause", async () => {
  answer("1");
  expect(model.server.asked).toHaveLength(1);
  answer("2");
  answer("3");
  expect(model.server.asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(model.server.asked).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(model.server.asked).toHaveLength(2);
});

test("an answer that is not on the screen is not noted", async () => {
  isShown = false;
  answer("1");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(model.server.asked).toEqual([]);
});
