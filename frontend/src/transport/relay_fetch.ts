/** Requests that the kernel makes, where the page cannot reach the server. */

import { newId } from "../client_id";
import type { KernelChannel, KernelMessage } from "../kernel_channel";

/** So many bytes go in one message; front ends have limits. */
const PART_BYTES = 196_608;
/** Arguments that a function takes at once. */
const CODES = 32_768;

const RELAYED =
  /^(GET (agents|models|health|conversations)\b[^/]*|POST (conversations|check)|(PATCH|DELETE) conversations\/[^/]+|POST conversations\/[^/]+\/restore|(GET|POST) conversations\/[^/]+\/artifacts.*|GET conversations\/[^/]+\/turns\/[^/]+\/trace)$/;

/** Whether the kernel makes this request; `path` is relative to the API. */
export function isRelayed(method: string, path: string): boolean {
  return RELAYED.test(`${method} ${path}`);
}

/** What of a fetch the kernel is told. */
export type RelayInit = Pick<RequestInit, "method" | "body" | "signal">;

/**
 * Let the kernel make a request; like `fetch`.
 *
 * @param path relative to the API
 * @throws {TypeError} the kernel cannot be asked, or does not reach the server
 * @throws {DOMException} the signal aborted
 */
export async function relayFetch(
  channel: KernelChannel,
  path: string,
  { method = "GET", body, signal }: RelayInit = {},
): Promise<Response> {
  const bytes = new Uint8Array(await new Response(body ?? null).arrayBuffer());
  signal?.throwIfAborted();
  const request = newId("q");
  const lifetime = new AbortController();
  try {
    return await new Promise<Response>((resolve, reject) => {
      const answer = new AnswerParts(resolve, reject);
      channel.listen(
        "relay",
        (message) => message["request"] === request && answer.take(message),
        lifetime.signal,
      );
      signal?.addEventListener(
        "abort",
        () => {
          channel.send("relay", { type: "drop", request });
          reject(signal.reason);
        },
        { signal: lifetime.signal },
      );
      const parts = Math.ceil(bytes.length / PART_BYTES);
      const head = { type: "request", request, method, path, parts };
      let isSent = channel.send("relay", head);
      for (let part = 0; part < parts; part += 1) {
        const data = base64(bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES));
        isSent &&= channel.send("relay", { type: "part", request, data });
      }
      if (!isSent) {
        reject(new TypeError("the kernel cannot be asked"));
      }
    });
  } finally {
    lifetime.abort();
  }
}

/** An answer while its parts come. */
class AnswerParts {
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  #head: KernelMessage | null = null;

  constructor(resolve: (response: Response) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  take(message: KernelMessage): void {
    if (message["type"] === "answer") {
      this.#head = message;
    } else if (message["n"] === this.#parts.length + 1) {
      this.#parts.push(bytesOf(String(message["data"])));
    } else {
      this.#reject(new TypeError("a part of the answer was lost"));
    }
    this.#resolveWhenWhole();
  }

  #resolveWhenWhole(): void {
    const { status, media_type: type, parts } = this.#head ?? {};
    if (status === 0) {
      this.#reject(new TypeError("the kernel does not reach the server"));
    } else if (this.#head !== null && this.#parts.length >= Number(parts)) {
      const body = new Blob(this.#parts, { type: String(type) });
      this.#resolve(new Response(body, { status: Number(status) }));
    }
  }
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += CODES) {
    text += String.fromCharCode(...bytes.subarray(start, start + CODES));
  }
  return btoa(text);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
