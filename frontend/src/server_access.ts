/** The server's answers beside the conversation, for views that ask for them. */

import { requestProblem } from "./connection_words";
import type { KernelChannel } from "./kernel_channel";
import { RequestError, type RequestOptions, type Requests } from "./transport/requests";
import type { Answered, NoAnswer, ServerAccess } from "./view/types";

export interface RequestAccessOptions {
  readonly requests: Requests;
  /** URL of the API, ending in `/`. */
  readonly apiUrl: string;
  /** Whether the browser itself reaches the server. */
  readonly isInReach: () => boolean;
  /** The messages of the kernel behind the chat. */
  readonly channel: KernelChannel | null;
  /** Waits for the conversation; makes it where there is none. */
  readonly begun: (signal: AbortSignal) => Promise<string>;
  /** Ends everything under way. */
  readonly signal: AbortSignal;
}

export class RequestAccess implements ServerAccess {
  readonly #options: RequestAccessOptions;

  constructor(options: RequestAccessOptions) {
    this.#options = options;
  }

  get apiUrl(): string {
    return this.#options.apiUrl;
  }

  get isInReach(): boolean {
    return this.#options.isInReach();
  }

  get channel(): KernelChannel | null {
    return this.#options.channel;
  }

  async ask(
    path: string | ((conversation: string) => string),
    options: RequestOptions,
  ): Promise<Answered | NoAnswer> {
    const { requests, begun } = this.#options;
    const signal = AbortSignal.any([options.signal, this.#options.signal]);
    try {
      const place = typeof path === "string" ? path : path(await begun(signal));
      return { answer: await requests.json(place, { ...options, signal }) };
    } catch (error) {
      const known = error instanceof RequestError;
      return { problem: known ? error.failure.problem : requestProblem(null) };
    }
  }
}
