import { afterEach, beforeEach, describe, expect, test } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import { asks, turnFinished, turnStarts, wholeTurn } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

function open(): void {
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
}

async function paint(): Promise<void> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

function find<Found extends HTMLElement>(selector: string, at = 0): Found {
  const found = view.element.querySelectorAll<Found>(selector)[at];
  if (found === undefined) throw new Error(`There is no ${selector}.`);
  return found;
}

/** Texts of what can be seen. */
function texts(selector: string): string[] {
  return [...view.element.querySelectorAll<HTMLElement>(selector)]
    .filter((element) => element.closest("[hidden]") === null)
    .map((element) => element.textContent ?? "");
}

const QUESTIONS = ".streamchat-user-bubble";
const COUNTS = ".streamchat-versions-count";

/** Two questions, the second in two versions, of which the later one is shown. */
function twoVersions(): void {
  const [third, ...answer] = wholeTurn(3, "Second, in short", "Briefly.");
  model.play(...wholeTurn(1, "First", "One."), ...wholeTurn(2, "Second", "Two."));
  if (third !== undefined) model.play({ ...third, parent: "u1" }, ...answer);
}

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
});

afterEach(() => lifetime.abort());

describe("branches", () => {
  test("only the shown version is there, with the way to the other", async () => {
    twoVersions();
    open();

    expect(texts(QUESTIONS)).toEqual(["First", "Second, in short"]);
    expect(texts(".streamchat-messages")).toEqual(["One.", "Briefly."]);
    expect(texts(COUNTS)).toEqual(["2 / 2"]);
    const group = find(".streamchat-versions");
    expect(group.getAttribute("aria-label")).toBe("Version 2 of 2");
    expect(group.lastElementChild?.getAttribute("aria-disabled")).toBe("true");
  });

  test("the other is shown, focused, and what stays is not touched", async () => {
    twoVersions();
    open();
    const first = find(".streamchat-answer");

    find(".streamchat-version-before").click();
    await paint();

    expect(model.asked).toEqual([["selectBranch", "u2"]]);
    expect(texts(QUESTIONS)).toEqual(["First", "Second"]);
    expect(texts(".streamchat-messages")).toEqual(["One.", "Two."]);
    expect(texts(COUNTS)).toEqual(["1 / 2"]);
    expect(find(".streamchat-answer")).toBe(first);
    expect(document.activeElement).toBe(find(".streamchat-version-before"));
    find(".streamchat-version-before").click(); // there is none
    expect(model.asked).toHaveLength(1);
  });

  test("a branch that cannot be changed is said where it was asked for", async () => {
    twoVersions();
    model.branchProblem = { code: "offline", message: "No network." };
    open();

    find(".streamchat-version-before").click();
    await paint();
    await paint();

    expect(texts(".streamchat-user-note")).toEqual([
      "The branch was not changed. No network.",
    ]);
    expect(texts(QUESTIONS)).toEqual(["First", "Second, in short"]);
  });

  test("another seat's choice is followed", async () => {
    twoVersions();
    open();

    model.play({ type: "conversation.updated", tip: "u2" });
    await paint();

    expect(texts(QUESTIONS)).toEqual(["First", "Second"]);
  });

  test("what is written on a branch that is not shown stays out", async () => {
    twoVersions();
    model.play(asks("u4", "And now?"), turnStarts("t4", "u4"));
    model.play({ type: "conversation.updated", tip: "u2" });
    open();

    const begins = { type: "message.created", turn: "t4", message: "a4" };
    const author = { id: "a", name: "A", kind: "agent" };
    model.play({ ...begins, role: "assistant", author });
    model.play({ type: "block.started", message: "a4", block: "b0", kind: "text" });
    await paint();
    const delta = { type: "block.delta", message: "a4", block: "b0", kind: "text" };
    model.play({ ...delta, delta: "Elsewhere" });
    await paint();

    expect(view.element.textContent).not.toContain("Elsewhere");
    model.play({ type: "conversation.updated", tip: "u4" });
    await paint();
    expect(view.element.textContent).toContain("Elsewhere");
  });

  test("an answer is asked for again beside itself, once it is whole", async () => {
    model.play(asks("u1", "First"), turnStarts("t1", "u1"));
    open();
    expect(find(".streamchat-regenerate").hidden).toBe(true);

    model.play(turnFinished("t1", "completed"));
    await paint();
    find(".streamchat-regenerate").click();

    expect(model.asked).toEqual([["retry", "t1"]]);
  });

  test("a branch that is on its way is shown at once", async () => {
    twoVersions();
    open();

    const outgoing = { client_message_id: "w9", status: "sending" } as const;
    const content = [{ type: "text", text: "Anew" }] as const;
    model.setOutbox([{ ...outgoing, content, parent: "" }]);
    await paint();
    expect(texts(QUESTIONS)).toEqual(["Anew"]);

    const error = { code: "offline", message: "No network." };
    model.setOutbox([{ ...outgoing, content, parent: "", status: "failed", error }]);
    await paint();
    expect(texts(QUESTIONS)).toEqual(["First", "Second, in short", "Anew"]);
    expect(texts(".streamchat-messages")).toEqual(["One.", "Briefly."]);
  });

  test("what waits on another branch leaves the shown one in its place", async () => {
    model.play(asks("u1", "First"), turnStarts("t1", "u1"));
    open();

    model.play({ ...asks("u2", "Rather"), parent: "" });
    model.play({ type: "turn.queued", turn: "t2", message: "u2" });
    await paint();
    expect(texts(QUESTIONS)).toEqual(["First"]);
    expect(texts(COUNTS)).toEqual([]);

    model.play(turnFinished("t1", "completed"), turnStarts("t2", "u2"));
    await paint();
    expect(texts(QUESTIONS)).toEqual(["Rather"]);
    expect(texts(COUNTS)).toEqual(["2 / 2"]);
  });
});

