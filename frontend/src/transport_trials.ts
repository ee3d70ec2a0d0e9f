/** Trying the ways to the server one by one, whichever of them the chat uses now. */

import type { KernelChannel } from "./kernel_channel";
import { relayFetch } from "./transport/relay_fetch";
import { more } from "./view/more_strings";

export const TRIAL_TIMEOUT_MS = 8_000;
const SUBPROTOCOL = "streamchat.v1";

/** What was found, in plain words; as `POST api/check` tells it. */
export interface CheckResult {
  readonly name: string;
  readonly status: "ok" | "failed" | "skipped";
  readonly says: string;
  /** What to do about it; may be empty. */
  readonly hint?: string;
}

export interface TrialOptions {
  /** URL of the API, ending in `/`. */
  readonly apiUrl: string;
  /** Empty while there is none. */
  readonly conversation: string;
  readonly channel: KernelChannel | null;
  /** Ends the trials. */
  readonly signal: AbortSignal;
  /** 8 s when absent, for each. */
  readonly timeoutMs?: number;
}

/** Something answered, and it was not what was asked for; the message says what. */
class TrialError extends Error {}

/** Try every way at once; each result is there when its trial ends. */
export function transportTrials(options: TrialOptions): Promise<CheckResult>[] {
  const { conversation, channel } = options;
  return [
    timed("websocket", more.hintSocket, options, trySocket),
    conversation === ""
      ? skipped("sse", more.trialNoConversation)
      : timed("sse", more.hintStream, options, tryStream),
    timed("rest", more.hintRequests, options, tryRequest),
    channel === null
      ? skipped("relay", more.trialNoKernel)
      : timed("relay", more.hintKernel, options, (_, signal) =>
          tryKernel(channel, signal),
        ),
  ];
}

async function skipped(name: string, says: string): Promise<CheckResult> {
  return { name, status: "skipped", says };
}

async function timed(
  name: string,
  hint: string,
  options: TrialOptions,
  trial: (options: TrialOptions, signal: AbortSignal) => Promise<void>,
): Promise<CheckResult> {
  const timeoutMs = options.timeoutMs ?? TRIAL_TIMEOUT_MS;
  const lifetime = new AbortController();
  const end = (): void => lifetime.abort();
  options.signal.addEventListener("abort", end, { once: true });
  const started = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = more.trialLate(Math.round(timeoutMs / 1000));
    timer = setTimeout(() => reject(new TrialError(why)), timeoutMs);
  });
  try {
    await Promise.race([trial(options, lifetime.signal), late]);
    const says = more.trialOk(Math.round(performance.now() - started));
    return { name, status: "ok", says };
  } catch (error) {
    const says = error instanceof TrialError ? error.message : more.trialBroken;
    return { name, status: "failed", says, hint };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", end);
    end();
  }
}

/** Until the server has greeted. */
function trySocket({ apiUrl }: TrialOptions, signal: AbortSignal): Promise<void> {
  const url = new URL("ws", apiUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, SUBPROTOCOL);
  signal.addEventListener("abort", () => socket.close(1000), { once: true });
  return new Promise((resolve, reject) => {
    socket.addEventListener("message", ({ data }) => {
      if (String(data).includes('"hello"')) resolve();
      else reject(new TrialError(more.trialWrong));
    });
    socket.addEventListener("close", () => reject(new Error("closed")));
  });
}

/** Until the stream's first bytes are there. */
async function tryStream(
  { apiUrl, conversation }: TrialOptions,
  signal: AbortSignal,
): Promise<void> {
  const path = `conversations/${encodeURIComponent(conversation)}/events`;
  const response = await get(new URL(path, apiUrl), "text/event-stream", signal);
  const type = response.headers.get("Content-Type") ?? "";
  if (response.body === null || !type.startsWith("text/event-stream")) {
    throw new TrialError(more.trialWrong);
  }
  const reader = response.body.getReader();
  const { done } = await reader.read();
  void reader.cancel().catch(() => undefined);
  if (done) throw new TrialError(more.trialBroken);
}

async function tryRequest(
  { apiUrl }: TrialOptions,
  signal: AbortSignal,
): Promise<void> {
  await checkHealth(await get(new URL("health", apiUrl), "application/json", signal));
}

async function tryKernel(channel: KernelChannel, signal: AbortSignal): Promise<void> {
  await checkHealth(await relayFetch(channel, "health", { signal }));
}

async function get(url: URL, accept: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, {
    ...{ signal, credentials: "same-origin", cache: "no-store", redirect: "manual" },
    headers: { Accept: accept },
  });
  if (!response.ok) throw new TrialError(more.trialRefused(response.status));
  return response;
}

async function checkHealth(response: Response): Promise<void> {
  if (!response.ok) throw new TrialError(more.trialRefused(response.status));
  const health: unknown = await response.json().catch(() => null);
  if (typeof (health as { status?: unknown } | null)?.status !== "string") {
    throw new TrialError(more.trialWrong);
  }
}
