import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { contentOf } from "../../src/content";
import { ChatView } from "../../src/view/chat";
import type { ChatViewOptions } from "../../src/view/types";
import { loadedParts } from "../parts";
import {
  answers,
  asks,
  blockStarts,
  completes,
  delta,
  status,
  textContent,
  toolCompleted,
  toolContent,
  toolProgress,
  toolRequested,
  toolStarted,
  turnFinished,
  turnStarts,
  wholeTurn,
} from "../scenes";
import { LIVE, ScriptedModel } from "../scripted_model";
import { paint, paintText } from "./painting";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

function open(options: Partial<ChatViewOptions> = {}): void {
  view = new ChatView(document.body, model, {
    signal: lifetime.signal,
    parts,
    ...options,
  });
}

function find<Found extends HTMLElement>(selector: string): Found {
  const found = view.element.querySelector<Found>(selector);
  if (found === null) throw new Error(`There is no ${selector}.`);
  return found;
}

function findAll(selector: string): HTMLElement[] {
  return [...view.element.querySelectorAll<HTMLElement>(selector)];
}

/** Texts of what can be seen of the elements. */
function texts(selector: string): string[] {
  return findAll(selector)
    .filter((element) => element.closest("[hidden]") === null)
    .map((element) => element.textContent ?? "");
}

function announced(): string[] {
  return texts(".streamchat-announcer p");
}

function press(
  target: HTMLElement,
  key: string,
  more: KeyboardEventInit = {},
): boolean {
  const init = { key, bubbles: true, cancelable: true, ...more };
  return target.dispatchEvent(new KeyboardEvent("keydown", init));
}

function type(text: string): HTMLTextAreaElement {
  const field = find<HTMLTextAreaElement>("textarea");
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  return field;
}

const thinking = [
  asks("u1", "Who is Ada?"),
  turnStarts("t1", "u1"),
  status("t1", "thinking", "Agent is thinking…"),
];
const usingTool = [
  answers("t1", "a1"),
  blockStarts("a1", "b0", "text"),
  delta("a1", "b0", "Let me look."),
  blockStarts("a1", "b1", "tool_use"),
  completes("a1", [
    textContent("Let me look."),
    toolContent("k1", "search_contacts", { query: "Ada" }),
  ]),
  toolRequested("a1", "b1", "k1", "search_contacts", { query: "Ada" }, "t1"),
  status("t1", "using_tool", "Using search_contacts…"),
  toolStarted("k1"),
];

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
});

afterEach(() => lifetime.abort());

