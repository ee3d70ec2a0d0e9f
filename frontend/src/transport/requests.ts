/** HTTP requests to our server, each with a deadline, credentials and one error. */

import { interference, requestProblem, signedOut } from "../connection_words";
import type { ErrorBody } from "../protocol";
import type { RequestFailure } from "./values";

const TIMEOUT_MS = 10_000;

/** A request that was not answered as it should be. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly failure: RequestFailure;

  constructor(failure: RequestFailure) {
    super(failure.problem.message);
    this.failure = failure;
  }
}

export interface RequestOptions {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  /** Sent as JSON; a `Blob` as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the request, and reading its answer. */
  readonly signal: AbortSignal;
  /** Until the head of the answer is there; 10 s when absent. */
  readonly timeoutMs?: number;
}

export interface RequestsOptions {
  /** URL that paths are relative to, ending in `/`. */
  readonly url: string;
  readonly pageToken: string | null;
  /** Reads the XSRF cookie. */
  readonly xsrfToken: () => string | null;
  readonly fetch: typeof fetch;
}

/**
 * Cookies say who we are, and the XSRF cookie in a header that it is this page that
 * asks. Where that is refused, the session route is asked for a fresh XSRF cookie;
 * the page's token goes into a header only when nothing else is accepted.
 */
export class Requests {
  readonly #options: RequestsOptions;
  #usePageToken = false;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /**
   * Ask for JSON.
   *
   * @throws {RequestError} no answer, or one that says no
   */
  async json(path: string, options: RequestOptions): Promise<unknown> {
    const request = new AbortController();
    const abort = (): void => request.abort();
    options.signal.addEventListener("abort", abort);
    try {
      const response = await this.open(path, { ...options, signal: request.signal });
      return await readJson(response);
    } finally {
      options.signal.removeEventListener("abort", abort);
    }
  }

  /**
   * Ask, and return a good answer with its body unread. The signal is to be of this
   * request alone.
   *
   * @throws {RequestError} no answer, or one that says no
   */
  async open(path: string, options: RequestOptions): Promise<Response> {
    if (changesSomething(options) && this.#options.xsrfToken() === null) {
      await this.#renewXsrfToken(options.signal);
    }
    let response = await this.#fetch(path, options);
    if (isRefusal(response) && changesSomething(options)) {
      await discard(response);
      await this.#renewXsrfToken(options.signal);
      response = await this.#fetch(path, options);
    }
    const { pageToken } = this.#options;
    if (isRefusal(response) && pageToken !== null && !this.#usePageToken) {
      await discard(response);
      this.#usePageToken = true;
      response = await this.#fetch(path, options);
      this.#usePageToken = response.ok;
    }
    if (response.ok) {
      return response;
    }
    throw new RequestError(await failureOfResponse(response));
  }

  async #renewXsrfToken(signal: AbortSignal): Promise<void> {
    await discard(await this.#fetch("session", { signal }));
  }

  async #fetch(path: string, options: RequestOptions): Promise<Response> {
    const deadline = new AbortController();
    const abort = (): void => deadline.abort();
    const timer = setTimeout(abort, options.timeoutMs ?? TIMEOUT_MS);
    options.signal.addEventListener("abort", abort, { once: true });
    try {
      options.signal.throwIfAborted();
      return await this.#options.fetch(new URL(path, this.#options.url), {
        method: options.method ?? "GET",
        headers: this.#headers(options),
        ...(options.body === undefined ? {} : { body: written(options.body) }),
        signal: deadline.signal,
        credentials: "same-origin",
        cache: "no-store",
        redirect: "manual", // a redirect leads to a login page
      });
    } catch {
      options.signal.removeEventListener("abort", abort);
      throw noAnswer();
    } finally {
      clearTimeout(timer);
    }
  }

  #headers(options: RequestOptions): Headers {
    const headers = new Headers({ Accept: "application/json", ...options.headers });
    if (changesSomething(options)) {
      const isFile = options.body instanceof Blob;
      const type = isFile ? "application/octet-stream" : "application/json";
      headers.set("Content-Type", type);
      const xsrfToken = this.#options.xsrfToken();
      if (xsrfToken !== null) {
        headers.set("X-XSRFToken", xsrfToken);
      }
    }
    if (this.#usePageToken) {
      headers.set("Authorization", `token ${this.#options.pageToken}`);
    }
    return headers;
  }
}

function written(body: unknown): BodyInit {
  return body instanceof Blob ? body : JSON.stringify(body);
}

function changesSomething({ method = "GET" }: RequestOptions): boolean {
  return method !== "GET";
}

async function readJson(response: Response): Promise<unknown> {
  try {
    if (response.status === 204) return null;
    return await withDeadline(response.json(), TIMEOUT_MS);
  } catch (error) {
    throw error instanceof SyntaxError ? notOurs(response.status) : noAnswer();
  }
}

function noAnswer(): RequestError {
  const problem = requestProblem(null);
  return new RequestError({ status: null, problem, fromServer: false });
}

function notOurs(status: number): RequestError {
  return new RequestError({ status, problem: interference(), fromServer: false });
}

function isRefusal(response: Response): boolean {
  return response.status === 401 || response.status === 403;
}

/** Let go of a body, so that its connection can be used again. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

async function failureOfResponse(response: Response): Promise<RequestFailure> {
  if (response.type === "opaqueredirect") {
    return { status: 401, problem: signedOut(), fromServer: false };
  }
  const { status } = response;
  const body = await withDeadline(response.json(), TIMEOUT_MS).catch(() => null);
  const fromServer = isErrorBody(body);
  if (isRefusal(response) && !(fromServer && body.code === "origin_forbidden")) {
    return { status, problem: signedOut(), fromServer };
  }
  return { status, problem: fromServer ? body : requestProblem(status), fromServer };
}

function isErrorBody(value: unknown): value is ErrorBody {
  const body = value as Partial<ErrorBody> | null;
  return typeof body?.code === "string" && typeof body.message === "string";
}

async function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("timeout")), timeoutMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
