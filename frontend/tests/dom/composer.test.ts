/** Writing by keys alone: commands, earlier messages, drafts, and the list of keys. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { keepingPlacesOf } from "../../src/kept_texts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import { answers, asks, delta, turnStarts, wholeTurn } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;
const begun = vi.fn();

// jsdom has dialogs that cannot be shown, and no clipboard.
HTMLDialogElement.prototype.showModal ??= function (this: HTMLDialogElement) {
  this.open = true;
};
HTMLDialogElement.prototype.close ??= function (this: HTMLDialogElement) {
  this.open = false;
  this.dispatchEvent(new Event("close"));
};
const copied = vi.fn(async (_: string) => undefined);
Object.defineProperty(navigator, "clipboard", { value: { writeText: copied } });

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  begun.mockClear();
  copied.mockClear();
  document.body.replaceChildren();
});

afterEach(() => lifetime.abort());

async function open(): Promise<void> {
  view = new ChatView(document.body, model, {
    ...{ signal: lifetime.signal, parts, newConversation: begun },
  });
  view.focus();
  await settle();
}

/** Let answers come, and the frame that was asked for be painted. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

function all<Found extends HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

const texts = (selector: string) => all(selector).map((one) => one.textContent);
const field = () =>
  all<HTMLTextAreaElement>(".streamchat-field")[0] as never as HTMLTextAreaElement;
const hint = () => texts(".streamchat-hint")[0];
const offered = () => texts(".streamchat-completion-option .streamchat-chip-name");
const sent = () => model.asked.filter(([what]) => what === "send");

function type(text: string, caret = text.length): void {
  field().value = text;
  field().setSelectionRange(caret, caret);
  field().dispatchEvent(new InputEvent("input", { bubbles: true }));
}

/** Press a key where the focus is, written as in the table of keys. */
function press(keys: string): KeyboardEvent {
  const names = keys.split("+");
  const event = new KeyboardEvent("keydown", {
    key: names.at(-1) ?? "",
    ctrlKey: names.includes("Mod"),
    altKey: names.includes("Alt"),
    shiftKey: names.includes("Shift"),
    ...{ bubbles: true, cancelable: true },
  });
  (document.activeElement ?? document.body).dispatchEvent(event);
  return event;
}

const dialog = () => all<HTMLDialogElement>("dialog")[0];