describe("a turn", () => {
  test("begins with the reader's bubble and what the agent does", async () => {
    open();
    expect(texts(".streamchat-empty-title")).toHaveLength(1);
    model.play(...thinking);
    await paint();
    expect(texts(".streamchat-user-bubble")).toEqual(["Who is Ada?"]);
    expect(texts(".streamchat-status-label")).toEqual(["Agent is thinking"]);
    expect(find(".streamchat-answer").dataset["state"]).toBe("running");
    expect(texts(".streamchat-empty-title")).toEqual([]);
  });

  test("shows text as it comes, in the same elements", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(delta("a1", "b0", "Ada is "));
    await paint();
    const paragraph = find(".streamchat-markdown p");
    expect(paragraph.textContent).toBe("Ada is");
    model.play(delta("a1", "b0", "**a contact**"), delta("a1", "b0", "."));
    await paintText();
    expect(find(".streamchat-markdown p")).toBe(paragraph);
    expect(paragraph.innerHTML).toBe("Ada is <strong>a contact</strong>.");
  });

  test("keeps its elements when it becomes final, and is solid then", async () => {
    open();
    model.play(...thinking, ...usingTool, toolCompleted("k1", "ok", "[]", 400));
    model.play(answers("t1", "a2"), blockStarts("a2", "b7", "text"));
    model.play(delta("a2", "b7", "Ada is a contact."));
    await paintText();
    const kept = findAll(
      ".streamchat-markdown p, .streamchat-tool, .streamchat-answer",
    );
    model.play(completes("a2", [textContent("Ada is a contact.")]));
    model.play(turnFinished("t1", "completed"));
    await paint();
    expect(
      findAll(".streamchat-markdown p, .streamchat-tool, .streamchat-answer"),
    ).toEqual(kept);
    expect(find(".streamchat-answer").dataset["state"]).toBe("completed");
    expect(texts(".streamchat-status")).toEqual([]);
  });

  test("with several messages is one answer", async () => {
    open();
    model.play(...thinking, ...usingTool, toolCompleted("k1", "ok", "[]", 4));
    model.play(answers("t1", "a2"), blockStarts("a2", "b0", "text"));
    model.play(
      completes("a2", [textContent("Found.")]),
      turnFinished("t1", "completed"),
    );
    await paint();
    expect(findAll(".streamchat-answer")).toHaveLength(1);
    expect(texts(".streamchat-markdown")).toEqual(["Let me look.", "Found."]);
  });

  test("stands under its question though another question came meanwhile", async () => {
    open();
    model.play(...thinking, asks("u2", "And Bob?"));
    model.play({ type: "turn.queued", turn: "t2", message: "u2" });
    model.play(answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(completes("a1", [textContent("Ada.")]), turnFinished("t1", "completed"));
    await paint();
    const said = () => texts(".streamchat-user-bubble, .streamchat-markdown");
    expect(said()).toEqual(["Who is Ada?", "Ada."]);
    model.play(turnStarts("t2", "u2"));
    await paint();
    expect(said()).toEqual(["Who is Ada?", "Ada.", "And Bob?"]);
  });

  test("that another try replaced shows why, and not its text", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(delta("a1", "b0", "Half of it"));
    model.play({
      type: "message.discarded",
      message: "a1",
      reason: "The stream broke.",
    });
    await paint();
    expect(texts(".streamchat-message-note")).toEqual(["The stream broke."]);
    expect(texts(".streamchat-markdown")).toEqual([]);
  });

  test("cut off by the length limit says so", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    const end = { stop_reason: "max_tokens" };
    model.play(
      completes("a1", [textContent("Long")], end),
      turnFinished("t1", "completed"),
    );
    await paint();
    expect(texts(".streamchat-notice-what")[0]).toContain("greatest length");
  });
});

describe("a tool", () => {
  test("is named while it is used, with its progress", async () => {
    open();
    model.play(...thinking, ...usingTool, toolProgress("k1", "Page 3 of 5", 0.6));
    await paint();
    expect(texts(".streamchat-tool-label")).toEqual(["Using search_contacts…"]);
    expect(texts(".streamchat-tool-brief")).toEqual(["Page 3 of 5"]);
    expect(find<HTMLProgressElement>("progress").value).toBe(0.6);
    expect(findAll(".streamchat-spinner")).toHaveLength(1);
  });

  test("is named as soon as the model has named it", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "tool_use"));
    await paint();
    expect(texts(".streamchat-tool-label")).toEqual(["Preparing a tool…"]);
    const content = toolContent("k1", "search_contacts", {});
    const done = {
      type: "block.completed",
      message: "a1",
      block: "b0",
      kind: "tool_use",
    };
    model.play({ ...done, content });
    await paint();
    expect(texts(".streamchat-tool-label")).toEqual(["Using search_contacts…"]);
  });

  test("that is done says so with its duration, details folded", async () => {
    open();
    model.play(...thinking, ...usingTool);
    model.play(toolCompleted("k1", "ok", '[{"name":"Ada"}]', 412));
    await paint();
    expect(texts(".streamchat-tool-label")).toEqual(["Used search_contacts"]);
    expect(texts(".streamchat-tool-duration")).toEqual(["0.4 s"]);
    expect(findAll(".streamchat-spinner")).toHaveLength(0);
    const card = find<HTMLDetailsElement>(".streamchat-tool");
    expect(card.open).toBe(false);
    expect(texts(".streamchat-tool-text")).toEqual([]);
    card.open = true;
    card.dispatchEvent(new Event("toggle"));
    expect(texts(".streamchat-tool-text")).toEqual(['{\n  "query": "Ada"\n}']);
    expect(texts(".streamchat-json-line")).toEqual(['name"Ada"']);
  });

  test.each([
    ["error", "search_contacts reported an error"],
    ["timeout", "search_contacts took too long"],
    ["denied", "search_contacts was not allowed"],
    ["cancelled", "search_contacts was stopped"],
    ["unknown", "search_contacts may or may not have run"],
  ])("that ended with %s says what happened", async (end, label) => {
    open();
    model.play(
      ...thinking,
      ...usingTool,
      toolCompleted("k1", end, "Locked.\nat line 3", 9),
    );
    await paint();
    expect(texts(".streamchat-tool-label")).toEqual([label]);
    const readable = end === "error" || end === "timeout" || end === "unknown";
    expect(texts(".streamchat-tool-error")).toEqual(readable ? ["Locked."] : []);
  });

  test("that never ended in a turn that did is not left turning", async () => {
    open();
    model.play(...thinking, ...usingTool, turnFinished("t1", "interrupted"));
    await paint();
    expect(findAll(".streamchat-spinner")).toHaveLength(0);
    expect(texts(".streamchat-tool-label")[0]).toContain("may or may not have run");
  });

  test("shows output with markup and escapes as text", async () => {
    open();
    model.play(...thinking, ...usingTool);
    model.play(toolCompleted("k1", "ok", "<img src=x onerror=alert(1)>\u001b[31m", 1));
    await paint();
    const card = find<HTMLDetailsElement>(".streamchat-tool");
    card.open = true;
    card.dispatchEvent(new Event("toggle"));
    expect(texts(".streamchat-tool-text")[1]).toBe("<img src=x onerror=alert(1)>␛[31m");
    expect(view.element.querySelector("img")).toBeNull();
  });
});

