/** How full the model's context is: quiet, until its end comes near. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import {
  answers,
  asks,
  completes,
  textContent,
  turnFinished,
  turnStarts,
} from "../scenes";
import { ScriptedModel } from "../scripted_model";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  model.server.answers.set("GET agents", { agents: [] });
  model.server.answers.set("GET models", {
    models: [
      { id: "small", default: true, context_tokens: 10_000 },
      { id: "large", context_tokens: 200_000 },
      { id: "secretive" },
    ],
  });
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
});

afterEach(() => lifetime.abort());

/** A turn whose last request had so many tokens, after one that had more. */
function turn(number: number, tokens: number, more: object = {}): void {
  const [id, asked, answered] = [`t${number}`, `u${number}`, `a${number}`];
  const usage = {
    input_tokens: 10,
    cache_read_input_tokens: tokens - 60,
    cache_creation_input_tokens: 20,
    output_tokens: 30,
  };
  model.play(
    { ...asks(asked, "Go on"), ...("parent" in more ? { parent: more.parent } : {}) },
    { ...turnStarts(id, asked, false), model: "small", ...more },
    answers(id, `${answered}x`),
    completes(`${answered}x`, [textContent("Hm")], { usage: { input_tokens: 90 } }),
    answers(id, answered),
    completes(answered, [textContent("So")], { usage }),
    turnFinished(id, "completed"),
  );
}

function button(): HTMLButtonElement {
  const found = view.element.querySelector<HTMLButtonElement>(
    "button.streamchat-settings",
  );
  if (found === null) throw new Error("There is no button for the settings.");
  return found;
}

function mark(): string | null {
  const found = button().querySelector<HTMLElement>(".streamchat-context-mark");
  if (found === null || found.hidden) return null;
  const word = found.querySelector<HTMLElement>(".streamchat-context-word");
  return word?.hidden ? "" : (word?.textContent ?? "");
}

const said = () =>
  view.element.querySelector(".streamchat-announcer")?.textContent ?? "";
const asked = () => model.server.asked.filter(([, path]) => path === "models").length;

async function painted(): Promise<void> {
  for (let frame = 0; frame < 3; frame++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

test("is not told of, and not asked for, while there is much room", async () => {
  turn(1, 2_000);
  await painted();
  expect(asked()).toBe(0);
  turn(2, 7_400);
  await painted();
  expect(asked()).toBe(1);
  expect(mark()).toBeNull();
  expect(button().getAttribute("aria-label")).toBe("Settings");
});

test("is marked from three quarters on, and warned of from nine tenths", async () => {
  turn(1, 7_500);
  await vi.waitFor(() => expect(mark()).toBe(""));
  expect(button().title).toBe("Settings. Context: 7,500 of 10,000 tokens, 75 %.");
  expect(said()).not.toContain("Context");
  turn(2, 9_000);
  await vi.waitFor(() => expect(mark()).toBe("Nearly full"));
  expect(button().title).toMatch(/90 %\. Begin a new conversation.*Nothing is lost\.$/);
  await vi.waitFor(() => expect(said()).toContain("Context: 9,000 of 10,000 tokens"));
  expect(asked()).toBe(1);
});

test("is that of the branch that is shown, and of the model that is chosen", async () => {
  turn(1, 4_000, { parent: "" });
  turn(2, 9_500, { parent: "u1" });
  await vi.waitFor(() => expect(mark()).toBe("Nearly full"));
  turn(3, 8_000, { parent: "u1" });
  await vi.waitFor(() => expect(mark()).toBe(""));
  model.play({ type: "conversation.updated", tip: "u2" });
  await vi.waitFor(() => expect(mark()).toBe("Nearly full"));
  model.play({ type: "conversation.updated", settings: { model: "large" } });
  await vi.waitFor(() => expect(mark()).toBeNull());
});

test("says in the settings what is known of it", async () => {
  const rows = () =>
    [...view.element.querySelectorAll(".streamchat-panel-usage :is(dt, dd)")].map(
      (one) => one.textContent,
    );
  turn(1, 600);
  button().click();
  await vi.waitFor(() =>
    expect(rows().slice(0, 2)).toEqual(["Context", "600 of 10,000 tokens, 6 %"]),
  );
  turn(2, 700, { model: "secretive" });
  await vi.waitFor(() => expect(rows()[1]).toBe("700 tokens"));
  const advice = () =>
    [...view.element.querySelectorAll(".streamchat-panel p")].some(
      (one) =>
        one.closest("[hidden]") === null && /Nothing is lost/.test(one.innerHTML),
    );
  expect(advice()).toBe(false);
  turn(3, 12_000);
  await vi.waitFor(() => expect(rows()[1]).toBe("12,000 of 10,000 tokens, 120 %"));
  expect(advice()).toBe(true);
});

test("is none of the offline demo's, and none where nothing was counted", async () => {
  turn(1, 9_900, { offline: true });
  button().click();
  await painted();
  expect(mark()).toBeNull();
  expect(view.element.querySelector(".streamchat-panel-usage")?.textContent).toBe(
    "Nothing was counted yet.",
  );
});
