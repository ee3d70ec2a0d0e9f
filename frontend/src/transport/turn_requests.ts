/** What was asked of turns and is not answered yet: to stop, to change, to go next. */

import type { OutgoingRequest } from "../view/types";
import { PendingList, type Progress } from "./pending_list";
import type { TurnRequest } from "./values";

/** More than these are of no use: the oldest are forgotten. */
const MOST_REQUESTS = 64;

/**
 * Each is asked again until it is answered, which changes nothing where it was done
 * already.
 */
export class TurnRequests extends PendingList<TurnRequest, OutgoingRequest> {
  #next = 1;

  /** Ask for something; takes the place of an older wish of its kind that waits. */
  put(request: TurnRequest): void {
    this.remove((older, { state }) => isSame(older, request) && state !== "sent");
    const oldest = this.shown[0]?.key;
    if (this.shown.length >= MOST_REQUESTS) {
      this.remove((_, { key }) => key === oldest);
    }
    this.add(`r${this.#next}`, request, null);
    this.#next += 1;
  }

  /** Whether an answer about this turn is on its way. */
  isUnderWay(turn: string): boolean {
    return this.count((item, { state }) => item.turn === turn && state === "sent") > 0;
  }

  /** A turn is over: nothing is left to stop, or to hurry. */
  end(turn: string): void {
    this.remove((item) => item.turn === turn && item.kind !== "edit");
  }

  protected override show(
    key: string,
    request: TurnRequest,
    progress: Progress,
  ): OutgoingRequest {
    const { kind, turn } = request;
    return { key, kind, turn, text: textOf(request), ...progress };
  }
}

function textOf(request: TurnRequest): string {
  switch (request.kind) {
    case "edit":
      return request.text;
    case "approve":
      return request.approval;
    default:
      return "";
  }
}

/** Whether two requests are about the same thing. */
function isSame(one: TurnRequest, other: TurnRequest): boolean {
  if (one.kind === "approve" && other.kind === "approve") {
    return one.approval === other.approval;
  }
  return one.kind === other.kind && one.turn === other.turn;
}