describe("actions", () => {
  async function playActions(actions: readonly object[]): Promise<void> {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(completes("a1", [textContent("Done")], { actions }));
    model.play(turnFinished("t1", "completed"));
    await paint();
  }

  test("a link opens elsewhere and says where", async () => {
    await playActions([
      { kind: "link", label: "Profile", href: "https://example.com/ada" },
    ]);
    const link = find<HTMLAnchorElement>("a.streamchat-action");
    expect([link.target, link.rel]).toEqual(["_blank", "noopener noreferrer"]);
    expect(link.textContent).toBe("Profileexample.com");
  });

  test("a button asks for its action", async () => {
    const action = {
      kind: "button",
      label: "Draft a mail…",
      send: "Draft a mail to Ada",
    };
    await playActions([action]);
    find("button.streamchat-action").click();
    expect(model.asked).toEqual([["act", action]]);
  });

  test("links to scripts or to this server are left out", async () => {
    await playActions([
      { kind: "link", label: "a", href: "javascript:alert(1)" },
      { kind: "link", label: "b", href: `${location.origin}/api/shutdown` },
      { kind: "link", label: "c", href: "/api/shutdown" },
      { kind: "link", label: "d" },
      { kind: "button", label: "e" },
    ]);
    expect(texts(".streamchat-action")).toEqual([]);
  });
});

describe("what ends badly", () => {
  test("a failed turn says what happened, what was kept, and can be asked again", async () => {
    open();
    const error = {
      code: "overloaded",
      message: "Too many requests.",
      retryable: true,
    };
    model.play(...thinking, turnFinished("t1", "failed", { error }));
    await paint();
    const notice = find(".streamchat-answer .streamchat-notice");
    expect(notice.dataset["tone"]).toBe("error");
    expect(notice.textContent).toContain("could not be finished");
    expect(notice.textContent).toContain("Too many requests.");
    expect(notice.textContent).toContain("Your message is kept.");
    notice.querySelector("button")?.click();
    expect(model.asked).toEqual([["retry", "t1"]]);
  });

  test("a cancelled turn keeps what was written", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(completes("a1", [textContent("Half")], { partial: true }));
    model.play(turnFinished("t1", "cancelled"));
    await paint();
    expect(texts(".streamchat-markdown")).toEqual(["Half"]);
    expect(texts(".streamchat-notice-what")).toEqual(["This answer was stopped."]);
  });

  const remedies = () => texts(".streamchat-notice-remedies button");
  const half = [
    ...[...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text")],
    completes("a1", [textContent("Half")], { partial: true }),
  ];

  test.each([
    ["interrupted", ["Continue", "Ask again"]],
    ["failed", ["Continue", "Ask again"]],
    ["cancelled", ["Continue", "Ask again"]],
    ["completed", []],
  ])("an answer that is cut off as %s offers %j", async (end, expected) => {
    open();
    model.play(...half, turnFinished("t1", end));
    await paint();
    expect(remedies()).toEqual(expected);
  });

  test("an interrupted turn says what happened and what was kept, and goes on", async () => {
    open();
    model.play(...half, turnFinished("t1", "interrupted"));
    await paint();
    expect(texts(".streamchat-notice-what")).toEqual([
      "The server stopped in the middle of this answer.",
    ]);
    expect(texts(".streamchat-notice-kept")).toEqual([
      "Your message and the answer so far are kept.",
    ]);
    find(".streamchat-notice-remedies button").click();
    expect(model.asked).toEqual([["send", "Please continue where you stopped."]]);
    model.play(...wholeTurn(2, "Please continue where you stopped.", "The rest."));
    await paint();
    expect(remedies()).toEqual(["Ask again"]);
  });

  test("a turn that ended before its first word cannot be continued", async () => {
    open();
    model.play(...thinking, turnFinished("t1", "interrupted"));
    await paint();
    expect(remedies()).toEqual(["Ask again"]);
  });

  test("a turn that made room for the next one says so quietly", async () => {
    open();
    const stop_reason = "superseded";
    model.play(...half, turnFinished("t1", "completed", { stop_reason }));
    await paint();
    expect(texts(".streamchat-notice-what")).toEqual([
      "Went on with the next message.",
    ]);
    expect(find(".streamchat-answer .streamchat-notice").dataset["tone"]).toBe("note");
  });

  test("a connection that is gone is explained, with a way to try now", async () => {
    open();
    const problem = { code: "unreachable", message: "No answer.", retryable: true };
    model.setConnection({
      transport: "offline",
      text: "Offline",
      detail: "Gone.",
      problem,
    });
    await paint();
    const notice = find(".streamchat-bottom .streamchat-notice");
    expect(notice.textContent).toContain("No answer.");
    expect(announced()).toEqual(["The chat cannot reach its server."]);
    notice.querySelector("button")?.click();
    expect(model.asked).toEqual([["reconnect"]]);
    model.setConnection(LIVE);
    await paint();
    expect(notice.hidden).toBe(true);
  });
});

