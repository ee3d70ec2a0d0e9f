/** A socket to the server that the kernel holds: frames go as messages of the widget. */

import { newId } from "../client_id";
import type { KernelChannel, KernelMessage } from "../kernel_channel";
import type { ErrorBody } from "../protocol";
import type { RequestFailure } from "./values";

/** So many characters are taken before the kernel hears of it, */
const TAKEN_CHARACTERS = 65_536;
/** or after so many signs of life, of which there is one every 5 s. */
const TAKEN_BEATS = 10;
const ABNORMAL = 1006;

/** What a socket tells; nothing comes after `closed` or `failed`. */
export interface RelayListener {
  frame(data: string): void;
  /** The kernel is there; `isWaiting`: not all that was sent has reached it. */
  alive(isWaiting: boolean): void;
  closed(code: number, reason: string): void;
  /** The kernel has no way to the server either, or was refused. */
  failed(failure: RequestFailure): void;
}

export class RelaySocket {
  readonly #id = newId("r");
  readonly #channel: KernelChannel;
  readonly #listener: RelayListener;
  readonly #lifetime = new AbortController();
  /** The number of the last message that came. */
  #n = 0;
  #sent = 0;
  #untakenCharacters = 0;
  #untakenBeats = 0;

  constructor(channel: KernelChannel, listener: RelayListener) {
    this.#channel = channel;
    this.#listener = listener;
  }

  open(): void {
    this.#channel.listen(
      "relay",
      (message) => {
        if (message["relay"] === this.#id) {
          this.#take(message);
        }
      },
      this.#lifetime.signal,
    );
    this.#tell({ type: "open" });
  }

  send(data: string): void {
    this.#sent += 1;
    this.#tell({ type: "frame", data });
  }

  /** End it without a word to the listener. */
  close(): void {
    if (!this.#lifetime.signal.aborted) {
      this.#lifetime.abort();
      this.#channel.send("relay", { type: "close", relay: this.#id });
    }
  }

  #take(message: KernelMessage): void {
    const { n, type } = message;
    if (type === "closed") {
      this.#end(Number(message["code"]), String(message["reason"] ?? ""));
      return;
    }
    if (n !== this.#n + 1) {
      this.close(); // one was lost on the way
      this.#listener.closed(ABNORMAL, "");
      return;
    }
    this.#n += 1;
    switch (type) {
      case "frames":
        this.#takeFrames(message["frames"] as readonly string[]);
        break;
      case "alive":
        this.#untakenBeats += 1;
        this.#listener.alive(Number(message["heard"]) < this.#sent);
        break;
      case "failed":
        this.#lifetime.abort();
        this.#listener.failed(failureOf(message));
        return;
      default:
    }
    this.#sayTaken();
  }

  #takeFrames(frames: readonly string[]): void {
    for (const data of frames) {
      if (this.#lifetime.signal.aborted) {
        return;
      }
      this.#untakenCharacters += data.length;
      this.#listener.frame(data);
    }
  }

  #sayTaken(): void {
    if (
      this.#untakenCharacters >= TAKEN_CHARACTERS ||
      this.#untakenBeats >= TAKEN_BEATS
    ) {
      this.#untakenCharacters = 0;
      this.#untakenBeats = 0;
      this.#tell({ type: "taken", n: this.#n });
    }
  }

  #tell(body: KernelMessage): void {
    if (
      !this.#lifetime.signal.aborted &&
      !this.#channel.send("relay", { ...body, relay: this.#id })
    ) {
      this.#end(ABNORMAL, "");
    }
  }

  #end(code: number, reason: string): void {
    if (!this.#lifetime.signal.aborted) {
      this.#lifetime.abort();
      this.#listener.closed(code, reason);
    }
  }
}

function failureOf({ status, problem }: KernelMessage): RequestFailure {
  return {
    status: typeof status === "number" ? status : null,
    problem: problem as ErrorBody,
    fromServer: true,
  };
}