describe("an earlier message in other words", () => {
  function type(text: string): HTMLTextAreaElement {
    const field = find<HTMLTextAreaElement>(".streamchat-editor-field");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return field;
  }

  function press(field: HTMLElement, key: string): void {
    field.dispatchEvent(
      new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
    );
  }

  test("is written in its place and sent by Enter", async () => {
    twoVersions();
    open();

    find(".streamchat-edit").click();
    const field = find<HTMLTextAreaElement>(".streamchat-editor-field");
    expect(document.activeElement).toBe(field);
    expect(field.value).toBe("First");
    expect(find(".streamchat-user-tools-row").hidden).toBe(true);
    type("First of all");
    expect(model.drafts.get("message:u1")).toBe("First of all");
    press(field, "Enter");

    expect(model.asked).toEqual([["revise", "u1", "First of all"]]);
    expect(find(".streamchat-user-tools-row").hidden).toBe(false);
    expect(find(".streamchat-editor").hidden).toBe(true);
    expect(document.activeElement).toBe(find(".streamchat-field"));
  });

  test("is left by Esc, which does not stop an answer", async () => {
    twoVersions();
    model.play(asks("u4", "And now?"), turnStarts("t4", "u4"));
    open();

    find(".streamchat-edit").click();
    press(type("Never mind"), "Escape");

    expect(model.asked).toEqual([]);
    expect(model.drafts.get("message:u1") ?? "").toBe("");
    expect(document.activeElement).toBe(find(".streamchat-edit"));
  });

  test("cannot be empty", () => {
    twoVersions();
    open();

    find(".streamchat-edit").click();
    press(type("  "), "Enter");

    expect(model.asked).toEqual([]);
  });

  test("is gone on with after a reload", () => {
    twoVersions();
    model.drafts.set("message:u1", "First of");
    open();

    expect(find<HTMLTextAreaElement>(".streamchat-editor-field").value).toBe(
      "First of",
    );
    expect(document.activeElement).not.toBe(find(".streamchat-editor-field"));
  });
});