describe("sending", () => {
  test("Enter sends the text and empties the field", () => {
    open();
    const field = type("  Hello\nAda ");
    press(field, "Enter");
    expect(model.asked).toEqual([["send", "Hello\nAda"]]);
    expect(field.value).toBe("");
  });

  test("Shift+Enter and Enter while composing do not send", () => {
    open();
    const field = type("Hello");
    expect(press(field, "Enter", { shiftKey: true })).toBe(true);
    press(field, "Enter", { isComposing: true });
    expect(model.asked).toEqual([]);
  });

  test("nothing but white space cannot be sent", () => {
    open();
    press(type("  \n "), "Enter");
    expect(find<HTMLButtonElement>(".streamchat-send").disabled).toBe(true);
    expect(model.asked).toEqual([]);
  });

  test("a text over the limit stays in the field, with its size", () => {
    model.messageBytesLimit = 10;
    open();
    const field = type("äöüäöü");
    press(field, "Enter");
    expect(model.asked).toEqual([]);
    expect(field.value).toBe("äöüäöü");
    expect(find(".streamchat-hint").textContent).toContain("12 of 10 bytes");
    expect(find(".streamchat-hint").getAttribute("role")).toBe("alert");
    expect(field.getAttribute("aria-invalid")).toBe("true");
    type("äöü");
    expect(find(".streamchat-hint").textContent).not.toContain("bytes");
  });

  test("a message is shown at once, and its echo takes over the bubble", async () => {
    open();
    model.setOutbox([
      {
        client_message_id: "w-u1",
        content: contentOf("Who is Ada?", []),
        status: "sending",
      },
    ]);
    await paint();
    const bubble = find(".streamchat-user");
    expect(bubble.dataset["state"]).toBe("sending");
    model.outbox = [];
    model.play(asks("u1", "Who is Ada?"));
    model.emit({ kind: "outbox" });
    await paint();
    expect(findAll(".streamchat-user")).toEqual([bubble]);
    expect(bubble.dataset["state"]).toBe("sent");
    expect(texts(".streamchat-user-note")).toEqual([]);
  });

  test("a message that was refused can be sent again or dropped", async () => {
    open();
    const error = { code: "rate_limited", message: "Too many." };
    model.setOutbox([
      {
        client_message_id: "w9",
        content: contentOf("Hi", []),
        status: "failed",
        error,
      },
    ]);
    await paint();
    expect(texts(".streamchat-user-note")).toEqual(["Not sent. Too many."]);
    const [again, drop] = findAll(".streamchat-user-remedies button");
    again?.click();
    drop?.click();
    expect(model.asked).toEqual([
      ["resend", "w9"],
      ["discard", "w9"],
    ]);
    model.setOutbox([]);
    await paint();
    expect(findAll(".streamchat-user")).toEqual([]);
  });

  test("user text is never markup", async () => {
    open();
    model.play(asks("u1", "<b>x</b> **y** \u202Ez"));
    await paint();
    expect(find(".streamchat-user-bubble").textContent).toBe(
      "<b>x</b> **y** [1 hidden character]z",
    );
  });
});

