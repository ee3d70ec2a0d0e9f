/** What models do besides prose: citing, own tools, thoughts, data, and their ends. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { formatCost } from "../../src/view/usage_words";
import { recordedLog } from "../logs";
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
  toolRequested,
  turnFinished,
  turnStarts,
  wholeTurn,
} from "../scenes";
import { type ScriptedEvent, ScriptedModel } from "../scripted_model";
import { paint, paintText } from "./painting";

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;
const opened = vi.fn();

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  opened.mockClear();
  view = new ChatView(document.body, model, {
    ...{ signal: lifetime.signal, parts, newConversation: opened },
  });
});

afterEach(() => lifetime.abort());

async function play(...events: ScriptedEvent[]): Promise<void> {
  model.play(...events);
  await paint();
}

function all<Found extends Element = HTMLElement>(selector: string): Found[] {
  return [...view.element.querySelectorAll<Found>(selector)].filter(
    (element) => element.closest("[hidden]") === null,
  );
}

function texts(selector: string): string[] {
  return all(selector).map((element) => element.textContent ?? "");
}

const asked = [asks("u1", "Who was first?"), turnStarts("t1", "u1", false)];
const begins = [...asked, answers("t1", "a1")];

const ADA = "https://example.org/ada";
const PIECES = [
  { type: "text", text: "She wrote it in 1843" },
  {
    type: "text",
    text: ", as *many* say",
    citations: [
      citation(ADA, "Ada Lovelace", "wrote the first program"),
      citation("javascript:alert(1)", "<b>Bad</b>", "never"),
      citation(`${location.origin}/api/shutdown`, "Ours", "shut down"),
    ],
  },
  { type: "text", text: ".\n\nSee `code\u2009[1]`, and [2]." },
  {
    type: "text",
    text: " Again.",
    citations: [citation(ADA, "Ada Lovelace", "of Lovelace")],
  },
];

function citation(url: string, title: string, cited_text: string): object {
  return { type: "web_search_result_location", url, title, cited_text };
}

describe("what an answer cites", () => {
  test("is numbered in one text, with safe links and the words that are cited", async () => {
    await play(...begins, completes("a1", PIECES), turnFinished("t1", "completed"));
    expect(all(".streamchat-markdown")).toHaveLength(1);
    expect(texts(".streamchat-markdown p")).toEqual([
      "She wrote it in 1843, as many say123.",
      "See code[1], and [2]. Again.1",
    ]);
    expect(texts(".streamchat-markdown em")).toEqual(["many"]);
    expect(texts(".streamchat-sources-summary")).toEqual(["3 sources"]);
    const links = all<HTMLAnchorElement>(".streamchat-sources a");
    expect(links.map(({ href }) => href)).toEqual([ADA]);
    expect(links[0]?.rel).toBe("noopener noreferrer");
    expect(view.element.querySelector(".streamchat-sources b")).toBeNull();
    expect(texts(".streamchat-source-quote")).toEqual([
      "wrote the first program",
      "of Lovelace",
      "never",
      "shut down",
    ]);
  });

  test("is found by its number", async () => {
    await play(...begins, completes("a1", PIECES), turnFinished("t1", "completed"));
    const number = all<HTMLButtonElement>(".streamchat-cite")[1];
    expect(number?.getAttribute("aria-label")).toBe("Source 2");
    number?.click();
    expect(all<HTMLDetailsElement>(".streamchat-sources")[0]?.open).toBe(true);
    expect(document.activeElement?.textContent).toContain("Bad");
  });

  test("comes as it is written, and ends as if it had come at once", async () => {
    await play(...begins);
    for (const [at, content] of PIECES.entries()) {
      const block = `b${at}`;
      await play(blockStarts("a1", block, "text"));
      for (const word of content.text.split(/(?= )/)) {
        model.play(delta("a1", block, word));
        await paintText();
        expect(all(".streamchat-markdown")).toHaveLength(1);
      }
      await play({ type: "block.completed", message: "a1", block, content });
    }
    await play(completes("a1", PIECES), turnFinished("t1", "completed"));
    const grown = view.element.querySelector(".streamchat-blocks")?.innerHTML;
    model.replace(...begins, completes("a1", PIECES), turnFinished("t1", "completed"));
    lifetime.abort();
    lifetime = new AbortController();
    view = new ChatView(document.body, model, { signal: lifetime.signal, parts });
    expect(view.element.querySelector(".streamchat-blocks")?.innerHTML).toBe(grown);
  });

  test("of a document names its page", async () => {
    const citations = [
      {
        type: "page_location",
        document_title: "Notes",
        cited_text: "by Ada",
        start_page_number: 3,
        end_page_number: 5,
      },
    ];
    await play(...begins, completes("a1", [{ type: "text", text: "So.", citations }]));
    expect(texts(".streamchat-source")).toEqual(["Notespages 3–4by Ada"]);
  });
});

describe("a tool of the endpoint", () => {
  const use = {
    type: "provider",
    data: {
      type: "server_tool_use",
      id: "s1",
      name: "web_search",
      input: { query: "Ada" },
    },
  };
  const result = {
    type: "provider",
    data: { type: "web_search_tool_result", tool_use_id: "s1", content: [] },
  };

  test("is a card with the links that it found", async () => {
    await play(...begins, blockStarts("a1", "b0", "server_tool"));
    const query = { query: "Ada" };
    await play(
      { type: "block.completed", message: "a1", block: "b0", content: use },
      {
        ...toolRequested("a1", "b0", "s1", "web_search", query, "t1"),
        where: "provider",
      },
    );
    expect(texts(".streamchat-tool-label")).toEqual(["Using web_search…"]);
    const actions = [
      { kind: "link", label: "Ada Lovelace", href: ADA },
      { kind: "link", label: "Bad", href: "javascript:alert(1)" },
      { kind: "button", label: "Send", send: "rm" },
    ];
    await play(
      { ...toolCompleted("s1", "ok", `Ada Lovelace\n${ADA}`, 120), actions },
      completes("a1", [use, result, textContent("Found.")]),
      turnFinished("t1", "completed"),
    );
    expect(texts(".streamchat-tool-label")).toEqual(["Used web_search"]);
    const card = all<HTMLDetailsElement>(".streamchat-tool")[0];
    if (card === undefined) throw new Error("There is no card.");
    card.open = true;
    card.dispatchEvent(new Event("toggle"));
    const found = [...card.querySelectorAll("a")].map(({ href }) => href);
    expect(found).toEqual([ADA]);
    expect(card.querySelector("button")).toBeNull();
    // Its result is on the card, not a second time under it.
    expect(texts(".streamchat-details")).toEqual([]);
  });

  test("of a kind that is not known is folded, as it is", async () => {
    const data = { type: "future_tool_result", note: "<img src=x onerror=alert(1)>" };
    await play(
      ...begins,
      completes("a1", [{ type: "provider", data }, textContent("Done.")]),
    );
    const [details] = all<HTMLDetailsElement>(".streamchat-details");
    expect(details?.open).toBe(false);
    expect(details?.textContent).toContain("future tool result");
    expect(details?.textContent).toContain("<img src=x");
    expect(view.element.querySelector("img")).toBeNull();
  });

  test("whose call nobody told of is folded when the message is whole", async () => {
    model.play(...(recordedLog("all_blocks").events as unknown as ScriptedEvent[]));
    await paint();
    expect(texts(".streamchat-tool")).toEqual([]);
    expect(texts(".streamchat-details")[0]).toContain("server tool use");
  });
});

describe("thoughts", () => {
  test("that are thought are said to be so once", async () => {
    const labels = (): string[] =>
      texts(".streamchat-status-label").filter((label) => label !== "");
    await play(...begins, status("t1", "thinking", "Agent is thinking…"));
    expect(labels()).toEqual(["Agent is thinking"]);
    await play(blockStarts("a1", "b0", "thinking"));
    expect(texts(".streamchat-thought-title")).toEqual(["Thinking…"]);
    expect(labels()).toEqual([]);
    const content = { type: "thinking", thinking: "First, look." };
    await play({ type: "block.completed", message: "a1", block: "b0", content });
    expect(labels()).toEqual(["Agent is thinking"]);
  });

  test("between tool calls are folded where they were thought", async () => {
    await play(...begins, blockStarts("a1", "b0", "thinking"));
    await play(delta("a1", "b0", "First, ", "thinking"));
    expect(texts(".streamchat-thought-title")).toEqual(["Thinking…"]);
    const use = { type: "tool_use", id: "k1", name: "look", input: {} };
    await play(
      completes("a1", [{ type: "thinking", thinking: "First, look." }, use]),
      toolRequested("a1", "b1", "k1", "look", {}, "t1"),
      toolCompleted("k1", "ok", "7", 3),
      answers("t1", "a2"),
      completes("a2", [{ type: "thinking", thinking: "It is 7." }, textContent("7")]),
      turnFinished("t1", "completed"),
    );
    const order = all(
      ".streamchat-thought-title, .streamchat-tool-label, .streamchat-markdown",
    ).map(({ textContent }) => textContent);
    const thought = "Thought about it";
    expect(order).toEqual([thought, "Used look", thought, "7"]);
    const [first] = all<HTMLDetailsElement>(".streamchat-thought");
    if (first === undefined) throw new Error("There is no thought.");
    expect(first.open).toBe(false);
    first.open = true;
    first.dispatchEvent(new Event("toggle"));
    expect(texts(".streamchat-thought-text")[0]).toBe("First, look.");
  });

  test("that are encrypted are said to be", async () => {
    const data = { type: "redacted_thinking", data: "c2VjcmV0" };
    await play(...begins, completes("a1", [{ type: "provider", data }]));
    expect(texts(".streamchat-redacted")[0]).toContain("encrypted");
    expect(view.element.textContent).not.toContain("c2VjcmV0");
  });
});

describe("how an answer ends", () => {
  const ending = (stop_reason: string, status = "completed", more: object = {}) => [
    ...begins,
    completes("a1", [textContent("So far")], { stop_reason }),
    turnFinished("t1", status, { stop_reason, ...more }),
  ];

  test("cut for length is said, and can be continued", async () => {
    await play(...ending("max_tokens"));
    expect(texts(".streamchat-notice-what")[0]).toContain("greatest length");
    all<HTMLButtonElement>(".streamchat-notice button")[0]?.click();
    expect(model.asked).toEqual([["send", "Please continue where you stopped."]]);
  });

  test.each([
    ["refusal", "declined", "Put it differently"],
    ["model_context_window_exceeded", "longer than", "new conversation"],
  ])("by %s is said with what to do", async (reason, what, todo) => {
    await play(...ending(reason));
    expect(texts(".streamchat-notice-what")[0]).toContain(what);
    expect(texts(".streamchat-notice-detail")[0]).toContain(todo);
  });

  test.each(["end_turn", "pause_turn", "stop_sequence"])(
    "by %s is nothing to speak of",
    async (reason) => {
      await play(...ending(reason));
      expect(texts(".streamchat-notice-what")).toEqual([]);
    },
  );

  test("at its ceiling is said with the server's way out", async () => {
    const message = "The ceiling of $0.10 is reached. Start a new conversation.";
    const error = { code: "budget_reached", message };
    await play(...ending("budget_reached", "failed", { error }));
    expect(texts(".streamchat-notice-what")[0]).toContain("ceiling");
    expect(texts(".streamchat-notice-detail")).toEqual([message]);
    const [fresh, ...others] = all<HTMLButtonElement>(".streamchat-notice button");
    expect([fresh?.textContent, others]).toEqual(["New conversation", []]);
    fresh?.click();
    expect(opened).toHaveBeenCalledOnce();
  });

  test("before its first word by a ceiling does not say that there is an answer", async () => {
    const error = { code: "budget_reached", message: "It is reached." };
    await play(...begins.slice(0, 2));
    await play(turnFinished("t1", "failed", { error }));
    const what = "This was not answered: the ceiling of tokens or money is reached.";
    expect(texts(".streamchat-notice-what")).toEqual([what]);
    expect(texts(".streamchat-announcer p").at(-1)).toBe(what);
  });

  test.each([
    ["output_unsupported", false, []],
    ["model_request_too_large", false, ["New conversation"]],
    ["agent_absent", false, ["Continue", "Ask again"]],
    ["model_not_found", false, ["Continue", "Ask again"]],
    ["model_overloaded", true, ["Continue", "Ask again"]],
  ])("by %s offers what can help: %j", async (code, retryable, expected) => {
    const error = { code, message: "So it is.", retryable };
    await play(...ending("", "failed", { error }));
    expect(texts(".streamchat-notice-remedies button")).toEqual(expected);
  });

  test("by a conversation that is too long offers another one", async () => {
    await play(...ending("model_context_window_exceeded"));
    expect(texts(".streamchat-notice-remedies button")).toEqual(["New conversation"]);
  });

  test("where data was wanted is asked again, not continued", async () => {
    const error = {
      code: "output_invalid",
      message: "No such shape.",
      retryable: true,
    };
    const asked = { ...asks("u1", "As data"), output_schema: { type: "object" } };
    const [, ...rest] = ending("", "failed", { error });
    await play(asked, ...rest);
    expect(texts(".streamchat-notice-remedies button")).toEqual(["Ask again"]);
  });
});

test("a message that a ceiling refused is answered in a new conversation only", async () => {
  const message = {
    client_message_id: "w_1",
    content: [{ type: "text", text: "More" }] as const,
    status: "failed" as const,
  };
  const shown = () =>
    all<HTMLButtonElement>(".streamchat-user-remedies button").filter(
      ({ hidden }) => !hidden,
    );
  const labels = () => shown().map(({ textContent }) => textContent);
  model.setOutbox([{ ...message, error: { code: "queue_full", message: "Later." } }]);
  await paint();
  expect(labels()).toEqual(["Send again", "Discard"]);
  const error = { code: "budget_reached", message: "The ceiling is reached." };
  model.setOutbox([{ ...message, error }]);
  await paint();
  expect(labels()).toEqual(["New conversation", "Discard"]);
  shown()[0]?.click();
  expect(opened).toHaveBeenCalledOnce();
});

describe("what an answer used", () => {
  const usage = { input_tokens: 1_000, output_tokens: 234, cache_read_input_tokens: 9 };

  test("is folded under it, and its cost is an estimate", async () => {
    const turn = wholeTurn(1, "Hi", "Hello").slice(0, -1);
    await play(...turn, turnFinished("t1", "completed", { usage, cost: 0.0123 }));
    const [summary] = texts(".streamchat-usage-summary");
    expect(summary).toMatch(/^1,243 tokens · \$0\.01 \(estimated\) · 0\.\d s$/);
    expect(all<HTMLDetailsElement>(".streamchat-usage")[0]?.open).toBe(false);
    expect(texts(".streamchat-usage dd").slice(0, 3)).toEqual(["1,009", "9", "234"]);
  });

  test.each([
    [0, "$0"],
    [0.00001, "less than $0.0001"],
    [0.004, "$0.0040"],
    [0.0045, "$0.0045"],
    [0.00996, "$0.01"],
    [0.0123, "$0.01"],
    [0.1, "$0.10"],
    [12.345, "$12.35"],
  ])("of %d dollars is written as %s", (dollars, expected) => {
    expect(formatCost(dollars)).toBe(expected);
  });

  test("at a price that nobody knows is said to be", async () => {
    await play(
      ...begins,
      completes("a1", [textContent("Hello")]),
      turnFinished("t1", "completed", { usage }),
    );
    expect(texts(".streamchat-usage-summary")[0]).toContain("unknown price");
  });

  test("of a demo has no price to know", async () => {
    const turn = wholeTurn(1, "Hi", "Hello").slice(0, -1);
    await play(...turn, turnFinished("t1", "completed", { usage }));
    expect(texts(".streamchat-usage-summary")[0]).not.toContain("price");
  });

  test("is not there where nothing was counted", async () => {
    await play(...wholeTurn(1, "Hi", "Hello"));
    expect(texts(".streamchat-usage")).toEqual([]);
  });
});

test("who answers is said where it is another one than before", async () => {
  await play(...wholeTurn(1, "Hi", "Hello"), ...wholeTurn(2, "And?", "Then"));
  expect(texts(".streamchat-answered-by")).toEqual([]);
  await play(asks("u3", "Plan"), {
    ...turnStarts("t3", "u3"),
    agent: "planner",
    model: "m\u202E2",
  });
  expect(texts(".streamchat-answered-by")).toEqual(["Answered by planner · m2"]);
});

describe("an answer that is data", () => {
  const output_schema = { type: "object" };
  const wanted = [
    { ...asks("u1", "Contacts as data"), output_schema },
    turnStarts("t1", "u1"),
    answers("t1", "a1"),
  ];
  const data = {
    count: 2,
    contacts: [
      { name: "Ada <b>", born: 1815 },
      { name: "Grace\u202E", born: null },
    ],
    tags: { deep: { deeper: { deepest: [1] } } },
  };

  test("is a tree with tables, once it is whole", async () => {
    const text = JSON.stringify(data);
    await play(...wanted, blockStarts("a1", "b0", "text"));
    await play(delta("a1", "b0", text.slice(0, 30)));
    expect(texts(".streamchat-data pre")).toEqual([text.slice(0, 30)]);
    expect(texts(".streamchat-markdown")).toEqual([]);
    await play(completes("a1", [textContent(text)]), turnFinished("t1", "completed"));
    expect(texts(".streamchat-data pre")).toEqual([]);
    expect(texts(".streamchat-data th")).toEqual(["name", "born"]);
    expect(texts(".streamchat-data td")[0]).toBe("Ada <b>");
    expect(texts(".streamchat-data dt").slice(0, 3)).toEqual([
      "count",
      "contacts",
      "tags",
    ]);
    expect(view.element.querySelector(".streamchat-data b")).toBeNull();
    expect(
      all(".streamchat-data .streamchat-hidden-mark, .streamchat-data td")[3]
        ?.textContent,
    ).not.toContain("\u202E");
  });

  test("that was cut stays as it came", async () => {
    await play(
      ...wanted,
      completes("a1", [textContent('{"count": ')], { stop_reason: "max_tokens" }),
      turnFinished("t1", "completed", { stop_reason: "max_tokens" }),
    );
    expect(texts(".streamchat-data pre")).toEqual(['{"count": ']);
    expect(texts(".streamchat-notice-what")[0]).toContain("greatest length");
  });

  test("was not asked for is prose", async () => {
    await play(...begins, completes("a1", [textContent('{"a": 1}')]));
    expect(texts(".streamchat-data")).toEqual([]);
    expect(texts(".streamchat-markdown")).toEqual(['{"a": 1}']);
  });
});
