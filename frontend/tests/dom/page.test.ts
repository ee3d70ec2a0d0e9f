import { expect, test, vi } from "vitest";
import { servePage } from "./local_page";

const page = servePage({ staysOpen: true }); // a page ends with its window

async function saw(text: string): Promise<void> {
  await vi.waitFor(() => expect(document.body.textContent).toContain(text), 5_000);
}

test("the page shows the conversation of its address, or makes one for the first message", async () => {
  document.title = "streamchat";
  history.replaceState(null, "", "/base/streamchat?token=t0&x=1#not/an id");

  await import("../../src/page");
  expect(location.search).toBe("?x=1");
  await saw("Ready");
  expect(page.server.requests).not.toContain("POST conversations");
  const field = document.activeElement as HTMLTextAreaElement;
  expect(field.tagName).toBe("TEXTAREA");

  field.value = "Hello";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await saw("All that was seen.");
  expect(location.hash).toBe("#c_1");

  page.server.append({ type: "conversation.updated", title: "Ada" });
  await vi.waitFor(() => expect(document.title).toBe("Ada · streamchat"));

  location.hash = "#c_9";
  await vi.waitFor(() => expect(document.title).toBe("streamchat"));
  expect(document.querySelectorAll("section")).toHaveLength(1);
  await vi.waitUntil(() => page.server.readers === 1); // of the conversation it has now

  location.hash = "#c_1";
  await vi.waitFor(() => expect(document.title).toBe("Ada · streamchat"));
  const made = page.server.requests.filter((r) => r === "POST conversations");
  expect(made).toHaveLength(1);

  const turn = "t2";
  page.server.append({ type: "turn.started", message: "q1", agent: "a", turn });
  const error = { code: "budget_reached", message: "It is reached." };
  page.server.append({ type: "turn.finished", turn, status: "failed", error });
  await saw("It is reached.");
  const buttons = [...document.querySelectorAll("button")];
  buttons.find(({ textContent }) => textContent === "New conversation")?.click();
  await vi.waitFor(() => expect(document.title).toBe("streamchat"));
  await saw("Ready");
  expect(location.hash).toBe("");
  expect((document.activeElement as HTMLElement).tagName).toBe("TEXTAREA");
});