describe("stopping", () => {
  test("the stop button is there while a turn runs", async () => {
    open();
    expect(find(".streamchat-stop").hidden).toBe(true);
    model.play(...thinking);
    await paint();
    const stop = find<HTMLButtonElement>(".streamchat-stop");
    expect(stop.hidden).toBe(false);
    expect(find(".streamchat-send").hidden).toBe(true);
    stop.focus();
    stop.click();
    expect(model.asked).toEqual([["cancel"]]);
    model.play(turnFinished("t1", "cancelled"));
    await paint();
    expect(stop.hidden).toBe(true);
    expect(document.activeElement).toBe(find("textarea"));
  });

  test("Escape stops a running turn, and nothing otherwise", async () => {
    open();
    expect(press(find("textarea"), "Escape")).toBe(true);
    model.play(...thinking);
    await paint();
    expect(press(find("textarea"), "Escape")).toBe(false);
    expect(model.asked).toEqual([["cancel"]]);
  });

  test("Escape in the open badge closes it and stops nothing", async () => {
    open();
    model.play(...thinking);
    await paint();
    const badge = findAll(".streamchat-badge").at(-1) as HTMLButtonElement;
    badge.click();
    expect(badge.getAttribute("aria-expanded")).toBe("true");
    press(badge, "Escape");
    expect(badge.getAttribute("aria-expanded")).toBe("false");
    expect(model.asked).toEqual([]);
  });
});

