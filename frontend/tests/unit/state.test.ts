import { describe, expect, test } from "vitest";
import { Branches } from "../../src/branches";
import {
  EVENT_TYPES,
  type Event,
  fillConversationState,
  type WireConversationState,
} from "../../src/protocol";
import { Fold } from "../../src/state";
import type { Change } from "../../src/view/types";
import { recordedLog, recordedLogs } from "../logs";

function foldOf(events: readonly Event[], from?: WireConversationState): Fold {
  const fold = new Fold(from);
  for (const event of events) {
    fold.apply(event);
  }
  return fold;
}

function throughJson(fold: Fold): WireConversationState {
  return JSON.parse(JSON.stringify(fold.state));
}

test("there are recorded logs and together they hold every event type", () => {
  const types = new Set(recordedLogs.flatMap((log) => log.events.map((e) => e.type)));

  expect(recordedLogs.length).toBeGreaterThanOrEqual(8);
  expect([...EVENT_TYPES].filter((type) => !types.has(type as Event["type"]))).toEqual(
    [],
  );
});

describe.each(recordedLogs)("recorded log $name", (log) => {
  const { events, state } = log;
  const expected = fillConversationState(state);

  test("has the branches that the Python fold has", () => {
    const branches = new Branches(foldOf(events).state);
    const siblings = Object.keys(log.siblings).map((one) => branches.siblings(one));

    expect(branches.shown).toEqual(log.shown);
    expect(siblings).toEqual(Object.values(log.siblings));
  });

  test("gives the state that the Python fold gives", () => {
    expect(foldOf(events).state).toEqual(expected);
  });

  test("gives it again from a snapshot at every point", () => {
    for (let at = 0; at <= events.length; at += 1) {
      const snapshot = throughJson(foldOf(events.slice(0, at)));

      expect(foldOf(events.slice(at), snapshot).state).toEqual(expected);
    }
  });

  test("gives it again when events come twice", () => {
    const twice = events.flatMap((event) => [event, event]);

    expect(foldOf([...twice, ...events]).state).toEqual(expected);
  });

  test("names every change: what it does not name stays the same", () => {
    const fold = new Fold();
    for (const event of events) {
      const before = throughJson(fold);

      const change = fold.apply(event);

      expect(without(throughJson(fold), change)).toEqual(without(before, change));
    }
  });

  test("does not write into the snapshot it goes on from", () => {
    const snapshot = throughJson(foldOf(events.slice(0, events.length / 2)));
    const kept = structuredClone(snapshot);

    foldOf(events, snapshot);

    expect(snapshot).toEqual(kept);
  });
});

/** A state without its `seq` and without what `change` says has changed. */
function without(state: WireConversationState, change: Change | null): unknown {
  const kind = change?.kind;
  const changed = { message: "", tool_call: "", turn: "", ...change };
  return {
    ...(kind === "conversation" || kind === "branch"
      ? {}
      : { title: state.title, set: state.settings }),
    ...(kind === "branch" || kind === "turn" || kind === "message"
      ? {}
      : { tip: state.tip }),
    messages: state.messages?.filter((m) => m.message !== changed.message),
    calls: state.tool_calls?.filter((c) => c.tool_call !== changed.tool_call),
    turns: state.turns?.filter((t) => t.turn !== changed.turn),
  };
}

describe("a fold", () => {
  const author = { id: "a", name: "A", kind: "agent" } as const;
  const streaming: readonly Event[] = [
    { type: "message.created", seq: 1, message: "m1", role: "assistant", author },
    { type: "block.started", seq: 2, message: "m1", block: "b0", kind: "text" },
  ];
  const delta = (seq: number, text: string): Event => ({
    ...{ type: "block.delta", seq, message: "m1", block: "b0" },
    ...{ kind: "text", delta: text },
  });

  test("says which text was appended to which block", () => {
    const fold = foldOf(streaming);

    expect(fold.apply(delta(3, "Hello"))).toEqual({
      kind: "delta",
      message: "m1",
      block: "b0",
      delta: "Hello",
    });
    expect(fold.message("m1")?.blocks[0]?.text).toBe("Hello");
  });

  test("drops what it has seen", () => {
    const fold = foldOf([...streaming, delta(3, "once")]);

    expect(fold.apply(delta(3, "twice"))).toBeNull();
    expect(fold.apply(delta(1, "thrice"))).toBeNull();
    expect(fold.message("m1")?.blocks[0]?.text).toBe("once");
  });

  test("advances over a type from a newer server", () => {
    const fold = foldOf(streaming);

    const change = fold.apply({ type: "message.starred", seq: 3 } as unknown as Event);

    expect(change).toBeNull();
    expect(fold.state.seq).toBe(3);
  });

  test("finds messages, tool calls and turns by id", () => {
    const fold = foldOf(recordedLog("tool_turn").events);

    expect(fold.message("m2")).toBe(fold.state.messages[1]);
    expect(fold.toolCall("toolu_1")).toBe(fold.state.tool_calls[0]);
    expect(fold.turn("t1")).toBe(fold.state.turns[0]);
    expect(fold.message("m9")).toBeUndefined();
  });

  test("costs the same for a delta at the end of a long answer as at its start", () => {
    const millisecondsFor = (deltas: number): number => {
      const fold = foldOf(streaming);
      const events = Array.from({ length: deltas }, (_, i) => delta(3 + i, "token "));
      const start = performance.now();
      for (const event of events) {
        fold.apply(event);
      }
      expect(fold.message("m1")?.blocks[0]?.text.length).toBe(6 * deltas);
      return performance.now() - start;
    };
    millisecondsFor(10_000);
    const short = Math.min(...[1, 2, 3].map(() => millisecondsFor(2_000)));
    const long = Math.min(...[1, 2, 3].map(() => millisecondsFor(40_000)));

    expect(long).toBeLessThan(20 * Math.max(short, 0.5) * 5); // quadratic: 400 times
  });
});

test("a tool's progress keeps its last lines, and none twice in a row", () => {
  const fold = foldOf([
    {
      ...{ type: "tool.requested", seq: 1, message: "m", block: "b0", tool_call: "c" },
      ...{ name: "x", label: "x", input: {} },
    },
  ]);
  for (let seq = 2; seq < 60; seq++) {
    const message = `line ${Math.floor(seq / 2)}`;
    fold.apply({ type: "tool.progress", seq, tool_call: "c", message });
  }
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at + 10}`);
  expect(fold.toolCall("c")?.progress_log).toEqual(lines);
  fold.apply({
    ...{ type: "tool.completed", seq: 61, tool_call: "c", status: "ok", output: "x" },
  });
  expect(fold.toolCall("c")?.progress_log).toEqual([]);
});
