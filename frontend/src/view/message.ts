/** Messages: what the reader wrote, and the pieces of what an agent answers. */

import { type Highlight, StreamingMarkdown } from "../markdown";
import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { type ApprovalSurroundings, ApprovalView } from "./approval";
import { DisplayView } from "./display";
import { arrange, make, makeButton, setText } from "./element";
import { strings } from "./strings";
import { ThoughtView } from "./thought";
import { ToolCard } from "./tool_card";
import type { BlockState, MessageState, OutgoingMessage, ToolCallState } from "./types";

/** The text of a user's message, its attachments by name. */
function textOf(message: MessageState): string {
  return message.blocks
    .map((block) => {
      if (block.content?.type === "image") return `[${strings.imageAttachment}]`;
      if (block.content?.type === "document") return `[${strings.document}]`;
      return block.text;
    })
    .join("\n");
}

/** What a message of the reader's may ask for while it is not sent. */
export interface OutgoingRemedies {
  resend(clientMessageId: string): void;
  discard(clientMessageId: string): void;
}

/** The reader's own words, as they were typed. */
export class UserMessageView {
  readonly element = make("article", "streamchat-user");
  private readonly bubble = make("div", "streamchat-user-bubble");
  private readonly footer = make("div", "streamchat-user-footer");
  private readonly note = make("span", "streamchat-user-note");
  private readonly remedies = make("span", "streamchat-user-remedies");
  private shown: string | null = null;
  private clientMessageId = "";

  constructor(remedies: OutgoingRemedies, signal: AbortSignal) {
    this.element.setAttribute("aria-label", strings.you);
    const resend = (): void => remedies.resend(this.clientMessageId);
    const discard = (): void => remedies.discard(this.clientMessageId);
    this.remedies.append(
      makeButton("streamchat-quiet-button", strings.sendAgain, resend, signal),
      makeButton("streamchat-quiet-button", strings.discard, discard, signal),
    );
    this.footer.append(this.note, this.remedies);
    this.element.append(this.bubble, this.footer);
  }

  update(message: MessageState): void {
    this.showText(textOf(message));
    this.showState("sent", "");
  }

  updateOutgoing(message: OutgoingMessage): void {
    this.clientMessageId = message.client_message_id;
    this.showText(message.text);
    if (message.status === "sending") this.showState("sending", strings.sending);
    else this.showState("failed", `${strings.notSent} ${message.error?.message ?? ""}`);
  }

  private showText(text: string): void {
    if (text === this.shown) return;
    this.shown = text;
    this.bubble.replaceChildren();
    appendVisible(this.bubble, showControls(text));
  }

  private showState(state: "sent" | "sending" | "failed", note: string): void {
    this.element.dataset["state"] = state;
    setText(this.note, note.trim());
    this.remedies.hidden = state !== "failed";
    this.footer.hidden = note === "";
  }
}

/** One block's view; which one depends on the block's kind. */
interface Part {
  readonly kind: string;
  readonly element: HTMLElement;
  update(block: BlockState, complete: boolean): void;
}

class TextPart implements Part {
  readonly kind = "text";
  readonly element = make("div", "streamchat-markdown");
  private markdown: StreamingMarkdown;
  private received = "";

  constructor(private readonly surroundings: MessageSurroundings) {
    this.markdown = new StreamingMarkdown(this.element, surroundings);
  }

  update(block: BlockState, complete: boolean): void {
    const { text } = block;
    this.element.hidden = text === "";
    if (complete) {
      this.markdown.finish(text);
    } else if (text.startsWith(this.received)) {
      this.markdown.append(text.slice(this.received.length));
    } else {
      this.element.replaceChildren();
      this.markdown = new StreamingMarkdown(this.element, this.surroundings);
      this.markdown.append(text);
    }
    this.received = text;
  }
}

class ThinkingPart implements Part {
  readonly kind = "thinking";
  private readonly view: ThoughtView;

  constructor(signal: AbortSignal) {
    this.view = new ThoughtView(signal);
  }

