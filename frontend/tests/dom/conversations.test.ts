import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { ConversationsButton } from "../../src/view/conversations_button";
import { loadedParts } from "../parts";
import { asks } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const parts = await loadedParts();
const NOW = new Date(2026, 5, 15, 12).getTime();
const DAY_MS = 86_400_000;
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;
let opened: string[];

function entry(id: string, days: number, more: object = {}): object {
  const title = `Title ${id}`;
  return {
    ...{ id, title, updated_ms: NOW - days * DAY_MS, pinned: false, archived: false },
    ...{ unread: false, open_turns: 0, marked_title: [title], snippet: [], ...more },
  };
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["setTimeout", "clearTimeout", "Date"] });
  lifetime = new AbortController();
  model = new ScriptedModel();
  opened = [];
  document.body.replaceChildren();
  lists(
    entry("p", 40, { pinned: true }),
    entry("a", 0),
    entry("b", 1),
    entry("d", 6),
    entry("e", 30),
  );
});

afterEach(() => {
  lifetime.abort();
  vi.useRealTimers();
});

function lists(...conversations: object[]): void {
  model.server.answers.set("GET conversations", { conversations, next: null });
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(300);
}

async function open(): Promise<void> {
  model.play({ type: "conversation.created", title: "Shown" }, asks("u1", "Hello"));
  const { signal } = lifetime;
  const button = new ConversationsButton({
    ...{ signal, part: parts.conversations },
    open: (id) => opened.push(id),
  });
  view = new ChatView(document.body, model, { signal, parts, conversations: button });
  button.button.click();
  await settle();
}

function shown<Found extends HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (one) => one.closest("[hidden]") === null,
  );
}

function one<Found extends HTMLElement>(selector: string): Found {
  const [found] = shown<Found>(selector);
  if (found === undefined) throw new Error(`There is no ${selector}.`);
  return found;
}

function titles(): (string | null)[] {
  return shown(".streamchat-conversations-title").map(({ textContent }) => textContent);
}

function row(id: string): HTMLElement {
  const found = shown(".streamchat-conversations-row").find((each) =>
    each.textContent?.includes(`Title ${id}`),
  );
  if (found === undefined) throw new Error(`There is no row ${id}.`);
  return found;
}

function press(key: string, target: Element | null = document.activeElement): void {
  target?.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
  );
}

async function choose(id: string, action: string): Promise<void> {
  row(id).querySelector<HTMLElement>(".streamchat-conversations-menu-button")?.click();
  const item = shown("[role=menuitem]").find((each) => each.textContent === action);
  if (item === undefined) throw new Error(`There is no ${action}.`);
  item.click();
  await settle();
}

const asked = (method: string) =>
  model.server.asked.filter(([name]) => name === method);

