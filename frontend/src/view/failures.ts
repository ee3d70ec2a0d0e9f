/** What a failed turn is called, and what can help. */

import { strings } from "./strings";
import type { ErrorBody, TurnState } from "./types";

/** Failures that the same question runs into again, however often it is asked. */
const LASTING = new Set([
  "budget_reached",
  "model_request_too_large",
  "output_unsupported",
]);
/** Failures that only this conversation has. */
const OF_CONVERSATION = new Set(["budget_reached", "model_request_too_large"]);

/**
 * What happened to a failed turn, in one sentence.
 *
 * @param began whether anything of its answer came
 */
export function failureWords({ error }: TurnState, began: boolean): string {
  if (error?.code !== "budget_reached") return strings.turnFailed;
  return began ? strings.budgetReached : strings.budgetReachedBefore;
}

/** Whether the same may succeed when it is asked again. */
export function mayHelpAgain(error: ErrorBody | null | undefined): boolean {
  return error?.retryable === true || !LASTING.has(error?.code ?? "");
}

/** Whether a fresh conversation is the way out. */
export function needsNewConversation(error: ErrorBody | null | undefined): boolean {
  return OF_CONVERSATION.has(error?.code ?? "");
}