  get element(): HTMLElement {
    return this.view.element;
  }

  update(block: BlockState, complete: boolean): void {
    this.view.update(block.text, complete);
  }
}

class ToolPart implements Part {
  readonly kind = "tool_use";
  readonly element = make("div", "streamchat-tool-part");
  readonly card: ToolCard;
  private approval: ApprovalView | null = null;
  private display: DisplayView | null = null;

  constructor(
    private readonly message: string,
    private readonly surroundings: MessageSurroundings,
  ) {
    this.card = new ToolCard(surroundings.signal);
    this.element.append(this.card.element);
  }

  update(block: BlockState): void {
    const call = this.surroundings.findCall(this.message, block);
    if (call === undefined) {
      this.card.announce(block.content?.name ?? null);
      return;
    }
    const turnRuns = this.surroundings.turnRuns(call.turn);
    this.card.update(call, turnRuns);
    this.updateApproval(call, turnRuns);
    this.updateDisplay(call);
  }

  private updateApproval(call: ToolCallState, turnRuns: boolean): void {
    if (call.approval === null && this.approval === null) return;
    if (this.approval === null) {
      this.approval = new ApprovalView(this.surroundings);
      this.card.element.after(this.approval.element);
    }
    this.approval.update(call, turnRuns);
  }

  private updateDisplay(call: ToolCallState): void {
    if (call.display.length === 0 && this.display === null) return;
    if (this.display === null) {
      this.display = new DisplayView();
      this.element.append(this.display.element);
    }
    this.display.update(call.display);
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
export interface MessageSurroundings extends ApprovalSurroundings {
  readonly signal: AbortSignal;
  readonly highlight?: Highlight | undefined;
  /** The call that a tool_use block of a message made, once it was requested. */
  findCall(message: string, block: BlockState): ToolCallState | undefined;
  turnRuns(turn: string | null | undefined): boolean;
}

/** One message of an agent, block by block, without a frame of its own. */
export class AgentMessageView {
  readonly element = make("div", "streamchat-message");
  private readonly blocks = make("div", "streamchat-blocks");
  private readonly note = make("p", "streamchat-message-note");
  private parts: Part[] = [];

  constructor(private readonly surroundings: MessageSurroundings) {
    this.note.hidden = true;
    this.element.append(this.blocks, this.note);
  }

  /** Bring everything up to date with the message. */
  update(message: MessageState): void {
    const complete = message.status !== "streaming";
    this.parts = message.blocks.map((block, at) => {
      const old = this.parts[at];
      return old?.kind === block.kind ? old : this.makePart(message.message, block);
    });
    arrange(
      this.blocks,
      this.parts.map((part) => part.element),
    );
    message.blocks.forEach((block, at) => {
      this.parts[at]?.update(block, complete || block.content != null);
    });
    this.showNote(message);
  }

  /** Bring one block up to date: the cost of a token. */
  updateBlock(message: MessageState, blockId: string): void {
    const at = message.blocks.findIndex((block) => block.block === blockId);
    const block = message.blocks[at];
    const part = this.parts[at];
    if (block === undefined || part?.kind !== block.kind) this.update(message);
    else part.update(block, message.status !== "streaming" || block.content != null);
  }

  private makePart(message: string, block: BlockState): Part {
    switch (block.kind) {
      case "text":
        return new TextPart(this.surroundings);
      case "thinking":
        return new ThinkingPart(this.surroundings.signal);
      case "tool_use":
        return new ToolPart(message, this.surroundings);
      default:
        return new EmptyPart(block.kind);
    }
  }

  private showNote(message: MessageState): void {
    const discarded = message.status === "discarded";
    this.element.classList.toggle("streamchat-discarded", discarded);
    const reason = strings.stopReasons[message.stop_reason ?? ""] ?? "";
    const note = discarded ? message.discard_reason || strings.discardedTry : reason;
    setText(this.note, note);
    this.note.hidden = note === "";
    this.blocks.hidden = discarded;
  }
}
