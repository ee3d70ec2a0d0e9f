/** The one error that this package's promises are broken with. */

import { RequestError } from "../transport/requests";
import type { ErrorBody } from "../view/types";

/** What the server, or the way to it, says is wrong. `message` says what to do. */
export class StreamchatError extends Error {
  override readonly name = "StreamchatError";
  /** Stable, for programs: `not_found`, `server_unreachable`, … */
  readonly code: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
  /** How long to wait before that, where it is known. */
  readonly retryAfterMs: number | null;

  constructor(problem: ErrorBody) {
    super(problem.message);
    this.code = problem.code;
    this.retryable = problem.retryable ?? false;
    this.retryAfterMs = problem.retry_after_ms ?? null;
  }
}

/** The error for whatever was thrown by a request. */
export function errorOf(thrown: unknown): unknown {
  return thrown instanceof RequestError
    ? new StreamchatError(thrown.failure.problem)
    : thrown;
}
