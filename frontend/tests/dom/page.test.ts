import { expect, test, vi } from "vitest";
import { servePage } from "./local_page";

const { server: _ } = servePage();

async function saw(text: string): Promise<void> {
  await vi.waitFor(() => expect(document.body.textContent).toContain(text), 5_000);
}

test("the page makes a conversation, names it in its address and its title", async () => {
  document.title = "streamchat";
  history.replaceState(null, "", "/base/streamchat?token=t0&x=1");

  await import("../../src/page");
  expect(location.search).toBe("?x=1");
  await saw("Live over WebSocket");
  expect(location.hash).toBe("#c_1");
});
