/** What is loaded when it is needed: late, or not at all. */

import { afterEach, beforeEach, expect, test } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { Parts } from "../../src/view/part";
import { loadFromSources } from "../parts";
import { ScriptedModel } from "../scripted_model";

let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;
/** Lets the file come, or fail. */
let come: (isThere: boolean) => void;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  const parts = new Parts(async (name) => {
    const isThere = await new Promise<boolean>((resolve) => {
      come = resolve;
    });
    if (!isThere) throw new TypeError("Failed to fetch");
    return await loadFromSources(name);
  });
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
});

afterEach(() => lifetime.abort());

async function settled(): Promise<void> {
  for (let frame = 0; frame < 3; frame++) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}

function attachAndSend(): void {
  const file = new File(["Ada"], "note.txt", { type: "text/plain" });
  const block = {
    type: "document",
    artifact: "a-1",
    media_type: "text/plain",
  } as const;
  model.uploads.set("note.txt", Promise.resolve({ block }));
  const input = view.element.querySelector<HTMLInputElement>("input[type=file]");
  Object.defineProperty(input, "files", { value: [file], configurable: true });
  input?.dispatchEvent(new Event("change"));
  press("Enter");
}

function press(key: string): void {
  const init = { key, bubbles: true, cancelable: true };
  view.element
    .querySelector("textarea")
    ?.dispatchEvent(new KeyboardEvent("keydown", init));
}

const sent = () => model.asked.filter(([what]) => what === "send");

function buttons(name: string): HTMLButtonElement[] {
  return [...view.element.querySelectorAll("button")].filter(
    (one) => one.textContent === name && one.closest("[hidden]") === null,
  );
}

test("a file that is attached before its code is there is sent once it is", async () => {
  attachAndSend();
  await settled();
  expect(sent()).toEqual([]);
  expect(view.element.querySelector(".streamchat-hint")?.textContent).toContain(
    "Sends as soon as",
  );
  come(true);
  await settled();
  expect(sent()).toEqual([
    ["send", "", { type: "document", artifact: "a-1", media_type: "text/plain" }],
  ]);
});

test("a file whose code does not come waits, is tried again, or is given up", async () => {
  attachAndSend();
  await settled();
  come(false);
  await settled();
  expect(sent()).toEqual([]);
  expect(view.element.textContent).toContain("this could not be loaded");
  buttons("Try again")[0]?.click();
  come(false);
  await settled();
  buttons("Remove")[0]?.click();
  await settled();
  expect(view.element.textContent).not.toContain("this could not be loaded");
  const field = view.element.querySelector("textarea");
  if (field === null) throw new Error("There is nothing to write into.");
  field.value = "Without it";
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  press("Enter");
  expect(sent()).toEqual([["send", "Without it"]]);
});
