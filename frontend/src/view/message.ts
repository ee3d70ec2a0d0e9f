/** Messages: what the reader wrote, and the pieces of what an agent answers. */

import { type Attachment, attachmentsOf, writtenText } from "../content";
import { type Highlight, StreamingMarkdown } from "../markdown";
import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { attachedTo, writtenTextOf } from "../turns";
import type { ApprovalSurroundings, ApprovalView } from "./approval";
import type { AttachmentSurroundings, AttachmentsView } from "./attachments";
import type { DisplayView } from "./display";
import { arrange, make, makeButton, setText } from "./element";
import type { Extras, Parts } from "./part";
import { Slot } from "./slot";
import * as strings from "./strings";
import { ThoughtView } from "./thought";
import { ToolCard } from "./tool_card";
import type { BlockState, MessageState, OutgoingMessage, ToolCallState } from "./types";
import { waitsForAnswer } from "./waits";

/** What a message of the reader's may ask for while it is not sent. */
export interface OutgoingRemedies {
  resend(clientMessageId: string): void;
  discard(clientMessageId: string): void;
}

/** The reader's own words, as they were typed. */
export class UserMessageView {
  readonly element = make("article", "user");
  readonly #bubble = make("div", "user-bubble");
  readonly #footer = make("div", "user-footer");
  readonly #note = make("span", "user-note");
  readonly #remedies = make("span", "user-remedies");
  readonly #attachments: Slot<Extras, AttachmentsView>;
  #shown: string | null = null;
  #clientMessageId = "";

  constructor(
    remedies: OutgoingRemedies,
    surroundings: AttachmentSurroundings & { readonly parts: Parts },
  ) {
    const { signal, parts } = surroundings;
    this.#attachments = new Slot({
      ...{ part: parts.extras, name: strings.attached, signal },
      make: ({ AttachmentsView }) => new AttachmentsView(surroundings),
    });
    this.element.setAttribute("aria-label", strings.you);
    const resend = (): void => remedies.resend(this.#clientMessageId);
    const discard = (): void => remedies.discard(this.#clientMessageId);
    this.#remedies.append(
      makeButton("quiet-button", strings.sendAgain, resend, signal),
      makeButton("quiet-button", strings.discard, discard, signal),
    );
    this.#footer.append(this.#note, this.#remedies);
    this.element.append(this.#bubble, this.#attachments.element, this.#footer);
  }

  update(message: MessageState): void {
    this.#showText(writtenTextOf(message));
    this.#showAttachments(attachedTo(message));
    this.#showState("sent", "");
  }

  updateOutgoing(message: OutgoingMessage): void {
    this.#clientMessageId = message.client_message_id;
    this.#showText(writtenText(message.content));
    this.#showAttachments(attachmentsOf(message.content));
    if (message.status === "sending") this.#showState("sending", strings.sending);
    else
      this.#showState("failed", `${strings.notSent} ${message.error?.message ?? ""}`);
  }

  #showAttachments(attachments: readonly Attachment[]): void {
    this.#attachments.show(attachments.length > 0, (view) => view.update(attachments));
  }

  #showText(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    this.#bubble.hidden = text === "";
    this.#bubble.replaceChildren();
    appendVisible(this.#bubble, showControls(text));
  }

  #showState(state: "sent" | "sending" | "failed", note: string): void {
    this.element.dataset["state"] = state;
    setText(this.#note, note.trim());
    this.#remedies.hidden = state !== "failed";
    this.#footer.hidden = note === "";
  }
}

/** One block's view; which one depends on the block's kind. */
interface Part {
  readonly kind: string;
  readonly element: HTMLElement;
  update(block: BlockState, complete: boolean): void;
}

class TextPart implements Part {
  readonly #surroundings: MessageSurroundings;
  readonly kind = "text";
  readonly element = make("div", "markdown");
  #markdown: StreamingMarkdown;
  #received = "";

  constructor(surroundings: MessageSurroundings) {
    this.#surroundings = surroundings;
    this.#markdown = new StreamingMarkdown(this.element, surroundings);
  }

  update(block: BlockState, complete: boolean): void {
    const { text } = block;
    this.element.hidden = text === "";
    if (complete) {
      this.#markdown.finish(text);
    } else if (text.startsWith(this.#received)) {
      this.#markdown.append(text.slice(this.#received.length));
    } else {
      this.element.replaceChildren();
      this.#markdown = new StreamingMarkdown(this.element, this.#surroundings);
      this.#markdown.append(text);
    }
    this.#received = text;
  }
}

class ThinkingPart implements Part {
  readonly kind = "thinking";
  readonly #view: ThoughtView;

