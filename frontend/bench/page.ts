/** Runs in the browser: streams each text and measures every piece with its layout. */

import { StreamingMarkdown } from "../src/markdown";
import { type BenchText, texts } from "./texts";

interface Measured {
  readonly name: string;
  readonly chunks: number;
  readonly goal_ms: number;
  readonly total_ms: number;
  readonly longest_ms: number;
  readonly first_half_ms: number;
  readonly second_half_ms: number;
  readonly finish_ms: number;
}

function measure({ name, text, chunks, goalMs }: BenchText): Measured {
  const container = document.createElement("div");
  container.className = "streamchat-markdown";
  const scroller = document.createElement("div");
  scroller.className = "streamchat-scroller";
  scroller.append(container);
  document.querySelector(".streamchat")?.replaceChildren(scroller);
  const markdown = new StreamingMarkdown(container, {
    signal: new AbortController().signal,
  });
  const size = Math.ceil(text.length / chunks);
  const times: number[] = [];
  for (let at = 0; at < text.length; at += size) {
    const start = performance.now();
    markdown.append(text.slice(at, at + size));
    scroller.scrollTop = scroller.scrollHeight; // as a reader at the end sees it
    times.push(performance.now() - start);
  }
  const start = performance.now();
  markdown.finish();
  scroller.scrollTop = scroller.scrollHeight;
  const finish = performance.now() - start;
  const sum = (values: readonly number[]): number =>
    Math.round(values.reduce((total, value) => total + value, 0) * 10) / 10;
  const half = Math.floor(times.length / 2);
  return {
    name,
    chunks: times.length,
    goal_ms: goalMs,
    total_ms: sum([...times, finish]),
    longest_ms: sum([Math.max(...times, finish)]),
    first_half_ms: sum(times.slice(0, half)),
    second_half_ms: sum(times.slice(half)),
    finish_ms: sum([finish]),
  };
}

/** The best of three: whatever else the machine does only makes it slower. */
function measureBest(text: BenchText): Measured {
  const runs = [measure(text), measure(text), measure(text)];
  return runs.reduce((best, run) => (run.total_ms < best.total_ms ? run : best));
}

document.body.dataset["results"] = JSON.stringify(texts.map(measureBest));
