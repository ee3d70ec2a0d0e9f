import { afterEach, beforeEach, describe, expect, test } from "vitest";
import "./browser_parts";
import { contentOf } from "../../src/content";
import { ChatView } from "../../src/view/chat";
import type { OutgoingRequest } from "../../src/view/types";
import { loadedParts } from "../parts";
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

/** Let the frame that was asked for be painted. */
async function paint(): Promise<void> {
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

async function open(): Promise<void> {
  view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
  await paint();
}

function findAll<Found extends HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

function texts(selector: string): string[] {
  return findAll(selector).map((element) => element.textContent ?? "");
}

/** The button of a message that waits. */
function button(label: string, about: string): HTMLButtonElement {
  const found = findAll<HTMLButtonElement>(".streamchat-queue button").find(
    (one) => one.getAttribute("aria-label") === `${label}: ${about}`,
  );
  if (found === undefined) throw new Error(`There is no ${label} for ${about}.`);
  return found;
}

function editor(): HTMLTextAreaElement {
  const [field] = findAll<HTMLTextAreaElement>(".streamchat-queued-field");
  if (field === undefined) throw new Error("Nothing is being changed.");
  return field;
}

function composer(): HTMLTextAreaElement {
  return findAll<HTMLTextAreaElement>(".streamchat-field")[0] as HTMLTextAreaElement;
}

function type(field: HTMLTextAreaElement, text: string): void {
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

function press(field: HTMLElement, key: string): void {
  const init = { key, bubbles: true, cancelable: true };
  field.dispatchEvent(new KeyboardEvent("keydown", init));
}

/** A turn that waits, with its message. */
function queued(number: number, text: string) {
  const [turn, message] = [`t${number}`, `u${number}`];
  return [asks(message, text), { type: "turn.queued", turn, message }];
}

const waiting = () => texts(".streamchat-queued-text");
const said = () => texts(".streamchat-user-bubble, .streamchat-markdown");
const notes = () => texts(".streamchat-queued-note").filter((note) => note !== "");

function request(
  kind: OutgoingRequest["kind"],
  more: Partial<OutgoingRequest> = {},
): OutgoingRequest {
  return { key: "r1", kind, turn: "t2", text: "", status: "sending", ...more };
}

const running = [asks("u1", "One?"), turnStarts("t1", "u1")];

describe("messages that wait", () => {
  test("are listed in running order, and not in the conversation", async () => {
    model.play(...running, ...queued(2, "Two?"), ...queued(3, "Three?"));
    await open();
    expect(waiting()).toEqual(["Two?", "Three?"]);
    expect(texts(".streamchat-queue-title")).toEqual(["2 wait"]);
    expect(said()).toEqual(["One?"]);

    model.play({ type: "turn.queued", turn: "t3", message: "u3", ahead: true });
    await paint();
    expect(waiting()).toEqual(["Three?", "Two?"]);
  });

  test("go into the conversation when their turn starts, in that order", async () => {
    model.play(...running, ...queued(2, "Two?"), ...queued(3, "Three?"));
    model.play({ type: "turn.queued", turn: "t3", message: "u3", ahead: true });
    await open();
    model.play(answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(completes("a1", [textContent("First.")]));
    model.play(turnFinished("t1", "completed"), turnStarts("t3", "u3"));
    await paint();
    expect(waiting()).toEqual(["Two?"]);
    expect(said()).toEqual(["One?", "First.", "Three?"]);

    model.play(turnFinished("t3", "completed"), turnStarts("t2", "u2"));
    await paint();
    expect(waiting()).toEqual([]);
    expect(findAll(".streamchat-queue")).toEqual([]);
    expect(said()).toEqual(["One?", "First.", "Three?", "Two?"]);
  });

  test("show at once what is sent while a turn runs, and once", async () => {
    model.play(...running);
    await open();
    model.setOutbox([
      { client_message_id: "w-u2", content: contentOf("Two?", []), status: "sending" },
    ]);
    await paint();
    expect(waiting()).toEqual(["Two?"]);
    expect(notes()).toEqual(["Sending…"]);
    expect(said()).toEqual(["One?"]);

    const [asked, queue] = queued(2, "Two?");
    model.outbox = [];
    model.play({ ...asked, turn: "t2" } as never);
    await paint();
    expect(said()).toEqual(["One?"]); // its turn comes with the next event
    model.play(queue as never);
    await paint();
    expect(waiting()).toEqual(["Two?"]);
    expect(notes()).toEqual([]);
  });

  test("are announced as they come and go", async () => {
    model.play(...running);
    await open();
    model.play(...queued(2, "Two?"));
    await paint();
    model.play(turnFinished("t2", "cancelled", { stop_reason: "removed" }));
    await paint();
    expect(texts(".streamchat-announcer p")).toEqual([
      "1 message waits for the answer.",
      "No message waits.",
    ]);
  });
});

describe("a message that waits", () => {
  beforeEach(async () => {
    model.play(...running, ...queued(2, "Two?"), ...queued(3, "Three?"));
    await open();
  });

  test("can be sent now or removed, by buttons that say what they are about", () => {
    button("Send now", "Three?").click();
    button("Remove", "Two?").click();
    expect(model.asked).toEqual([
      ["sendNow", "t3"],
      ["remove", "t2"],
    ]);
    expect(button("Send now", "Three?").title).toContain("next step with a tool");
  });

  test("says what was asked of it and is not done yet", async () => {
    model.setRequests([request("send_now")]);
    await paint();
    expect(notes()).toEqual(["Goes next…"]);
    model.setRequests([request("edit", { text: "Two!" })]);
    await paint();
    expect(notes()).toEqual(["Saving…"]);
    expect(waiting()).toEqual(["Two!", "Three?"]);
  });

  test("is changed in place: Enter saves", async () => {
    button("Edit", "Two?").click();
    expect(document.activeElement).toBe(editor());
    expect(editor().value).toBe("Two?");
    type(editor(), "Two, changed?");
    expect(model.draft("t2")).toBe("Two, changed?");
    press(editor(), "Enter");
    expect(model.asked).toEqual([["edit", "t2", "Two, changed?"]]);
    expect(document.activeElement).toBe(button("Edit", "Two?"));
  });

  test("is left as it was by Escape, which stops nothing then", () => {
    button("Edit", "Two?").click();
    type(editor(), "Two, changed?");
    press(editor(), "Escape");
    expect(model.asked).toEqual([]);
    expect(waiting()).toEqual(["Two?", "Three?"]);
    expect(model.draft("t2")).toBe("");
  });

  test("is not changed to nothing, to the same or to too much", () => {
    button("Edit", "Two?").click();
    type(editor(), "  ");
    press(editor(), "Enter");
    type(editor(), "x".repeat(70_000));
    press(editor(), "Enter");
    expect(notes()[0]).toContain("70,000 of 65,536 bytes");
    type(editor(), "Two?");
    press(editor(), "Enter");
    expect(model.asked).toEqual([]);
  });

  test("shows what another seat made of it, also to who changes it now", async () => {
    const edited = { type: "message.edited", content: [textContent("Changed")] };
    model.play({ ...edited, message: "u3" });
    await paint();
    expect(waiting()).toEqual(["Two?", "Changed"]);

    button("Edit", "Two?").click();
    type(editor(), "Mine");
    model.play({ ...edited, message: "u2" });
    await paint();
    expect(editor().value).toBe("Mine");
    expect(notes()).toEqual(["Changed by somebody else meanwhile: Changed"]);
  });

  test("that is answered while it is changed gives the text to the field", async () => {
    button("Edit", "Two?").click();
    type(editor(), "Two, changed?");
    type(composer(), "A draft");
    model.play(turnFinished("t1", "completed"), turnStarts("t2", "u2"));
    await paint();
    expect(composer().value).toBe("Two, changed?\n\nA draft");
    expect(document.activeElement).toBe(composer());
    expect(texts(".streamchat-hint")[0]).toContain("It is being answered already.");
    expect(said()).toEqual(["One?", "Two?"]);
    expect([model.draft("t2"), model.draft()]).toEqual(["", composer().value]);
  });

  test("that is removed while it is changed gives the text to the field", async () => {
    button("Edit", "Two?").click();
    type(editor(), "Two, changed?");
    model.play(turnFinished("t2", "cancelled", { stop_reason: "removed" }));
    await paint();
    expect(composer().value).toBe("Two, changed?");
    expect(texts(".streamchat-hint")[0]).toContain("It was taken out of the queue.");
  });

  test("whose change came too late gives the text to the field", async () => {
    const error = { code: "not_queued", message: "It is being answered already." };
    model.play(turnFinished("t1", "completed"), turnStarts("t2", "u2"));
    model.setRequests([request("edit", { text: "Late", status: "failed", error })]);
    await paint();
    expect(composer().value).toBe("Late");
    expect(model.requests).toEqual([]);
  });

  test("whose change arrived after all gives nothing back", async () => {
    const error = { code: "not_queued", message: "It is being answered already." };
    model.play({
      ...{ type: "message.edited", message: "u2" },
      content: [textContent("Late")],
    });
    model.play(turnFinished("t1", "completed"), turnStarts("t2", "u2"));
    model.setRequests([request("edit", { text: "Late", status: "failed", error })]);
    await paint();
    expect(composer().value).toBe("");
    expect(model.requests).toEqual([]);
  });

  test("whose change is refused is open again, with the text and the reason", async () => {
    const error = { code: "rate_limited", message: "Too many requests." };
    model.setRequests([request("edit", { text: "Mine", status: "failed", error })]);
    await paint();
    expect(editor().value).toBe("Mine");
    expect(notes()).toEqual(["Not changed. Too many requests."]);
    expect(model.requests).toEqual([]);
  });

  test("that goes keeps no focus from the reader", async () => {
    button("Remove", "Two?").focus();
    model.play(turnFinished("t2", "cancelled", { stop_reason: "removed" }));
    await paint();
    expect(document.activeElement).toBe(composer());
  });

  test("that moves keeps the focus", async () => {
    button("Send now", "Three?").focus();
    model.play({ type: "turn.queued", turn: "t3", message: "u3", ahead: true });
    await paint();
    expect(document.activeElement).toBe(button("Send now", "Three?"));
  });
});

describe("a message that is over without an answer", () => {
  const ends = [
    ["cancelled", { stop_reason: "removed" }, null],
    ["cancelled", {}, "Stopped before it was answered."],
    ["cancelled", { stop_reason: "no_subscribers" }, "Nobody was here any more"],
    ["interrupted", {}, "The server stopped before it answered this."],
  ] as const;

  test.each(ends)("as %s %j says: %s", async (status, more, note) => {
    model.play(...running, ...queued(2, "Two?"));
    model.play(turnFinished("t2", status, more));
    await open();
    expect(said()).toEqual(note === null ? ["One?"] : ["One?", "Two?"]);
    const notices = texts(".streamchat-answer .streamchat-notice");
    expect(notices).toHaveLength(note === null ? 0 : 1);
    if (note !== null) {
      expect(notices[0]).toContain(note);
      findAll<HTMLButtonElement>(".streamchat-notice-remedies button")[0]?.click();
      expect(model.asked).toEqual([["retry", "t2"]]);
    }
  });

  test("does not hide that the turn before it runs", async () => {
    model.play(...running, ...queued(2, "Two?"), turnFinished("t2", "cancelled"));
    await open();
    press(composer(), "Escape");
    expect(model.asked).toEqual([["cancel"]]);
  });
});

describe("what was being typed when the page ended", () => {
  test("is in the field again", async () => {
    model.drafts.set("", "A draft");
    await open();
    expect(composer().value).toBe("A draft");
    press(composer(), "Enter");
    expect(model.asked).toEqual([["send", "A draft"]]);
    expect(model.draft()).toBe("");
  });

  test("for a message that waits is in its place again", async () => {
    model.drafts.set("t2", "Mine");
    model.play(...running, ...queued(2, "Two?"));
    await open();
    expect(editor().value).toBe("Mine");
  });

  test("for a message that was answered meanwhile is in the field", async () => {
    model.drafts.set("t1", "Mine");
    await open();
    expect(composer().value).toBe(""); // nothing is known of the turn yet
    model.replace(...running);
    await paint();
    expect(composer().value).toBe("Mine");
  });
});

describe("seats", () => {
  const seat = { user: "Ada", name: "", kind: "page", isThis: false } as const;

  test("are a quiet number, of two or more", async () => {
    await open();
    const badges = () => texts(".streamchat-badge-text");
    model.setPresence({ seats: [{ ...seat, isThis: true }], count: 1 });
    await paint();
    expect(badges()).toEqual(["Live"]);

    const others = { ...seat, name: "My notebook", kind: "kernel" } as const;
    model.setPresence({ seats: [{ ...seat, isThis: true }, others], count: 5 });
    await paint();
    expect(badges()).toEqual(["5 here", "Live"]);
    findAll<HTMLButtonElement>(".streamchat-badge")[0]?.click();
    expect(texts(".streamchat-seats li")).toEqual([
      "Ada · Chat page this one",
      "Ada · My notebook",
      "and 3 more",
    ]);
  });
});
