import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KernelChannel } from "../../src/kernel_channel";
import { SavedTranscript } from "../../src/saved_transcript";

/** The outputs of a cell, as JupyterLab's model has them. */
class Outputs {
  /** Which of them was set, in order. */
  readonly changed: number[] = [];
  readonly list: { data: Record<string, unknown> }[];

  constructor(...html: string[]) {
    this.list = html.map((text) => ({ data: { "text/html": text } }));
  }

  get length(): number {
    return this.list.length;
  }

  get(index: number) {
    return this.list[index] as { data: Record<string, unknown> };
  }

  set(index: number, output: unknown): void {
    this.list[index] = output as { data: Record<string, unknown> };
    this.changed.push(index);
  }
}

const OLD = '<div class="streamchat-saved" data-saved="out-1 7">old</div>';
const NEW = '<div class="streamchat-saved" data-saved="out-1 70">new</div>';
const OTHER = '<div class="streamchat-saved" data-saved="out-10 7">other</div>';

/** A page with a notebook of these cells; what it says to the kernel is in `said`. */
function open(...cells: { outputs?: Outputs }[]) {
  const said: unknown[] = [];
  let hear: (content: unknown) => void = () => {};
  const channel = new KernelChannel({
    send: (content) => said.push(content),
    on: (_, callback) => {
      hear = callback;
    },
    off: () => {},
  });
  const end = new AbortController();
  const list = { length: cells.length, get: (index: number) => cells[index] };
  const manager = { context: { model: { cells: list } } };
  new SavedTranscript(channel, manager, end.signal);
  return {
    said,
    end,
    say: (content: object) => hear({ ...content, channel: "saved" }),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const VERSION = { type: "version", output: "out-1", version: "70" };
const TRANSCRIPT = { ...VERSION, type: "transcript", data: { "text/html": NEW } };

test("asks for what it has not, and puts it wherever the old one is", () => {
  const first = new Outputs("<p>a widget</p>", OLD, OTHER);
  const second = new Outputs(OLD);
  const { said, say } = open({ outputs: first }, {}, { outputs: second });
  expect(said).toEqual([{ type: "look", channel: "saved" }]);

  say(VERSION);
  expect(said.length).toBe(1); // the kernel's own way gets its time
  vi.advanceTimersByTime(1_000);
  expect(said[1]).toEqual({ type: "get", channel: "saved" });

  say(TRANSCRIPT);
  expect([first.changed, second.changed]).toEqual([[1], [0]]);
  expect(first.get(1).data["text/html"]).toBe(NEW);
  expect(first.get(2).data["text/html"]).toBe(OTHER);
  say(TRANSCRIPT);
  expect([first.changed, second.changed]).toEqual([[1], [0]]);
});

test("leaves alone what is current, and ends with its chat", () => {
  const outputs = new Outputs(NEW, OTHER);
  const { said, say, end } = open({ outputs });
  say(VERSION);
  vi.advanceTimersByTime(5_000);
  expect(said.length).toBe(1);
  outputs.list[0] = { data: { "text/html": OLD } };
  say(VERSION);
  end.abort();
  vi.advanceTimersByTime(5_000);
  expect(said.length).toBe(1);
});

test("does nothing in a front end without such a model", () => {
  const said: unknown[] = [];
  const channel = new KernelChannel({
    send: (content) => said.push(content),
    on: () => said.push("listens"),
    off: () => {},
  });
  for (const manager of [undefined, null, {}, { context: { model: null } }]) {
    new SavedTranscript(channel, manager, new AbortController().signal);
  }
  expect(said).toEqual([]);
});
