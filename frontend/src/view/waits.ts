/** Whether a tool call asks a person. */

import type { ToolCallState } from "./types";

/**
 * Whether a call waits for a person.
 *
 * @param turnRuns whether the turn that it belongs to goes on
 */
export function waitsForAnswer(call: ToolCallState, turnRuns: boolean): boolean {
  const { approval, status } = call;
  const asks = approval != null && approval.decision == null;
  return asks && turnRuns && status === "requested";
}
