import { beforeEach, describe, expect, test } from "vitest";
import { contentOf, writtenText } from "../../src/content";
import { KeptTexts, keepingPlacesOf } from "../../src/kept_texts";
import type { OutgoingMessage } from "../../src/view/types";
import { MemoryStorage } from "../memory_storage";

const DAY_MS = 86_400_000;

let allTabs: MemoryStorage;
let thisTab: MemoryStorage;
let now: number;

beforeEach(() => {
  allTabs = new MemoryStorage();
  thisTab = new MemoryStorage();
  now = 1_800_000_000_000;
});

function open(conversation: string | null = "c_1", tab = thisTab): KeptTexts {
  return new KeptTexts(conversation, { allTabs, thisTab: tab }, () => now);
}

function outgoing(text: string, problem?: string): OutgoingMessage {
  const error = problem === undefined ? null : { code: "x", message: problem };
  const status = error === null ? "sending" : "failed";
  return {
    client_message_id: `w_${text}`,
    content: contentOf(text, []),
    status,
    error,
  };
}

const texts = (kept: KeptTexts) =>
  kept.messages.map(({ content }) => writtenText(content));

describe("messages on their way", () => {
  test("are there after a reload, in order, until they leave the outbox", () => {
    const page = open();
    page.keepMessages([outgoing("a")]);
    now += 1;
    page.keepMessages([outgoing("a"), outgoing("b")]);
    expect(open().messages).toEqual([
      { clientMessageId: "w_a", content: contentOf("a", []), problem: null },
      { clientMessageId: "w_b", content: contentOf("b", []), problem: null },
    ]);

    open().keepMessages([outgoing("b")]);

    expect(texts(open())).toEqual(["b"]);
  });

  test("keep the shape that their answer is to have, and why they were refused", () => {
    const output_schema = { type: "object" };
    open().keepMessages([{ ...outgoing("a", "No."), output_schema }]);

    expect(open().messages).toMatchObject([
      { output_schema, problem: { code: "x", message: "No." } },
    ]);
  });

  test("belong to their conversation", () => {
    open("c_1").keepMessages([outgoing("a")]);
    open("c_10").keepMessages([outgoing("b")]);

    expect(texts(open("c_1"))).toEqual(["a"]);
  });

  test("of two tabs do not take each other's place", () => {
    const one = open();
    const other = open("c_1", new MemoryStorage());
    one.keepMessages([outgoing("a")]);
    other.keepMessages([outgoing("b")]);
    expect(texts(open())).toEqual(["a", "b"]);

    one.keepMessages([]);

    expect(texts(open())).toEqual(["b"]);
  });

  test("of a page without a conversation stay in their tab, and go with it", () => {
    const page = open(null);
    page.keepMessages([outgoing("a")]);
    page.keepDraft("draft");
    expect(texts(open(null))).toEqual(["a"]);
    expect(texts(open(null, new MemoryStorage()))).toEqual([]);

    page.begin("c_7");

    expect(texts(open(null))).toEqual([]);
    expect(texts(open("c_7", new MemoryStorage()))).toEqual(["a"]);
    expect([open(null).draft(), open("c_7").draft()]).toEqual(["", "draft"]);
    page.keepMessages([]);
    expect(allTabs.keys).toEqual([]);
  });

  test("that were refused are not sent by themselves", () => {
    open().keepMessages([outgoing("a", "Too many.")]);

    expect(open().messages[0]?.problem?.message).toBe("Too many.");
  });

  test("that somebody sends again are sent again after a reload", () => {
    const page = open();
    page.keepMessages([outgoing("a", "Too many.")]);
    page.keepMessages([outgoing("a")]);

    expect(open().messages[0]?.problem).toBeNull();
  });

  test("are offered after a week, and forgotten after a month", () => {
    open().keepMessages([outgoing("a")]);
    now += 7 * DAY_MS;
    expect(open().messages[0]?.problem).toBeNull();

    now += DAY_MS;
    expect(open().messages[0]?.problem?.message).toBe("You wrote it 8 days ago.");

    now += 23 * DAY_MS;
    open("c_2"); // whichever conversation is opened next
    expect(allTabs.keys).toEqual([]);
  });

  test("are bounded in number and size", () => {
    const many = Array.from({ length: 70 }, (_, at) => outgoing(`${at}`));
    open().keepMessages(many);
    expect(open().messages).toHaveLength(64);

    open("c_2").keepMessages([outgoing("x".repeat(300_000)), outgoing("b")]);
    expect(texts(open("c_2"))).toEqual(["b"]);
  });

  test("beside which somebody else wrote nonsense are read all the same", () => {
    open().keepMessages([outgoing("a")]);
    for (const value of ["{", "null", "[]", '{"content":[1],"at":2}']) {
      allTabs.setItem("streamchat_nb.message/c_1/w_x", value);
      expect(texts(open())).toEqual(["a"]);
    }
    allTabs.setItem("jupyterlab", "{");
    open();
    expect(allTabs.keys).toContain("jupyterlab");
  });
});

describe("drafts", () => {
  test("belong to their conversation, tab and turn", () => {
    const page = open();
    page.keepDraft("new");
    page.keepDraft("changed", "t1");

    expect([open().draft(), open().draft("t1")]).toEqual(["new", "changed"]);
    expect(open().draftTurns).toEqual(["t1"]);
    expect(open("c_2").draft()).toBe("");
    expect(open("c_1", new MemoryStorage()).draft()).toBe("");
    page.keepDraft("");
    page.keepDraft("", "t1");
    expect(thisTab.keys).toEqual([]);
  });
});

describe("what is attached to a new message", () => {
  const data = { type: "data", name: "df", text: "df: 2 rows" } as const;

  test("is kept as it is, and goes with its page", () => {
    const page = open(null);
    page.keepAttachments([data]);
    expect(open(null).attachments).toEqual([data]);

    page.begin("c_7");

    expect([open(null).attachments, open("c_7").attachments]).toEqual([[], [data]]);
    open("c_7").keepAttachments([]);
    expect(thisTab.keys).toEqual([]);
  });

  test("beside which somebody else wrote nonsense is left out", () => {
    const key = "streamchat_nb.attachments/c_1";
    for (const value of ["{", "null", "7", '[null,1,{"type":"text"}]']) {
      thisTab.setItem(key, value);
      expect(open().attachments).toEqual([]);
    }
  });
});

describe("a browser", () => {
  test("without room keeps what fits, and nothing fails", () => {
    allTabs.room = 240;
    thisTab.room = 0;
    const page = open();
    page.keepMessages([outgoing("a"), outgoing("x".repeat(200))]);
    page.keepDraft("draft");

    expect(texts(open())).toEqual(["a"]);
    expect(open().draft()).toBe("");
  });

  test("that forbids storage keeps nothing, and nothing fails", () => {
    const window = {
      get localStorage(): Storage {
        throw new DOMException("blocked", "SecurityError");
      },
      get sessionStorage(): Storage {
        throw new DOMException("blocked", "SecurityError");
      },
    } as unknown as Window;
    const page = new KeptTexts("c_1", keepingPlacesOf(window));

    page.keepMessages([outgoing("a")]);
    page.keepDraft("draft");
    page.begin("c_2");

    expect([page.messages, page.draft(), page.draftTurns]).toMatchObject([
      [{ content: contentOf("a", []) }],
      "",
      [],
    ]);
  });
});
