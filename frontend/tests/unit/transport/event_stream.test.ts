import { describe, expect, test } from "vitest";
import { EventStreamParser, StreamTooLong } from "../../../src/transport/event_stream";

const STREAM = [
  "id: log1:4\nretry: 2000\ndata:\n\n",
  'event: subscribed\ndata: {"type":"subscribed"}\n\n',
  ":\n\n",
  "id: log1:5\r\nevent: block.delta\r\ndata: Grüße 👩‍💻\r\n\r\n",
  ": a comment\rdata:first\rdata:  second\rdata\rnoise\rnoise: x\r\r",
  "retry: 5\n\n",
  "data: unfinished\n",
].join("");

const ITEMS = [
  { id: "log1:4", event: "message", data: "" },
  { id: null, event: "subscribed", data: '{"type":"subscribed"}' },
  { id: "log1:5", event: "block.delta", data: "Grüße 👩‍💻" },
  { id: null, event: "message", data: "first\n second\n" },
];

function parse(pieces: readonly string[]) {
  const parser = new EventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe("a stream of events", () => {
  test("is read whole", () => {
    expect(parse([STREAM])).toEqual(ITEMS);
  });

  test("is read letter by letter", () => {
    expect(parse(STREAM.split(""))).toEqual(ITEMS);
  });

  test("is read the same however it is cut", () => {
    let seed = 1;
    const random = (most: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % most;
    };
    for (let run = 0; run < 1_000; run += 1) {
      const pieces: string[] = [];
      for (let at = 0; at < STREAM.length; ) {
        const length = random(9);
        pieces.push(STREAM.slice(at, at + length));
        at += length;
      }

      expect(parse(pieces)).toEqual(ITEMS);
    }
  });

  test("gives an item as soon as its empty line has come", () => {
    const parser = new EventStreamParser();

    expect(parser.push("data: a\n")).toEqual([]);
    expect(parser.push("\n")).toHaveLength(1);
    expect(parser.push("data: b\r")).toEqual([]);
    expect(parser.push("\r")).toHaveLength(1);
  });

  test("takes an item of many pieces in linear time", () => {
    const parser = new EventStreamParser();
    const piece = "x".repeat(1_000);
    parser.push("data: ");
    for (let count = 0; count < 8_000; count += 1) {
      parser.push(piece);
    }

    expect(parser.push("\n\n")[0]?.data.length).toBe(8_000_000);
  });

  test("that never ends an item is given up", () => {
    const parser = new EventStreamParser();
    const piece = `data: ${"x".repeat(1_000_000)}\n`;

    expect(() => {
      for (let count = 0; count < 20; count += 1) {
        parser.push(piece);
      }
    }).toThrow(StreamTooLong);
  });
});