describe("commands", () => {
  test("are offered after a slash, found by some of their letters, chosen by keys", async () => {
    await open();
    type("/");
    expect(offered()).toContain("/help");
    expect(offered()[0]).toBe("/new");
    type("/stg");
    expect(offered()).toEqual(["/settings"]);
    type("/clea");
    expect(offered()).toEqual(["/new"]);
    const id = field().getAttribute("aria-activedescendant");
    expect(view.element.querySelector(`[id="${id}"]`)?.textContent).toContain("/new");
    expect(press("Enter").defaultPrevented).toBe(true);

    expect([begun.mock.calls.length, field().value, sent()]).toEqual([1, "", []]);
  });

  test("are chosen by a touch", async () => {
    await open();
    type("/");
    all<HTMLElement>(".streamchat-completion-option")[0]?.click();

    expect([begun.mock.calls.length, field().value]).toEqual([1, ""]);
  });

  test("run when they are written out, and their list was turned down", async () => {
    model.play(asks("u1", "One?"), turnStarts("t1", "u1"));
    await open();
    type("/stop");
    press("Escape");
    expect(model.asked).toEqual([]);
    press("Enter");

    expect([model.asked, field().value]).toEqual([[["cancel"]], ""]);
  });

  test("that do not exist, and texts that only begin like one, are sent", async () => {
    await open();
    for (const text of [
      "/demo long 30",
      "/usr/bin",
      "/stop the press",
      "/new\nthing",
    ]) {
      type(text);
      press("Enter");
    }
    type(" /new");
    press("Enter");

    expect(sent()).toEqual([
      ["send", "/demo long 30"],
      ["send", "/usr/bin"],
      ["send", "/stop the press"],
      ["send", "/new\nthing"],
      ["send", "/new"],
    ]);
    expect(begun).not.toHaveBeenCalled();
  });

  test("without what they need stay, and say so", async () => {
    await open();
    type("/rename");
    press("Escape");
    press("Enter");
    expect([hint(), field().value]).toEqual([
      "Write what it is to be after /rename.",
      "/rename",
    ]);
    model.server.answers.set("PATCH conversations/c", {});
    type("/rename Ada's letters");
    press("Enter");
    await settle();

    const asked = ["PATCH", "conversations/c", { title: "Ada's letters" }];
    expect(model.server.asked).toContainEqual(asked);
    expect([hint(), field().value]).toEqual(["Renamed.", ""]);
  });

  test("offer what may follow them", async () => {
    const models = [
      { id: "small", default: true },
      { id: "large", efforts: ["low", "high"] },
    ];
    model.server.answers.set("GET models", { models });
    model.server.answers.set("PATCH conversations/c", {});
    await open();
    type("/mod");
    press("Tab");
    await settle();
    expect([field().value, offered()]).toEqual(["/model ", ["small", "large"]]);
    type("/model lg");
    await settle();
    press("Enter");
    await settle();

    const body = { settings: { model: "large" } };
    expect(model.server.asked).toContainEqual(["PATCH", "conversations/c", body]);
    expect([hint(), field().value]).toEqual([
      "Saved. It counts from the next turn.",
      "",
    ]);
  });

  test("of an agent are offered and sent as they are", async () => {
    const commands = [{ name: "demo", description: "Shows a fault" }];
    const agents = [{ name: "offline", default: true, commands }];
    model.server.answers.set("GET agents", { agents });
    await open();
    type("/");
    await settle();
    expect(offered()).toContain("/demo");
    type("/dem");
    press("Enter");
    expect([field().value, sent()]).toEqual(["/demo ", []]);
    type("/demo");
    press("Enter");

    expect(sent()).toEqual([["send", "/demo"]]);
  });

  test("ask the last message of the branch again, but not while it is answered", async () => {
    model.play(...wholeTurn(1, "First?", "1"));
    await open();
    type("/regenerate");
    press("Enter");
    model.play(asks("u2", "Long?"), turnStarts("t2", "u2"));
    type("/again");
    press("Enter");

    expect(model.asked).toEqual([["regenerate", "u1"]]);
    expect(hint()).toBe("An answer is being written: stop it first.");
  });

  test("save the conversation as a file of a kind that there is", async () => {
    const saved: string[] = [];
    const click = vi.spyOn(HTMLAnchorElement.prototype, "click");
    click.mockImplementation(function (this: HTMLAnchorElement) {
      saved.push(this.href);
    });
    await open();
    type("/export md");
    press("Escape");
    press("Enter");
    expect(hint()).toBe("There is nothing to save yet.");
    model.play({ type: "conversation.created", title: "" });
    type("/exp");
    press("Enter");
    await settle();
    expect(offered()).toEqual(["md", "html", "ipynb", "json"]);
    type("/export nb");
    await settle();
    press("Enter");
    type("/export pdf");
    await settle();
    press("Enter");
    const refused = hint();
    model.server.isInReach = false;
    type("/export md");
    press("Escape");
    press("Enter");
    click.mockRestore();

    expect(saved).toEqual([
      "http://localhost/streamchat/api/conversations/c/export?format=ipynb",
    ]);
    expect([refused, field().value]).toEqual([
      "Choose one of md, html, ipynb, json.",
      "",
    ]);
    expect(hint()).toContain("Only the kernel reaches the server");
  });

  test("open the settings, the check and the list of keys", async () => {
    await open();
    type("/settings");
    press("Enter");
    expect(all('[role="dialog"]')).toHaveLength(1);
    press("Escape");
    view.focus();
    type("/help");
    press("Enter");
    expect(dialog()?.open).toBe(true);
    expect(texts("dialog kbd")).toContain("Ctrl+Enter");
    expect(texts("dialog kbd")).toContain("/rename");
    dialog()?.close();
    expect(dialog()).toBeUndefined();
  });

  test("may be gone through in their list as in the field", async () => {
    await open();
    type("/");
    const [list] = all<HTMLElement>('[role="listbox"]');
    list?.focus();
    press("ArrowDown");
    const active = document.getElementById(
      list?.getAttribute("aria-activedescendant") ?? "",
    );
    expect(active?.getAttribute("aria-selected")).toBe("true");
    expect(active).toBe(list?.children[1]);
    press("Escape");
    expect([offered(), document.activeElement]).toEqual([[], field()]);
    type("/s");
    list?.focus();
    list?.blur();
    expect(offered()).toEqual([]);
  });

  test("that are sent before their code is there wait for it", async () => {
    view = new ChatView(document.body, model, {
      ...{ signal: lifetime.signal, parts: await loadedParts() },
    });
    view.element.remove();
    const { Parts } = await import("../../src/view/part");
    const { loadFromSources } = await import("../parts");
    let come: (isThere: boolean) => void = () => undefined;
    const late = new Parts(async (name) => {
      if (!(await new Promise<boolean>((resolve) => (come = resolve))))
        throw new TypeError("Failed to fetch");
      return await loadFromSources(name);
    });
    view = new ChatView(document.body, model, {
      ...{ signal: lifetime.signal, parts: late, newConversation: begun },
    });
    view.focus();
    type("/new");
    press("Enter");
    expect([begun.mock.calls.length, sent()]).toEqual([0, []]);
    come(true);
    await settle();

    expect([begun.mock.calls.length, sent(), field().value]).toEqual([1, [], ""]);
  });
});

