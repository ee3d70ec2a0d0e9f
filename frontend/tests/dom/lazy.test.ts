/** What is loaded when it is needed: late, or not at all. */

import { afterEach, beforeEach, expect, test } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { Parts } from "../../src/view/part";
import type { DataSource } from "../../src/view/types";
import { loadFromSources } from "../parts";
import { ScriptedModel } from "../scripted_model";

let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;
let parts: Parts;
/** Lets the file come, or fail. */
let come: (isThere: boolean) => void;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  parts = new Parts(async (name) => {
    const isThere = await new Promise<boolean>((resolve) => {
      come = resolve;
    });
    if (!isThere) throw new TypeError("Failed to fetch");
    return await loadFromSources(name);
  });
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
});

const NOTEBOOK: DataSource = {
  names: async () => [],
  digest: async (name) => ({
    ...{ name, kind: "list", shape: "3 items", columns: [], text: "3 rows" },
  }),
};

/** Load the page anew, with what an earlier one left. */
function openAgain(leave: () => void, dataSource?: DataSource): void {
  lifetime.abort();
  lifetime = new AbortController();
  document.body.replaceChildren();
  leave();
  const { signal } = lifetime;
  view = new ChatView(document.body, model, { signal, parts, dataSource });
}

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

test("what was attached before the page was loaded is sent with its message", async () => {
  const block = {
    type: "document",
    artifact: "a-2",
    media_type: "text/plain",
  } as const;
  openAgain(() => {
    model.keepDraft("Read it");
    model.keepDraftAttachments([block]);
  });
  press("Enter");
  expect(sent()).toEqual([]);
  come(true);
  await settled();

  expect(sent()).toEqual([["send", "Read it", block]]);
  expect(model.draftAttachments).toEqual([]);
});

test("a variable that is named before its code is there is shared once it is", async () => {
  openAgain(() => model.keepDraft("See @df now"), NOTEBOOK);
  press("Enter");
  expect(sent()).toEqual([]);
  come(true);
  await settled();

  const block = { type: "data", name: "df", text: "3 rows" };
  expect(sent()).toEqual([["send", "See @df now", block]]);
});

test("a name whose code does not come can be sent as a word", async () => {
  openAgain(() => model.keepDraft("See @df now"), NOTEBOOK);
  press("Enter");
  come(false);
  await settled();
  expect(sent()).toEqual([]);
  buttons("Remove")[0]?.click();
  press("Enter");

  expect(sent()).toEqual([["send", "See @df now"]]);
});

test("what begins as a command is sent where its code does not come", async () => {
  openAgain(() => model.keepDraft("/demo"));
  press("Enter");
  expect(sent()).toEqual([]);
  come(false);
  await settled();

  expect(sent()).toEqual([["send", "/demo"]]);
});
