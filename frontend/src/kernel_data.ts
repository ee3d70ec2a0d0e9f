/** The notebook's data, asked of its kernel over the widget's channel. */

import { newId } from "./client_id";
import { words } from "./connection_words";
import type { KernelChannel, KernelMessage } from "./kernel_channel";
import type { ErrorBody } from "./protocol";
import type {
  DataDigest,
  DataSource,
  DigestChoice,
  NoAnswer,
  Variable,
} from "./view/types";

const ANSWER_TIMEOUT_MS = 10_000;

/** Every question gets one answer, or none within ten seconds. */
export class KernelData implements DataSource {
  readonly #channel: KernelChannel;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<unknown, (answer: KernelMessage) => void>();

  /** @param signal ends every question that has no answer yet */
  constructor(channel: KernelChannel, signal: AbortSignal) {
    this.#channel = channel;
    this.#signal = signal;
    channel.listen(
      "share",
      (answer) => this.#waiting.get(answer["question"])?.(answer),
      signal,
    );
  }

  async names(
    prefix: string,
    signal: AbortSignal,
  ): Promise<readonly Variable[] | NoAnswer> {
    const answer = await this.#ask({ type: "names", prefix }, signal);
    return isNone(answer) ? answer : (answer["names"] as readonly Variable[]);
  }

  async digest(
    name: string,
    { columns, rows }: DigestChoice,
    signal: AbortSignal,
  ): Promise<DataDigest | NoAnswer> {
    const answer = await this.#ask({ type: "digest", name, columns, rows }, signal);
    return isNone(answer) ? answer : (answer as unknown as DataDigest);
  }

  #ask(body: KernelMessage, signal: AbortSignal): Promise<NoAnswer | KernelMessage> {
    const question = newId("s"); // every browser with the widget hears every answer
    const ended = AbortSignal.any([
      ...[signal, this.#signal],
      AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    ]);
    return new Promise((resolve) => {
      const end = (answer: NoAnswer | KernelMessage): void => {
        this.#waiting.delete(question);
        resolve(answer);
      };
      ended.addEventListener("abort", () => end({ problem: noAnswer() }), {
        once: true,
      });
      this.#waiting.set(question, (answer) =>
        end(answer["type"] === "error" ? { problem: problemOf(answer) } : answer),
      );
      if (ended.aborted || !this.#channel.send("share", { ...body, question })) {
        end({ problem: noAnswer() });
      }
    });
  }
}

function isNone(answer: NoAnswer | KernelMessage): answer is NoAnswer {
  return "problem" in answer;
}

const noAnswer = (): ErrorBody => ({
  code: "no_answer",
  message: words.kernelSilent,
  retryable: true,
});

function problemOf({ code, message }: KernelMessage): ErrorBody {
  return { code: String(code), message: String(message) };
}