describe("the list of conversations", () => {
  test("is in groups by time, the pinned first", async () => {
    await open();
    expect(
      shown(".streamchat-conversations-group-name").map(
        ({ textContent }) => textContent,
      ),
    ).toEqual(["Pinned", "Today", "Yesterday", "Previous 7 days", "Older"]);
    expect(titles()).toEqual(["Title p", "Title a", "Title b", "Title d", "Title e"]);
    expect(asked("GET")[0]?.[1]).toBe("conversations?limit=50&archived=false");
    expect(document.activeElement).toBe(one("input[type=search]"));
  });

  test("marks what is unread and what is answered, and the one that is shown", async () => {
    lists(
      entry("a", 0, { unread: true }),
      entry("b", 0, { unread: true, open_turns: 1 }),
      entry("c", 0, { unread: true }),
    );
    await open();
    const marks = shown(".streamchat-conversations-mark");
    expect(marks.map(({ textContent }) => textContent)).toEqual([
      "unread",
      "answering…",
      "",
    ]);
    expect(
      shown("[aria-current]").map((each) => each.textContent?.startsWith("Title c")),
    ).toEqual([true]);
  });

  test("searches as data, and shows hits without taking them for markup", async () => {
    await open();
    lists(
      entry("a", 0, {
        marked_title: ["Title ", "a", ""],
        snippet: ["…x <b>", "a&b", "</b>"],
      }),
    );
    const search = one<HTMLInputElement>("input[type=search]");
    search.value = "a&b #?";
    search.dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
    expect(asked("GET").at(-1)?.[1]).toBe("conversations?limit=50&q=a%26b%20%23%3F");
    expect(shown("mark").map(({ textContent }) => textContent)).toEqual(["a", "a&b"]);
    expect(one(".streamchat-conversations-snippet").textContent).toBe("…x <b>a&b</b>");
    expect(one(".streamchat-conversations-snippet").querySelector("b")).toBeNull();
    press("Escape");
    lists(entry("a", 0));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(search.value).toBe("");
    expect(shown("mark")).toEqual([]);
    expect(titles()).toEqual(["Title a"]);
  });

  test("opens what is chosen, closes over a cell, and gives the focus back", async () => {
    await open();
    row("b").querySelector("button")?.click();
    expect(opened).toEqual(["b"]);
    expect(shown(".streamchat-conversations")).toEqual([]);
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Conversations");
    expect(document.activeElement?.getAttribute("aria-expanded")).toBe("false");
  });

  test("is gone through by keys", async () => {
    await open();
    press("ArrowDown");
    expect(document.activeElement?.textContent).toBe("Title p");
    press("ArrowDown");
    press("End");
    expect(document.activeElement?.textContent).toBe("Title e");
    press("Home");
    press("ArrowUp");
    expect(document.activeElement).toBe(one("input[type=search]"));
    press("Escape");
    expect(shown(".streamchat-conversations")).toEqual([]);
  });

  test("renames in place by F2, and not on Escape", async () => {
    model.server.answers.set("PATCH conversations/a", {});
    await open();
    row("a").querySelector("button")?.focus();
    press("F2");
    let field = one<HTMLInputElement>(".streamchat-conversations-field");
    field.value = "Never";
    press("Escape");
    expect(shown(".streamchat-conversations")).toHaveLength(1);
    press("F2");
    field = one<HTMLInputElement>(".streamchat-conversations-field");
    expect(field.value).toBe("Title a");
    field.value = " Renamed ";
    press("Enter");
    await settle();
    expect(asked("PATCH")).toEqual([
      ["PATCH", "conversations/a", { title: "Renamed" }],
    ]);
  });

  test("says why nothing is exported where only the kernel reaches the server", async () => {
    model.server.isInReach = false;
    await open();
    row("a").querySelector<HTMLElement>("[aria-haspopup=menu]")?.click();
    expect(shown("a[role=menuitem]")).toEqual([]);
    expect(one(".streamchat-conversations-menu-note").textContent).toContain(
      "Only the kernel reaches the server",
    );
  });

  test("pins and archives by the menu, which closes by Escape", async () => {
    model.server.answers.set("PATCH conversations/a", {});
    await open();
    const menu = row("a").querySelector<HTMLElement>("[aria-haspopup=menu]");
    menu?.click();
    expect(menu?.getAttribute("aria-expanded")).toBe("true");
    const links = shown<HTMLAnchorElement>("a[role=menuitem]").map(({ href }) => href);
    expect(links[0]).toBe("http://localhost/streamchat/#a");
    expect(links[1]).toBe(
      "http://localhost/streamchat/api/conversations/a/export?format=md",
    );
    press("ArrowDown");
    expect(document.activeElement?.textContent).toBe("Pin");
    press("Escape");
    expect(document.activeElement).toBe(menu);
    await choose("a", "Pin");
    await choose("a", "Archive");
    expect(asked("PATCH")).toEqual([
      ["PATCH", "conversations/a", { pinned: true }],
      ["PATCH", "conversations/a", { archived: true }],
    ]);
    expect(one(".streamchat-conversations-notice").textContent).toContain("Title a");
  });

  test("deletes by a key and undoes it", async () => {
    model.server.answers.set("DELETE conversations/a", {});
    model.server.answers.set("POST conversations/a/restore", {});
    await open();
    row("a").querySelector("button")?.focus();
    lists(entry("b", 1));
    press("Delete");
    await settle();
    expect(titles()).toEqual(["Title b"]);
    expect(document.activeElement?.textContent).toBe("Title b");
    const notice = one(".streamchat-conversations-notice");
    expect(notice.getAttribute("role")).toBe("status");
    lists(entry("a", 0), entry("b", 1));
    notice.querySelector("button")?.click();
    expect(document.activeElement).toBe(one("input[type=search]"));
    await settle();
    expect(asked("DELETE")).toEqual([["DELETE", "conversations/a"]]);
    expect(asked("POST").at(-1)).toEqual(["POST", "conversations/a/restore", {}]);
    expect(titles()).toEqual(["Title a", "Title b"]);
    expect(shown(".streamchat-conversations-notice")).toEqual([]);
    expect(opened).toEqual([]);
  });

  test("goes on in a new conversation when the one that is shown was deleted", async () => {
    lists(entry("c", 0));
    model.server.answers.set("DELETE conversations/c", {});
    await open();
    lists();
    await choose("c", "Delete");
    expect(opened).toEqual([""]);
  });

  test("restores from the trash", async () => {
    model.server.answers.set("POST conversations/t/restore", {});
    await open();
    lists(entry("t", 0));
    shown<HTMLButtonElement>(".streamchat-conversations-shelves button")[1]?.click();
    await settle();
    expect(asked("GET").at(-1)?.[1]).toBe("conversations?limit=50&deleted=true");
    row("t").querySelector<HTMLElement>("[aria-haspopup=menu]")?.click();
    expect(shown("[role=menuitem]").map(({ textContent }) => textContent)).toEqual([
      "Restore",
      "Delete for good",
    ]);
    press("Escape");
    row("t").querySelector("button")?.click();
    await settle();
    expect(opened).toEqual(["t"]);
  });

  test("says what went wrong, and changes nothing", async () => {
    await open();
    model.server.answers.set("DELETE conversations/a", {
      ...{ code: "store_unavailable", message: "Nothing can be saved now." },
    });
    await choose("a", "Delete");
    expect(one(".streamchat-conversations-notice span").textContent).toBe(
      "Nothing can be saved now.",
    );
    expect(titles()).toContain("Title a");
    expect(opened).toEqual([]);
  });

  test("is asked for less and less while nothing changes, and never when closed", async () => {
    await open();
    const before = asked("GET").length;
    await vi.advanceTimersByTimeAsync(600_000);
    const calls = asked("GET").length - before;
    expect(calls).toBeGreaterThan(8);
    expect(calls).toBeLessThan(20);
    press("Escape", one("input[type=search]"));
    const closed = asked("GET").length;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(asked("GET")).toHaveLength(closed);
  });
});
