/** A socket to the server that the kernel holds: frames go as messages of the widget. */

import { newId } from "../client_id";
import type { KernelChannel, KernelMessage } from "../kernel_channel";
import type { ErrorBody } from "../protocol";
import type { Input } from "./values";

/** So many characters are taken before the kernel hears of it, */
const TAKEN_CHARACTERS = 65_536;
/** or after so many signs of life, of which there is one every 5 s. */
const TAKEN_BEATS = 10;
const ABNORMAL = 1006;

/** Tells by inputs of its session's id; nothing comes after `socket_closed`. */
export class RelaySocket {
  readonly #relay = newId("r");
  readonly #channel: KernelChannel;
  readonly #id: number;
  readonly #dispatch: (input: Input) => void;
  readonly #lifetime = new AbortController();
  /** The number of the last message that came. */
  #n = 0;
  #sent = 0;
  #untakenCharacters = 0;
  #untakenBeats = 0;

  constructor(channel: KernelChannel, id: number, dispatch: (input: Input) => void) {
    this.#channel = channel;
    this.#id = id;
    this.#dispatch = dispatch;
  }

  open(): void {
    this.#channel.listen(
      "relay",
      (message) => {
        if (message["relay"] === this.#relay) {
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

  /** End it without a word of its end. */
  close(): void {
    if (!this.#lifetime.signal.aborted) {
      this.#lifetime.abort();
      this.#channel.send("relay", { type: "close", relay: this.#relay });
    }
  }

  #take(message: KernelMessage): void {
    const { n, type } = message;
    if (type === "closed") {
      this.#end(Number(message["code"]), String(message["reason"] ?? ""));
      return;
    }
    this.#n += 1;
    if (n !== this.#n) {
      this.#channel.send("relay", { type: "close", relay: this.#relay });
      this.#end(ABNORMAL); // a message was lost on the way
    } else if (type === "frames") {
      this.#takeFrames(message["frames"] as readonly string[]);
    } else if (type === "alive") {
      this.#untakenBeats += 1;
      const isWaiting = Number(message["heard"]) < this.#sent;
      this.#dispatch({ type: "relay_alive", id: this.#id, isWaiting });
    } else {
      this.#fail(message["status"] as number | null, message["problem"] as ErrorBody);
    }
    this.#sayTaken();
  }

  #takeFrames(frames: readonly string[]): void {
    for (const data of frames) {
      if (!this.#lifetime.signal.aborted) {
        this.#untakenCharacters += data.length;
        this.#dispatch({ type: "socket_frame", id: this.#id, data });
      }
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
      !this.#channel.send("relay", { ...body, relay: this.#relay })
    ) {
      this.#end(ABNORMAL);
    }
  }

  /** The kernel has no way to the server either, or was refused. */
  #fail(status: number | null, problem: ErrorBody): void {
    const failure = { status, problem, fromServer: true };
    this.#dispatch({ type: "token_failed", id: this.#id, failure });
    this.#end(ABNORMAL);
  }

  #end(code: number, reason = ""): void {
    if (!this.#lifetime.signal.aborted) {
      this.#lifetime.abort();
      this.#dispatch({ type: "socket_closed", id: this.#id, code, reason });
    }
  }
}