describe("earlier messages", () => {
  beforeEach(async () => {
    model.play(...wholeTurn(1, "First?", "1"), ...wholeTurn(2, "Second?", "2"));
    await open();
  });

  test("come by the arrow up, and the draft comes back by the arrow down", () => {
    type("Begun", 0);
    press("ArrowUp");
    expect(field().value).toBe("Second?");
    press("ArrowUp");
    expect(field().value).toBe("First?");
    expect(press("ArrowUp").defaultPrevented).toBe(false);
    press("ArrowDown");
    press("ArrowDown");
    expect(field().value).toBe("Begun");

    expect(press("ArrowDown").defaultPrevented).toBe(false);
  });

  test("do not come from within a text, nor while something is selected", () => {
    type("Two\nlines", 5);
    expect(press("ArrowUp").defaultPrevented).toBe(false);
    field().setSelectionRange(0, 3);
    expect(press("ArrowUp").defaultPrevented).toBe(false);
    field().setSelectionRange(0, 0);
    expect(press("Shift+ArrowUp").defaultPrevented).toBe(false);

    expect(field().value).toBe("Two\nlines");
  });

  test("that are changed stay changed on the way back", () => {
    press("ArrowUp");
    type("Second, again?", 0);
    press("ArrowUp");
    expect(field().value).toBe("First?");
    press("ArrowDown");
    expect(field().value).toBe("Second, again?");
    press("Enter");
    expect(sent()).toEqual([["send", "Second, again?"]]);
    expect(field().value).toBe("");
  });

  test("leave what was begun where it was, also over a reload and after they are sent", () => {
    type("Begun", 0);
    press("ArrowUp");
    expect(model.draft()).toBe("Begun");
    type("Second, changed?");
    expect(model.draft()).toBe("Second, changed?");
    press("Enter");

    expect([sent(), field().value, model.draft()]).toEqual([
      [["send", "Second, changed?"]],
      "Begun",
      "Begun",
    ]);
  });
});

describe("a character that is being composed", () => {
  test("is neither sent nor a command nor a way to earlier messages", async () => {
    model.play(...wholeTurn(1, "First?", "1"));
    await open();
    type("/n");
    for (const key of ["Enter", "ArrowUp", "Escape"]) {
      const init = { key, isComposing: true, bubbles: true, cancelable: true };
      const event = new KeyboardEvent("keydown", init);
      field().dispatchEvent(event);
      expect(event.defaultPrevented).toBe(false);
    }
    const ending = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    field().dispatchEvent(new KeyboardEvent("keydown", ending));

    expect([field().value, sent(), begun.mock.calls]).toEqual(["/n", [], []]);
  });
});

describe("a text that is pasted", () => {
  async function paste(text: string): Promise<ClipboardEvent> {
    const event = new Event("paste", { bubbles: true, cancelable: true });
    const types = ["text/plain", "text/html"];
    Object.assign(event, {
      clipboardData: { types, files: [], getData: () => text },
    });
    field().dispatchEvent(event);
    await settle();
    return event as ClipboardEvent;
  }

  test("goes into the field as it is, a table with its tabs", async () => {
    await open();
    expect((await paste("a\tb\n1\t2")).defaultPrevented).toBe(false);
    expect(all(".streamchat-chip")).toEqual([]);
  });

  test("is attached where it is too long for a message", async () => {
    model.messageBytesLimit = 100;
    const block = {
      type: "document",
      artifact: "p",
      media_type: "text/plain",
    } as const;
    model.uploads.set("pasted.txt", Promise.resolve({ block }));
    await open();
    type("Read this:");
    expect((await paste("é".repeat(60))).defaultPrevented).toBe(true);
    expect(hint()).toContain("what was pasted is attached");
    press("Enter");

    expect(sent()).toEqual([["send", "Read this:", block]]);
  });
});