  constructor(signal: AbortSignal) {
    this.#view = new ThoughtView(signal);
  }

  get element(): HTMLElement {
    return this.#view.element;
  }

  update(block: BlockState, complete: boolean): void {
    this.#view.update(block.text, complete);
  }
}

class ToolPart implements Part {
  readonly #message: string;
  readonly #surroundings: MessageSurroundings;
  readonly kind = "tool_use";
  readonly element = make("div", "tool-part");
  readonly card: ToolCard;
  readonly #approval: Slot<Extras, ApprovalView>;
  readonly #display: Slot<Extras, DisplayView>;

  constructor(message: string, surroundings: MessageSurroundings) {
    this.#message = message;
    this.#surroundings = surroundings;
    const { signal, parts } = surroundings;
    this.card = new ToolCard(signal);
    this.#approval = new Slot({
      ...{ part: parts.extras, name: strings.approval, signal },
      make: ({ ApprovalView }) => new ApprovalView(surroundings),
    });
    this.#display = new Slot({
      ...{ part: parts.extras, name: strings.toolOutput, signal },
      make: ({ DisplayView }) => new DisplayView(),
    });
    this.element.append(
      this.card.element,
      this.#approval.element,
      this.#display.element,
    );
  }

  update(block: BlockState): void {
    const call = this.#surroundings.findCall(this.#message, block);
    if (call === undefined) {
      const { content } = block;
      this.card.announce(content?.type === "tool_use" ? content.name : null);
      return;
    }
    const turnRuns = this.#surroundings.turnRuns(call.turn);
    this.card.update(call, turnRuns);
    this.#approval.show(waitsForAnswer(call, turnRuns), (view) =>
      view.update(call, turnRuns),
    );
    this.#display.show(call.display.length > 0, (view) => view.update(call.display));
  }
}

/** Blocks that have nothing to show yet keep their place. */
class EmptyPart implements Part {
  readonly element = make("div", "");

  constructor(readonly kind: string) {
    this.element.hidden = true;
  }

  update(): void {}
}

/** What messages need from the chat around them. */
export interface MessageSurroundings
  extends ApprovalSurroundings,
    AttachmentSurroundings {
  readonly signal: AbortSignal;
  readonly highlight: Highlight;
  readonly parts: Parts;
  /** The call that a tool_use block of a message made, once it was requested. */
  findCall(message: string, block: BlockState): ToolCallState | undefined;
  turnRuns(turn: string | null | undefined): boolean;
}

/** One message of an agent, block by block, without a frame of its own. */
export class AgentMessageView {
  readonly #surroundings: MessageSurroundings;
  readonly element = make("div", "message");
  readonly #blocks = make("div", "blocks");
  readonly #note = make("p", "message-note");
  #parts: Part[] = [];

  constructor(surroundings: MessageSurroundings) {
    this.#surroundings = surroundings;
    this.#note.hidden = true;
    this.element.append(this.#blocks, this.#note);
  }

  /** Bring everything up to date with the message. */
  update(message: MessageState): void {
    const complete = message.status !== "streaming";
    this.#parts = message.blocks.map((block, at) => {
      const old = this.#parts[at];
      return old?.kind === block.kind ? old : this.#makePart(message.message, block);
    });
    arrange(
      this.#blocks,
      this.#parts.map((part) => part.element),
    );
    message.blocks.forEach((block, at) => {
      this.#parts[at]?.update(block, complete || block.content != null);
    });
    this.#showNote(message);
  }

  /** Bring one block up to date: the cost of a token. */
  updateBlock(message: MessageState, blockId: string): void {
    const at = message.blocks.findIndex((block) => block.block === blockId);
    const block = message.blocks[at];
    const part = this.#parts[at];
    if (block === undefined || part?.kind !== block.kind) this.update(message);
    else part.update(block, message.status !== "streaming" || block.content != null);
  }

  #makePart(message: string, block: BlockState): Part {
    switch (block.kind) {
      case "text":
        return new TextPart(this.#surroundings);
      case "thinking":
        return new ThinkingPart(this.#surroundings.signal);
      case "tool_use":
        return new ToolPart(message, this.#surroundings);
      default:
        return new EmptyPart(block.kind);
    }
  }

  #showNote(message: MessageState): void {
    const discarded = message.status === "discarded";
    this.element.classList.toggle("streamchat-discarded", discarded);
    const reason = strings.stopReasons[message.stop_reason ?? ""] ?? "";
    const note = discarded ? message.discard_reason || strings.discardedTry : reason;
    setText(this.#note, note);
    this.#note.hidden = note === "";
    this.#blocks.hidden = discarded;
  }
}
