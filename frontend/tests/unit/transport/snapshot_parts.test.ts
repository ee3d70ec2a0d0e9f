import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  fillConversationState,
  type Snapshot,
  type WireConversationState,
} from "../../../src/protocol";
import { LogReader } from "../../../src/transport/log_reader";
import { joinParts } from "../../../src/transport/snapshot_parts";

const recorded = JSON.parse(
  readFileSync(
    new URL("../../../../tests/fixtures/snapshots/pieces.json", import.meta.url),
    "utf8",
  ),
) as { parts: WireConversationState[]; state: WireConversationState };

test("pieces of messages and of texts become whole", () => {
  expect(fillConversationState(joinParts(recorded.parts))).toEqual(
    fillConversationState(recorded.state),
  );
});

test("a state in one part stays as it is", () => {
  expect(fillConversationState(joinParts([recorded.state]))).toEqual(
    fillConversationState(recorded.state),
  );
});

test("a text of many pieces is joined once", () => {
  const piece = "x".repeat(10_000);
  const part = (first: boolean): WireConversationState => ({
    messages: [
      {
        message: "m",
        role: "assistant",
        author: { id: "a", name: "A", kind: "agent" },
        ts: 1,
        blocks: [
          {
            block: "b0",
            kind: "text",
            text: piece,
            ...(first ? { content: { type: "text", text: piece } } : {}),
          },
        ],
      },
    ],
  });
  const parts = Array.from({ length: 500 }, (_, number) => part(number === 0));

  const [block] = joinParts(parts).messages?.[0]?.blocks ?? [];

  expect(block?.text).toHaveLength(5_000_000);
  expect(block?.content).toEqual({ type: "text", text: block?.text });
});

test("a reader has the whole state after the last part", () => {
  const resets: WireConversationState[] = [];
  const listener = {
    apply: () => undefined,
    presence: () => undefined,
    reset: (state: WireConversationState) => {
      resets.push(state);
    },
  };
  const reader = new LogReader("c-1", listener);
  reader.subscribe(1);
  reader.receive({
    type: "subscribed",
    re: 1,
    conversation: "c-1",
    log: "L",
    mode: "snapshot",
    head: 9,
  });
  for (const [index, state] of recorded.parts.entries()) {
    expect(resets).toEqual([]);
    const part: Snapshot = {
      type: "snapshot",
      conversation: "c-1",
      log: "L",
      seq: 9,
      part: index + 1,
      parts: recorded.parts.length,
      state,
    };
    reader.receive(part);
  }

  expect(resets.map(fillConversationState)).toEqual([
    fillConversationState(recorded.state),
  ]);
  expect(reader.cursor).toEqual({ log: "L", seq: 9 });
});
