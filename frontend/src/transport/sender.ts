/** Getting messages and requests about turns to the server, by a socket or by HTTP. */

import { contentOf, questionOf } from "../content";
import type { ErrorBody } from "../protocol";
import { type KeptMessage, Outbox } from "./outbox";
import type { PendingList } from "./pending_list";
import type { CommandAnswer, CommandFields, SocketSession } from "./socket_session";
import { TurnRequests } from "./turn_requests";
import {
  approvalOf,
  type Input,
  type Output,
  type Posted,
  type TurnRequest,
} from "./values";

const RETRY_MS = 2_000;

/** What carries messages now. */
export type Carrier = SocketSession | "requests" | null;

export interface SenderHost {
  readonly conversation: string;
  /** The last `seq` that was applied. */
  readonly seq: number;
  /** Longest text of a message, in UTF-8 bytes. */
  readonly messageBytesLimit: number;
  emit(output: Output): void;
}

/**
 * Sends in order, and again whatever was sent without an answer when the carrier
 * broke: messages under the same id, requests because they change nothing the second
 * time. By HTTP one message goes at a time, and one request about each turn.
 */
export class Sender {
  readonly outbox: Outbox;
  readonly requests = new TurnRequests();
  readonly #host: SenderHost;
  #carrier: Carrier = null;
  #isPosting = false;
  #retryAt: number | null = null;

  constructor(host: SenderHost, kept: readonly KeptMessage[]) {
    this.#host = host;
    this.outbox = new Outbox(kept);
  }

  get deadline(): number | null {
    return this.#retryAt;
  }

  wake(now: number): void {
    if (this.#retryAt !== null && now >= this.#retryAt) {
      this.flush(now);
    }
  }

  /** Go on by this carrier. */
  connect(carrier: Carrier, now: number): void {
    this.#carrier = carrier;
    this.flush(now);
  }

  /** The carrier is gone; HTTP requests that are under way still get their answer. */
  disconnect(): void {
    if (this.#carrier !== "requests") {
      this.outbox.putAllBack();
      this.requests.putAllBack();
    }
    this.#carrier = null;
    this.#retryAt = null;
  }

  /** Take what somebody wants to be sent, and answers to HTTP requests. */
  take(input: Input, now: number): void {
    switch (input.type) {
      case "send":
        this.outbox.put(
          input.clientMessageId,
          questionOf(input),
          this.#host.messageBytesLimit,
        );
        break;
      case "resend":
        this.outbox.resend(input.clientMessageId);
        break;
      case "discard":
        this.outbox.discard(input.clientMessageId);
        break;
      case "ask":
        this.requests.put(input.request);
        break;
      case "discard_request":
        this.requests.discard(input.key);
        break;
      case "posted":
        this.#isPosting = false;
        this.#takePosted(this.outbox, input.clientMessageId, input, now);
        break;
      case "request_posted":
        this.#takePosted(this.requests, input.key, input, now);
        break;
      default:
        return;
    }
    this.flush(now);
  }

  /** Send what waits, if there is a carrier. */
  flush(now: number): void {
    const carrier = this.#carrier;
    if (carrier === null || (this.#retryAt !== null && now < this.#retryAt)) {
      return;
    }
    this.#retryAt = null;
    this.#flushRequests(carrier, now);
    this.#flushMessages(carrier, now);
  }

  #flushRequests(carrier: SocketSession | "requests", now: number): void {
    const { conversation } = this.#host;
    const isNext = ({ turn }: TurnRequest): boolean =>
      carrier !== "requests" || !this.requests.isUnderWay(turn);
    for (
      let next = this.requests.take(isNext);
      next !== null;
      next = this.requests.take(isNext)
    ) {
      const { key, item: request } = next;
      if (carrier === "requests") {
        this.#host.emit({ type: "post_request", conversation, key, request });
      } else {
        const command = commandOf(request, conversation);
        carrier.ask(command, this.#answerTo(this.requests, key), now);
      }
    }
  }

  #flushMessages(carrier: SocketSession | "requests", now: number): void {
    const { conversation } = this.#host;
    while (carrier !== "requests" || !this.#isPosting) {
      const next = this.outbox.take();
      if (next === null) {
        return;
      }
      const { key: clientMessageId, item: question } = next;
      if (carrier === "requests") {
        this.#isPosting = true;
        const type = "post_message";
        this.#host.emit({ type, conversation, clientMessageId, ...question });
      } else {
        const command = {
          type: "send",
          conversation,
          client_message_id: clientMessageId,
          ...question,
        } as const;
        carrier.ask(command, this.#answerTo(this.outbox, clientMessageId), now);
      }
    }
  }

  // answers

  #answerTo(list: PendingList<unknown, unknown>, key: string): CommandAnswer {
    return {
      accepted: (seq) => list.accept(key, seq, this.#host.seq),
      refused: (error) => this.#refuse(list, key, error),
      expired: () => list.putBack(key),
    };
  }

  #takePosted(
    list: PendingList<unknown, unknown>,
    key: string,
    answer: Posted,
    now: number,
  ): void {
    if ("seq" in answer) {
      list.accept(key, answer.seq, this.#host.seq);
      return;
    }
    const { status, fromServer, problem } = answer.failure;
    if (status === null || (status >= 500 && !fromServer)) {
      list.putBack(key);
      this.#retryAt = this.#carrier === null ? null : now + RETRY_MS;
    } else {
      this.#refuse(list, key, problem);
    }
  }

  #refuse(list: PendingList<unknown, unknown>, key: string, error: ErrorBody): void {
    if (error.code === "idempotency_mismatch") {
      // Nobody else knows the id: the message arrived, and was edited since.
      list.accept(key, 0, this.#host.seq);
    } else {
      list.refuse(key, error);
    }
  }
}

function commandOf(request: TurnRequest, conversation: string): CommandFields {
  const { turn } = request;
  switch (request.kind) {
    case "cancel":
      return { type: "cancel", conversation, turn, and_queued: request.andQueued };
    case "edit":
      return {
        type: "edit_queued",
        conversation,
        turn,
        content: contentOf(request.text, request.attachments),
      };
    case "send_now":
      return { type: "send_now", conversation, turn };
    case "approve":
      return { type: "approve", conversation, ...approvalOf(request) };
  }
}
