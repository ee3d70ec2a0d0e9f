/** What the sessions of the three transports have in common. */

import type { ErrorBody, Event, Frame } from "../protocol";
import type { LogReader } from "./log_reader";
import type { Failure, Input, Output, RequestFailure, Transport } from "./values";

/**
 * One attempt to be connected by one transport, from its opening to its end. It asks
 * for I/O by `host.emit` and tells its host three things, in this order and each at
 * most once: it may deliver (`ready`), it delivers (`live`), it is over (`lost`).
 */
export interface Session {
  readonly id: number;
  readonly transport: Transport;
  /** When `wake` has something to do, in milliseconds; `null` for never. */
  readonly deadline: number | null;
  wake(now: number): void;
  /** Take an input that has its id. */
  take(input: Input, now: number): void;
  /** End it without telling the host. */
  close(): void;
}

export interface SessionHost {
  readonly conversation: string;
  readonly reader: LogReader;
  emit(output: Output): void;
  ready(session: Session, now: number): void;
  live(session: Session, now: number): void;
  lost(session: Session, failure: Failure, now: number): void;
}

/** Read JSON that should be an object; `null` when it is none. */
export function parseObject(data: string): Frame | Event | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && "type" in value
      ? (value as Frame | Event)
      : null;
  } catch {
    return null;
  }
}

/**
 * What a failed request says of the server.
 *
 * @param notFound what it means that the route is not there
 */
export function failureOf(failure: RequestFailure, notFound?: ErrorBody): Failure {
  const { status, problem, fromServer } = failure;
  if (status === null) {
    return { kind: "unreachable" };
  }
  if (status === 429 || status >= 500) {
    return { kind: "broken", retryAfterMs: problem.retry_after_ms ?? undefined };
  }
  const isMissing = status === 404 && !fromServer && notFound !== undefined;
  return { kind: "refused", problem: isMissing ? notFound : problem };
}

/** Whether a kernel may do better: it has another way, or another server. */
export function mayBeElsewhere(failure: Failure, attempt: number): boolean {
  switch (failure.kind) {
    case "unreachable":
    case "refused":
      return true;
    case "broken":
      return attempt > 2;
    default:
      return false;
  }
}
