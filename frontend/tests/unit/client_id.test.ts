import { describe, expect, test } from "vitest";
import { claimClientId, type TabWindow } from "../../src/client_id";
import { MemoryStorage } from "../memory_storage";

/** A tab: its storage outlives its pages. */
class Tab {
  readonly storage = new MemoryStorage();
  page = new EventTarget();

  claim(kind = "page", signal = new AbortController().signal): string {
    const { page, storage } = this;
    const window = {
      addEventListener: page.addEventListener.bind(page),
      sessionStorage: storage,
    };
    return claimClientId(kind, window as unknown as TabWindow, signal);
  }

  reload(): this {
    this.page.dispatchEvent(new Event("pagehide"));
    this.page = new EventTarget();
    return this;
  }
}

describe("a seat's id", () => {
  test("stays the same when its page is reloaded", () => {
    const tab = new Tab();
    const id = tab.claim();

    expect(id).toMatch(/^b_[0-9a-f]{32}$/);
    expect(tab.reload().claim()).toBe(id);
    expect(tab.reload().claim()).toBe(id);
  });

  test("is another one for each seat of a page, in the same order after a reload", () => {
    const tab = new Tab();
    const ids = [tab.claim("widget"), tab.claim("widget"), tab.claim("page")];
    expect(new Set(ids).size).toBe(3);

    tab.reload();

    expect([tab.claim("widget"), tab.claim("widget"), tab.claim("page")]).toEqual(ids);
  });

  test("is another one in a copy of the tab", () => {
    const tab = new Tab();
    const id = tab.claim();
    const copy = new Tab();
    for (const key of tab.storage.keys) {
      copy.storage.setItem(key, tab.storage.getItem(key) ?? "");
    }

    expect(copy.claim()).not.toBe(id);
  });

  test("is free for the next one when its seat ends", () => {
    const tab = new Tab();
    const lifetime = new AbortController();
    const id = tab.claim("widget", lifetime.signal);

    lifetime.abort();

    expect(tab.claim("widget")).toBe(id);
  });

  test("is taken again by a page that comes back as it was", () => {
    const tab = new Tab();
    const id = tab.claim();
    tab.page.dispatchEvent(new Event("pagehide"));
    tab.page.dispatchEvent(new Event("pageshow"));

    expect(tab.claim()).not.toBe(id);
  });

  test("is new each time where nothing can be kept", () => {
    const tab = new Tab();
    tab.storage.room = 0;
    const id = tab.claim();

    expect(tab.reload().claim()).not.toBe(id);
    expect(claimClientId("page", undefined, new AbortController().signal)).toMatch(
      /^b_/,
    );
  });

  test("that somebody else wrote there is not used", () => {
    const tab = new Tab();
    for (const value of ["{", '"b_1"', '["b_1", 2, null]']) {
      tab.storage.setItem("streamchat_nb.clients.page", value);
      expect(tab.claim()).toMatch(/^b_[0-9a-f]{32}$/);
    }
  });
});