describe("keys", () => {
  beforeEach(async () => {
    model.play(...wholeTurn(1, "First?", "One, `1`."));
    model.play(...wholeTurn(2, "Code?", "So:\n\n```python\nprint(2)\n```\n"));
    await open();
  });

  const focused = () => document.activeElement?.textContent ?? "";

  test("go from message to message and back to the field", () => {
    press("Alt+ArrowUp");
    expect(focused()).toContain("print(2)");
    press("k");
    expect(focused()).toContain("Code?");
    press("k");
    press("k");
    press("k");
    expect(focused()).toContain("First?");
    press("j");
    expect(focused()).toContain("One, 1.");
    press("j");
    press("Alt+ArrowDown");
    press("j");

    expect(document.activeElement).toBe(field());
  });

  test("that are characters are left to the field", () => {
    for (const key of ["j", "k", "c", "x", "/", "?"])
      expect(press(key).defaultPrevented).toBe(false);
    expect(dialog()).toBeUndefined();
  });

  test("copy the last answer, the one that has the focus, and code", async () => {
    press("Mod+Shift+C");
    await settle();
    press("Mod+Shift+X");
    await settle();
    press("Alt+ArrowUp");
    press("k");
    press("k");
    press("c");
    await settle();
    expect(copied.mock.calls.map(([text]) => text)).toEqual([
      "So:\n\n```python\nprint(2)\n```\n",
      "print(2)",
      "One, `1`.",
    ]);
    expect(hint()).toBe("Copied");
  });

  test("show the list of keys, begin anew, open the settings, and go to the field", () => {
    press("Mod+/");
    expect(dialog()?.open).toBe(true);
    dialog()?.close();
    press("Mod+Shift+O");
    expect(begun).toHaveBeenCalledTimes(1);
    press("Mod+,");
    expect(all('[role="dialog"]')).toHaveLength(1);
    press("Escape");
    expect(all('[role="dialog"]')).toHaveLength(0);
    press("?");
    expect(dialog()?.open).toBe(true);
    dialog()?.close();
    press("/");
    expect(document.activeElement).toBe(field());
  });

  test("stay with JupyterLab outside of the chat, and none of the chat's go there", () => {
    const around = vi.fn();
    document.addEventListener("keydown", around, { signal: lifetime.signal });
    const outside = document.body.appendChild(document.createElement("button"));
    outside.focus();
    for (const key of ["Mod+/", "j", "?", "Mod+Shift+C", "Alt+ArrowUp", "Escape"])
      expect(press(key).defaultPrevented).toBe(false);
    expect(around).toHaveBeenCalledTimes(6);
    view.focus();
    press("Mod+/");
    expect(around).toHaveBeenCalledTimes(6);
  });

  test("stop the answer from anywhere in the chat", async () => {
    model.play(asks("u3", "Long?"), turnStarts("t3", "u3"));
    await settle();
    press("Alt+ArrowUp");
    press("Escape");
    expect(model.asked).toEqual([["cancel"]]);
  });
});

test("what is written keeps the focus, the text and the caret while an answer streams", async () => {
  model.play(asks("u1", "One?"), turnStarts("t1", "u1"), answers("t1", "a1"));
  await open();
  type("Half a sent", 4);
  model.play(delta("a1", "b0", "Hello"));
  model.emit({ kind: "reset" });
  await settle();

  expect(document.activeElement).toBe(field());
  expect([field().value, field().selectionStart]).toEqual(["Half a sent", 4]);
});

test("a key reads no layout, also while something is offered", async () => {
  model.play(...wholeTurn(1, "First?", "1"));
  await open();
  const reads = [
    vi.spyOn(Element.prototype, "scrollHeight", "get"),
    vi.spyOn(Element.prototype, "scrollTop", "get"),
    vi.spyOn(Element.prototype, "clientHeight", "get"),
    vi.spyOn(HTMLElement.prototype, "offsetHeight", "get"),
    vi.spyOn(Element.prototype, "getBoundingClientRect"),
    vi.spyOn(globalThis, "getComputedStyle"),
  ];
  const text = "/model and more, @df, and so on";
  for (let end = 1; end <= text.length; end += 1) type(text.slice(0, end));
  press("ArrowUp");
  await settle();
  const counts = reads.map(({ mock }) => mock.calls.length);
  vi.restoreAllMocks();

  expect(counts).toEqual([0, 0, 0, 0, 0, 0]);
});

test("drafts are those of their conversation and their tab", async () => {
  const { KeptTexts } = await import("../../src/kept_texts");
  const places = keepingPlacesOf(window);
  const one = new KeptTexts("one", places);
  const two = new KeptTexts("two", places);
  const file = { type: "document", artifact: "f", media_type: "text/plain" } as const;
  one.keepDraft("To one");
  one.keepAttachments([file]);
  two.keepDraft("To two");
  const again = new KeptTexts("one", places);
  const otherTab = new KeptTexts("one", { ...places, thisTab: null });

  expect([again.draft(), again.attachments]).toEqual(["To one", [file]]);
  expect([two.draft(), two.attachments]).toEqual(["To two", []]);
  expect([otherTab.draft(), otherTab.attachments]).toEqual(["", []]);
});
