/** What was typed and is not in the log yet. */

import { words } from "../connection_words";
import { excessBytes, type Question, questionOf } from "../content";
import type { ErrorBody, UserBlock } from "../protocol";
import type { OutgoingMessage } from "../view/types";
import { PendingList, type Progress } from "./pending_list";

/** How many messages may wait for the connection. */
export const MOST_WAITING = 32;

/** A message that outlived its page. */
export interface KeptMessage extends Question {
  readonly clientMessageId: string;
  /** Why it is not sent by itself; `null` when it is. */
  readonly problem: ErrorBody | null;
}

/** An ordered list of own messages, each under the id that makes it send-once. */
export class Outbox extends PendingList<Question, OutgoingMessage> {
  /** @param kept what an earlier page left unsent */
  constructor(kept: readonly KeptMessage[] = []) {
    super();
    for (const { clientMessageId, problem, ...question } of kept) {
      this.add(clientMessageId, questionOf(question), problem);
    }
  }

  /** Put a message in; refused at once when it is too long or too many wait. */
  put(id: string, question: Question, messageBytesLimit: number): void {
    if (!this.has(id)) {
      const waiting = this.count((_, { state }) => state !== "failed");
      this.add(id, question, refusal(question.content, messageBytesLimit, waiting));
    }
  }

  /** Messages that the log shows: the echo is the truth, whatever was heard before. */
  echo(ids: ReadonlySet<string>): void {
    this.remove((_, { key }) => ids.has(key));
  }

  protected override show(
    key: string,
    question: Question,
    progress: Progress,
  ): OutgoingMessage {
    return { client_message_id: key, ...question, ...progress };
  }
}

function refusal(
  content: readonly UserBlock[],
  bytesLimit: number,
  waiting: number,
): ErrorBody | null {
  const bytes = excessBytes(content, bytesLimit);
  if (bytes !== null) {
    return {
      code: "too_large",
      message: words.tooLarge(bytes, bytesLimit),
    };
  }
  if (waiting >= MOST_WAITING) {
    return {
      code: "outbox_full",
      message: words.outboxFull(waiting),
      retryable: true,
    };
  }
  return null;
}