describe("around the chat", () => {
  test("no key event leaves it, and Lumino is told not to look", () => {
    open();
    const seen = vi.fn();
    for (const name of ["keydown", "keyup", "keypress"]) {
      document.body.addEventListener(name, seen, { signal: lifetime.signal });
      const event = new KeyboardEvent(name, { key: "d", bubbles: true });
      find("textarea").dispatchEvent(event);
    }
    expect(seen).not.toHaveBeenCalled();
    expect(view.element.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
  });

  test("the title and the badges say what is so", async () => {
    open();
    expect(find(".streamchat-title").textContent).toBe("New conversation");
    expect(texts(".streamchat-badge-text")).toEqual(["Live"]);
    model.play({ type: "conversation.updated", title: "About Ada" }, ...thinking);
    model.isOffline = true;
    model.setConnection({
      transport: "sse",
      text: "Live (HTTP stream)",
      detail: "A proxy blocks WebSocket.",
    });
    await paint();
    expect(find(".streamchat-title").textContent).toBe("About Ada");
    expect(texts(".streamchat-badge-text")).toEqual([
      "Offline demo",
      "Live (HTTP stream)",
    ]);
    findAll(".streamchat-badge").at(-1)?.click();
    expect(texts(".streamchat-popover-detail")).toEqual(["A proxy blocks WebSocket."]);
  });

  test("the end of its lifetime takes everything away", async () => {
    open();
    model.play(...thinking);
    lifetime.abort();
    await paint();
    expect(document.querySelector(".streamchat")).toBeNull();
    expect(model.listenerCount).toBe(0);
    press(find("textarea"), "Escape");
    expect(model.asked).toEqual([]);
  });
});

describe("announcements", () => {
  test("are sentences, once each, not tokens", async () => {
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    for (const piece of [
      "Ada is",
      " a **contact",
      "**. She",
      " works at",
      " v1.2 Ltd",
    ]) {
      model.play(delta("a1", "b0", piece));
      await paintText();
    }
    expect(announced()).toEqual(["Agent is thinking…", "Ada is a contact."]);
    const text = "Ada is a **contact**. She works at v1.2 Ltd";
    model.play(completes("a1", [textContent(text)]), turnFinished("t1", "completed"));
    await paint();
    expect(announced().slice(2)).toEqual(["She works at v1.2 Ltd", "Answer complete."]);
  });

  test("leave out what was there before the reader came", async () => {
    model.play(...wholeTurn(1, "Q", "Old answer. With sentences."));
    open();
    await paint();
    expect(announced()).toEqual([]);
    model.play(...wholeTurn(2, "Q2", "New answer."));
    await paint();
    expect(announced()).toContain("New answer.");
  });

  test("name a tool that is done", async () => {
    open();
    model.play(...thinking, ...usingTool, toolCompleted("k1", "ok", "[]", 1200));
    await paint();
    expect(announced()).toContain("Used search_contacts, 1.2 s.");
  });
});

describe("a snapshot", () => {
  test("shows the same as the events did", async () => {
    open();
    const events = [
      ...wholeTurn(1, "One?", "- a\n- b"),
      ...[
        asks("u2", "Two?"),
        turnStarts("t2", "u2"),
        status("t2", "thinking", "Agent is thinking…"),
      ],
    ];
    model.play(...events);
    await paint();
    const live = find(".streamchat-transcript").innerHTML;
    model.replace(...events);
    await paint();
    expect(find(".streamchat-transcript").innerHTML).toBe(live);
  });

  test("keeps the elements of what did not change", async () => {
    open();
    const events = wholeTurn(1, "One?", "Answer **one**");
    model.play(...events);
    await paint();
    const kept = findAll(".streamchat-transcript *");
    model.replace(...events);
    await paint();
    expect(findAll(".streamchat-transcript *")).toEqual(kept);
  });

  test("of another conversation replaces everything", async () => {
    open();
    model.play(...wholeTurn(1, "One?", "First"));
    await paint();
    model.replace(...wholeTurn(2, "Two?", "Second"));
    await paint();
    expect(texts(".streamchat-user-bubble")).toEqual(["Two?"]);
    expect(texts(".streamchat-markdown")).toEqual(["Second"]);
  });

  test("in the middle of a text goes on with it", async () => {
    open();
    const start = [...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text")];
    model.play(...start, delta("a1", "b0", "Ada "));
    await paint();
    const paragraph = find(".streamchat-markdown p");
    model.replace(...start, delta("a1", "b0", "Ada is a"));
    model.play(delta("a1", "b0", " contact"));
    await paint();
    expect(find(".streamchat-markdown p")).toBe(paragraph);
    expect(paragraph.textContent).toBe("Ada is a contact");
  });
});

describe("text that comes", () => {
  const written = (): string => find(".streamchat-markdown").textContent ?? "";

  beforeEach(async () => {
    vi.useFakeTimers();
    open();
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    await vi.advanceTimersToNextFrame();
    model.play(delta("a1", "b0", "Ada"));
    await vi.advanceTimersToNextFrame();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test("is there at once, and goes on some twenty times a second", () => {
    expect(written()).toBe("Ada");
    model.play(delta("a1", "b0", " is"));
    vi.advanceTimersToNextFrame();
    model.play(delta("a1", "b0", " a"));
    vi.advanceTimersToNextFrame();
    expect(written()).toBe("Ada");
    vi.advanceTimersByTime(50);
    expect(written()).toBe("Ada is a");
    vi.advanceTimersByTime(50);
    model.play(delta("a1", "b0", " contact"));
    vi.advanceTimersToNextFrame();
    expect(written()).toBe("Ada is a contact");
  });

  test("is painted with anything else that changes", () => {
    model.play(delta("a1", "b0", " is"), status("t1", "responding", "Writing…"));
    vi.advanceTimersToNextFrame();
    expect(written()).toBe("Ada is");
  });

  test("waits for nothing once the chat is gone", () => {
    model.play(delta("a1", "b0", " is"));
    lifetime.abort();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a long conversation", () => {
  const QUESTION = ".streamchat-user";
  const TURNS = 40;
  const soon = { timeout: 30_000 };
  const turn = (number: number) =>
    wholeTurn(number, `Question ${number}`, `Answer ${number}`);
  const whole = Array.from({ length: TURNS }, (_, at) => turn(at + 2)).flat();
  const shown = (): string[] => texts(".streamchat-user-bubble, .streamchat-markdown");
  const all = Array.from({ length: TURNS }, (_, at) => [
    `Question ${at + 2}`,
    `Answer ${at + 2}`,
  ]).flat();

  test("is there from its end on, and all of it in the end", async () => {
    model.play(...whole);
    open();
    expect(shown()).toEqual(all.slice(-60));
    await vi.waitFor(() => expect(findAll(QUESTION)).toHaveLength(TURNS), soon);
    expect(shown()).toEqual(all);
  });

  test("goes on where it was when everything is shown anew", async () => {
    model.play(...whole);
    open();
    const last = findAll(".streamchat-answer").at(-1);
    model.replace(...whole, ...turn(TURNS + 2));
    await paint();
    expect(findAll(".streamchat-answer").at(-2)).toBe(last);
    await vi.waitFor(() => expect(findAll(QUESTION)).toHaveLength(TURNS + 1), soon);
    expect(shown()).toEqual([...all, `Question ${TURNS + 2}`, `Answer ${TURNS + 2}`]);
  });

  test("stays where the reader is while what is above comes", async () => {
    model.play(...whole);
    open();
    const scroller = find(".streamchat-scroller");
    Object.defineProperty(scroller, "clientHeight", { value: 100 });
    Object.defineProperty(scroller, "scrollHeight", {
      get: () => findAll(QUESTION).length * 20,
    });
    scroller.dispatchEvent(new Event("scroll"));
    scroller.scrollTop = 300;
    scroller.dispatchEvent(new Event("scroll"));
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    await vi.waitFor(() => expect(findAll(QUESTION)).toHaveLength(TURNS), soon);
    expect(scroller.scrollHeight - scroller.scrollTop).toBe(fromEnd);
    expect(find(".streamchat-jump").dataset["new"]).toBeUndefined();
  });

  test("is not gone on with once the chat is gone", async () => {
    vi.useFakeTimers();
    model.play(...whole);
    open();
    lifetime.abort();
    vi.runAllTimers();
    vi.useRealTimers();
    expect(shown()).toHaveLength(60);
  });

  test("a token touches its own block and nothing else", async () => {
    open();
    for (let number = 2; number < 52; number++) {
      model.play(...wholeTurn(number, `Question ${number}`, `Answer **${number}**`));
    }
    model.play(...thinking, answers("t1", "a1"), blockStarts("a1", "b0", "text"));
    model.play(delta("a1", "b0", "Word"));
    await paint();
    await vi.waitFor(() => expect(findAll(QUESTION)).toHaveLength(51), soon);
    const lookUps = vi.spyOn(model, "message");
    const touched = new Set<Node>();
    const observer = new MutationObserver((records) => {
      for (const record of records) touched.add(record.target);
    });
    const options = { childList: true, characterData: true, attributes: true };
    observer.observe(view.element, { ...options, subtree: true });
    model.play(delta("a1", "b0", " and more"));
    await paintText();
    await Promise.resolve();
    observer.disconnect();
    const last = findAll(".streamchat-markdown p").at(-1);
    expect([...touched]).toEqual([last?.firstChild]);
    expect(lookUps.mock.calls.length).toBeLessThanOrEqual(2);
  });
});

describe("following the end", () => {
  /** Give the scroller sizes, which jsdom does not. */
  function size(scroller: HTMLElement, scrollHeight: number): void {
    Object.defineProperty(scroller, "scrollHeight", {
      value: scrollHeight,
      configurable: true,
    });
    Object.defineProperty(scroller, "clientHeight", { value: 100, configurable: true });
  }

  test("stops when the reader scrolls up, and starts again by the button", async () => {
    open();
    const scroller = find(".streamchat-scroller");
    const jump = find<HTMLButtonElement>(".streamchat-jump");
    size(scroller, 1000);
    model.play(...thinking);
    await paint();
    expect(scroller.scrollTop).toBe(1000);
    scroller.scrollTop = 300;
    scroller.dispatchEvent(new Event("scroll"));
    expect(jump.hidden).toBe(false);
    size(scroller, 1200);
    model.play(status("t1", "thinking", "Still thinking…"));
    await paint();
    expect(scroller.scrollTop).toBe(300);
    jump.click();
    expect(scroller.scrollTop).toBe(1200);
    expect(jump.hidden).toBe(true);
  });

  test("starts again when the reader sends something", async () => {
    open();
    const scroller = find(".streamchat-scroller");
    size(scroller, 1000);
    scroller.scrollTop = 500;
    scroller.dispatchEvent(new Event("scroll"));
    scroller.scrollTop = 100;
    scroller.dispatchEvent(new Event("scroll"));
    press(type("Hi"), "Enter");
    expect(scroller.scrollTop).toBe(1000);
  });
});
