/** Every failure of a turn says what happened, what was kept, and what to do. */

import { afterEach, beforeEach, expect, test } from "vitest";
import "./browser_parts";
import { ChatView } from "../../src/view/chat";
import { loadedParts } from "../parts";
import { asks, turnFinished, turnStarts } from "../scenes";
import { ScriptedModel } from "../scripted_model";

const AGAIN = "Ask again";
const FRESH = "New conversation";
/** The codes that a turn ends with, and what the chat offers then. */
const OFFERS: Readonly<Record<string, readonly string[]>> = {
  agent_absent: [AGAIN],
  agent_events_invalid: [AGAIN],
  agent_failed: [AGAIN],
  agent_lost: [AGAIN],
  agent_timeout: [AGAIN],
  budget_reached: [FRESH],
  model_authentication: [AGAIN],
  model_cassette_invalid: [AGAIN],
  model_cassette_mismatch: [AGAIN],
  model_cassette_unwritable: [AGAIN],
  model_credential_missing: [AGAIN],
  model_not_found: [AGAIN],
  model_overloaded: [AGAIN],
  model_permission: [AGAIN],
  model_rate_limited: [AGAIN],
  model_request_invalid: [AGAIN],
  model_request_too_large: [FRESH],
  model_server_error: [AGAIN],
  model_stalled: [AGAIN],
  model_stream_malformed: [AGAIN],
  model_stream_truncated: [AGAIN],
  model_timeout: [AGAIN],
  model_unreachable: [AGAIN],
  output_unsupported: [],
  something_newer: [AGAIN],
};

const parts = await loadedParts();
let lifetime: AbortController;
let model: ScriptedModel;
let view: ChatView;

beforeEach(() => {
  lifetime = new AbortController();
  model = new ScriptedModel();
  document.body.replaceChildren();
  view = new ChatView(document.body, model, {
    ...{ signal: lifetime.signal, parts, newConversation: () => undefined },
  });
});

afterEach(() => lifetime.abort());

function texts(selector: string): string[] {
  return [...view.element.querySelectorAll(selector)]
    .filter((element) => element.closest("[hidden]") === null)
    .map((element) => element.textContent ?? "");
}

test.each(Object.entries(OFFERS))("%s", async (code, offers) => {
  const message = "The endpoint said no; choose another one.";
  model.play(asks("u1", "Who?"), turnStarts("t1", "u1"));
  model.play(turnFinished("t1", "failed", { error: { code, message } }));
  await new Promise((resolve) => requestAnimationFrame(resolve));
  const [what] = texts(".streamchat-answer .streamchat-notice-what");
  expect(what).toMatch(/\w.*\.$/);
  expect(texts(".streamchat-answer .streamchat-notice-kept")).toEqual([
    "Your message is kept.",
  ]);
  // The server's own words say what to do; a button does it where one can.
  expect(texts(".streamchat-answer .streamchat-notice-detail")).toEqual([message]);
  expect(texts(".streamchat-answer .streamchat-notice-remedies button")).toEqual(
    offers,
  );
});
