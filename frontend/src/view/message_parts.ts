/** The parts of an agent's message: texts, thoughts, tools, and what is not known. */

import { type Highlight, StreamingMarkdown } from "../markdown";
import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import type { ApprovalSurroundings, ApprovalView } from "./approval";
import type { AttachmentSurroundings } from "./attachments";
import { citedText } from "./citations";
import type { DataTreeView, DetailsView } from "./data_tree";
import type { DisplayView } from "./display";
import { make, makeProse } from "./element";
import type { Extras, Parts } from "./part";
import { Slot } from "./slot";
import type { SourcesView } from "./sources";
import { strings } from "./strings";
import { ThoughtView } from "./thought";
import { ToolCard } from "./tool_card";
import type { BlockState, ToolCallState } from "./types";
import { waitsForAnswer } from "./waits";

/** What messages need from the chat around them. */
export interface MessageSurroundings
  extends ApprovalSurroundings,
    AttachmentSurroundings {
  readonly signal: AbortSignal;
  readonly highlight: Highlight;
  readonly parts: Parts;
  /** The call that a block of a message made, once it was requested. */
  findCall(message: string, block: BlockState): ToolCallState | undefined;
  turnRuns(turn: string | null | undefined): boolean;
  /** Whether what the turn answers wants data instead of prose. */
  wantsData(turn: string | null | undefined): boolean;
}

/** What one or more blocks look like; which of these depends on their kind. */
export interface MessagePart {
  readonly kind: string;
  readonly element: HTMLElement;
  /** @param blocks one, or the pieces of one text */
  update(blocks: readonly BlockState[], complete: boolean): void;
}

/** Prose, with what it cites. */
export class TextPart implements MessagePart {
  readonly #surroundings: MessageSurroundings;
  readonly kind = "text";
  readonly element: HTMLElement;
  readonly #text = makeProse("div", "markdown");
  readonly #sources: Slot<Extras, SourcesView>;
  #markdown: StreamingMarkdown;
  #received = "";

  constructor(surroundings: MessageSurroundings) {
    this.#surroundings = surroundings;
    const { signal, parts } = surroundings;
    this.#markdown = new StreamingMarkdown(this.#text, surroundings);
    this.#sources = new Slot({
      ...{ part: parts.extras, name: strings.sources(2), signal },
      make: ({ SourcesView }) => new SourcesView(signal),
    });
    this.element = make("div", "text-part", this.#text, this.#sources.element);
  }

  update(blocks: readonly BlockState[], complete: boolean): void {
    const { text, sources } = citedText(blocks);
    this.element.hidden = text === "";
    if (!complete && text.startsWith(this.#received)) {
      this.#markdown.append(text.slice(this.#received.length));
    } else if (!complete || (text !== this.#received && sources.length > 0)) {
      // Numbers that became buttons are not what the markdown knows.
      this.#text.replaceChildren();
      this.#markdown = new StreamingMarkdown(this.#text, this.#surroundings);
      this.#markdown.append(text);
    }
    if (complete) this.#markdown.finish(text);
    this.#received = text;
    this.#sources.show(sources.length > 0, (view) =>
      view.update(sources, complete ? this.#text : null),
    );
  }
}

/** One JSON text: its characters while they come, then what it stands for. */
export class DataPart implements MessagePart {
  readonly kind = "data";
  readonly #raw = make("pre", "tool-text");
  readonly #tree: Slot<Extras, DataTreeView>;
  readonly element: HTMLElement;

  constructor({ signal, parts }: MessageSurroundings) {
    this.#raw.tabIndex = 0;
    this.#tree = new Slot({
      ...{ part: parts.extras, name: strings.structured, signal },
      make: ({ DataTreeView }) => new DataTreeView(),
    });
    this.element = make("div", "data", this.#raw, this.#tree.element);
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", strings.structured);
  }

  update(blocks: readonly BlockState[], complete: boolean): void {
    const text = blocks.map((block) => block.text).join("");
    const value = complete ? parsed(text) : undefined;
    this.#raw.hidden = false;
    this.#tree.show(value !== undefined, (view) => {
      view.update(text, value);
      this.#raw.hidden = value !== undefined;
    });
    this.#raw.replaceChildren();
    if (!this.#raw.hidden) appendVisible(this.#raw, showControls(text));
  }
}

/** What a whole JSON text stands for; undefined for any other. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export class ThinkingPart implements MessagePart {
  readonly kind = "thinking";
  readonly #view: ThoughtView;

  constructor(signal: AbortSignal) {
    this.#view = new ThoughtView(signal);
  }

  get element(): HTMLElement {
    return this.#view.element;
  }

  update([block]: readonly BlockState[], complete: boolean): void {
    this.#view.update(block?.text ?? "", complete, block?.duration_ms);
  }
}

export class ToolPart implements MessagePart {
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
    this.card = new ToolCard(surroundings);
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

  update([block]: readonly BlockState[]): void {
    if (block === undefined) return;
    const call = this.#surroundings.findCall(this.#message, block);
    if (call === undefined) {
      const { content } = block;
      this.card.announce(
        content?.type === "tool_use" ? content.name : null,
        block.text,
      );
      return;
    }
    const turnRuns = this.#surroundings.turnRuns(call.turn);
    this.card.update(call, turnRuns);
    const waits = waitsForAnswer(call, turnRuns);
    const approval = this.#approval.view?.element;
    const hadFocus = approval?.contains(document.activeElement);
    this.#approval.show(waits, (view) => view.update(call, turnRuns));
    if (hadFocus && !waits) this.card.focus();
    this.#display.show(call.display.length > 0, (view) => view.update(call.display));
  }
}

/** A block of the endpoint's own of a kind that is not known here: folded. */
export class DetailsPart implements MessagePart {
  readonly kind = "details";
  readonly element = make("div", "details-part");
  readonly #details: Slot<Extras, DetailsView>;

  constructor({ signal, parts }: MessageSurroundings) {
    this.#details = new Slot({
      ...{ part: parts.extras, name: strings.details(""), signal },
      make: ({ DetailsView }) => new DetailsView(),
    });
    this.element.append(this.#details.element);
  }

  update([block]: readonly BlockState[]): void {
    const content = block?.content;
    if (content?.type !== "provider") return;
    this.#details.show(true, (view) => view.update(content.data));
  }
}

/** Thoughts that only the endpoint can read. */
export class RedactedPart implements MessagePart {
  readonly kind = "redacted";
  readonly element = make("p", "redacted", strings.redacted);

  update(): void {}
}

/** Blocks that have nothing to show keep their place. */
export class EmptyPart implements MessagePart {
  readonly kind = "empty";
  readonly element = make("div", "");

  constructor() {
    this.element.hidden = true;
  }

  update(): void {}
}
