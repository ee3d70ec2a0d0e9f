import { afterEach, beforeEach, describe, expect, test } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import {
  answers,
  asks,
  blockStarts,
  completes,
  toolCompleted,
  toolContent,
  toolRequested,
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
});

afterEach(() => lifetime.abort());

async function paint(): Promise<void> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

function shown<Found extends HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

function press(label: string): void {
  const button = shown<HTMLButtonElement>(".streamchat-approval button").find(
    (one) => one.textContent === label,
  );
  if (button === undefined) throw new Error(`There is no button ${label}.`);
  button.click();
}

/** A call that asks before it runs. */
async function open(
  input: { readonly [name: string]: unknown },
  risk: "write" | "exec",
): Promise<void> {
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
  const content = toolContent("k1", "run_python", input);
  model.play(
    asks("u1", "Do it"),
    turnStarts("t1", "u1"),
    answers("t1", "a1"),
    blockStarts("a1", "b0", "tool_use"),
    completes("a1", [content]),
    toolRequested("a1", "b0", "k1", "run_python", input, "t1"),
    {
      type: "tool.approval_requested",
      turn: "t1",
      approval: "p1",
      tool_call: "k1",
      input_hash: "0",
      prompt: "Let the agent run this with run_python?",
      risk,
      may_remember: risk !== "exec",
    },
  );
  await paint();
}

describe("an approval", () => {
  test("shows the whole code and is answered once", async () => {
    await open({ code: "import os\nos.remove('x')" }, "exec");
    expect(shown(".streamchat-approval-input")[0]?.textContent).toBe(
      "import os\nos.remove('x')",
    );
    // What runs any code is asked each time.
    expect(
      shown(".streamchat-approval button").map(({ textContent }) => textContent),
    ).toEqual(["Allow", "Edit", "Deny"]);
    press("Allow");
    expect(model.asked).toEqual([
      ["approve", "t1", "p1", { decision: "approved", remember: "once" }],
    ]);
  });

  test("is gone from every seat when one of them has answered", async () => {
    await open({ code: "1" }, "exec");
    model.play({
      type: "tool.approval_resolved",
      turn: "t1",
      approval: "p1",
      tool_call: "k1",
      decision: "denied",
    });
    await paint();
    expect(shown(".streamchat-approval")).toEqual([]);
  });

  test("keeps the focus while it is answered, and hands it to its card", async () => {
    await open({ code: "1" }, "exec");
    const deny = shown(".streamchat-approval button").at(-1);
    deny?.focus();
    model.setRequests([
      { key: "r1", kind: "approve", turn: "t1", text: "p1", status: "sending" },
    ]);
    await paint();
    expect(deny?.getAttribute("aria-disabled")).toBe("true");
    expect(document.activeElement).toBe(deny);
    press("Deny");
    expect(model.asked).toEqual([]);
    model.play({
      type: "tool.approval_resolved",
      turn: "t1",
      approval: "p1",
      tool_call: "k1",
      decision: "denied",
    });
    await paint();
    expect(document.activeElement).toBe(shown(".streamchat-tool-summary")[0]);
  });

  test("may allow a tool for the whole conversation", async () => {
    await open({ name: "Ada" }, "write");
    press("Allow in this conversation");
    expect(model.asked).toEqual([
      ["approve", "t1", "p1", { decision: "approved", remember: "conversation" }],
    ]);
    press("Deny");
    expect(model.asked[1]).toEqual(["approve", "t1", "p1", { decision: "denied" }]);
  });

  test("takes a changed input, and says when it cannot be read", async () => {
    await open({ name: "Ada" }, "write");
    press("Edit");
    const [field] = shown<HTMLTextAreaElement>(".streamchat-approval-field");
    if (field === undefined) throw new Error("Nothing can be changed.");
    expect(JSON.parse(field.value)).toEqual({ name: "Ada" });
    field.value = "{";
    press("Allow");
    expect(shown(".streamchat-approval-problem")[0]?.textContent).toContain("no JSON");
    expect(model.asked).toEqual([]);
    field.value = '{"name": "Grace"}';
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    expect(shown(".streamchat-approval-problem")).toEqual([]);
    expect(shown(".streamchat-diff-added")[0]?.textContent).toBe('+{"name": "Grace"}');
    press("Allow");
    const editedInput = { name: "Grace" };
    expect(model.asked).toEqual([
      ["approve", "t1", "p1", { decision: "approved", remember: "once", editedInput }],
    ]);
  });

  test("is left as it was when a change is cancelled", async () => {
    await open({ name: "Ada" }, "write");
    press("Edit");
    const [field] = shown<HTMLTextAreaElement>(".streamchat-approval-field");
    if (field === undefined) throw new Error("Nothing can be changed.");
    field.value = "{";
    press("Allow");
    press("Cancel");
    const edits = ".streamchat-approval-field, .streamchat-approval-problem";
    expect(shown(`${edits}, .streamchat-diff`)).toEqual([]);
    expect(
      shown(".streamchat-approval button").map(({ textContent }) => textContent),
    ).toEqual(["Allow", "Allow in this conversation", "Edit", "Deny"]);
    press("Edit");
    expect(JSON.parse(field.value)).toEqual({ name: "Ada" });
    press("Cancel");
    press("Allow");
    expect(model.asked).toEqual([
      ["approve", "t1", "p1", { decision: "approved", remember: "once" }],
    ]);
  });

  test("does not look as if the call ran before it was answered", async () => {
    await open({ code: "1" }, "exec");
    const label = () => shown(".streamchat-tool-label")[0]?.textContent;
    expect(label()).toBe("Wants to use run_python");
    expect(shown(".streamchat-tool .streamchat-spinner")).toEqual([]);
    model.play({
      type: "tool.approval_resolved",
      turn: "t1",
      approval: "p1",
      tool_call: "k1",
      decision: "approved",
    });
    await paint();
    expect(label()).toBe("Using run_python…");
    expect(shown(".streamchat-tool .streamchat-spinner")).toHaveLength(1);
  });

  test("shows what is hidden in the code as what it is", async () => {
    await open({ code: "print('a\u202Eb')<script>" }, "exec");
    const [code] = shown(".streamchat-approval-input");
    expect(code?.querySelector("script")).toBeNull();
    expect(code?.textContent).not.toContain("\u202E");
  });
});

test("a result shows its table, its picture and its text", async () => {
  await open({ code: "1" }, "exec");
  model.play({
    ...toolCompleted("k1", "ok", "one row", 3),
    display: [
      { type: "table", columns: ["<b>n"], rows: [["1"], ["2"]], total_rows: 5 },
      { type: "image", media_type: "image/png", data: "AAAA", alt: "A line" },
      { type: "image", media_type: "image/png", data: "x) url(http://evil" },
      { type: "text", text: "print(1)" },
    ],
  });
  await paint();
  expect(shown("table th")[0]?.textContent).toBe("<b>n");
  expect(shown("table td").map(({ textContent }) => textContent)).toEqual(["1", "2"]);
  expect(shown("figcaption")[0]?.textContent).toBe("2 of 5 rows");
  const pictures = shown<HTMLImageElement>(".streamchat-displays img");
  expect(pictures.map(({ src }) => src)).toEqual(["data:image/png;base64,AAAA"]);
  expect(pictures[0]?.alt).toBe("A line");
  expect(shown(".streamchat-display-text").at(-1)?.textContent).toBe("print(1)");
});
