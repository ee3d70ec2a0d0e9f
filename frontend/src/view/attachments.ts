/** What is attached to a message that was sent: data to read, pictures, files. */

import type { Attachment } from "../content";
import { removeHidden, showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import type { DataBlock, DocumentBlock, ImageBlock } from "../protocol";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import { drawPicture, enlarge } from "./picture";

/** What attachments need from the chat around them. */
export interface AttachmentSurroundings {
  readonly signal: AbortSignal;
  /** The bytes of an attached file; `null` where they cannot be had. */
  attachedFile(artifact: string, signal: AbortSignal): Promise<Blob | null>;
}

/** The elements for a message's attachments, made anew only when these change. */
export class AttachmentsView {
  readonly #surroundings: AttachmentSurroundings;
  readonly element = make("div", "attachments");
  #shown: readonly Attachment[] = [];

  constructor(surroundings: AttachmentSurroundings) {
    this.#surroundings = surroundings;
    this.element.hidden = true;
  }

  update(attachments: readonly Attachment[]): void {
    const isSame =
      attachments.length === this.#shown.length &&
      attachments.every((one, at) => areSame(one, this.#shown[at]));
    if (isSame) return;
    this.#shown = attachments;
    this.element.hidden = attachments.length === 0;
    this.element.replaceChildren(...attachments.map((one) => this.#elementOf(one)));
  }

  #elementOf(attachment: Attachment): HTMLElement {
    switch (attachment.type) {
      case "data":
        return makeData(attachment, this.#surroundings.signal);
      case "image":
        return this.#makePicture(attachment);
      case "document":
        return this.#makeDocument(attachment);
    }
  }

  #makePicture({ artifact, media_type, alt = "" }: ImageBlock): HTMLElement {
    const { signal } = this.#surroundings;
    const picture = make("img", "");
    picture.alt = removeHidden(alt) || more.imageAttachment;
    const button = makeButton(
      "thumbnail",
      picture,
      () => void this.#enlarge(picture, artifact, media_type),
      signal,
    );
    button.setAttribute("aria-label", more.enlarge(picture.alt));
    button.title = picture.alt;
    void this.#draw(picture, artifact, media_type).then((isDrawn) => {
      if (isDrawn || signal.aborted) return;
      button.disabled = true;
      button.replaceChildren(more.pictureBroken);
    });
    return button;
  }

  async #draw(
    picture: HTMLImageElement,
    artifact: string,
    mediaType: string,
  ): Promise<boolean> {
    const { signal } = this.#surroundings;
    const bytes = await this.#surroundings.attachedFile(artifact, signal);
    return bytes !== null && (await drawPicture(picture, bytes, mediaType));
  }

  async #enlarge(
    picture: HTMLImageElement,
    artifact: string,
    mediaType: string,
  ): Promise<void> {
    const { signal } = this.#surroundings;
    const bytes = await this.#surroundings.attachedFile(artifact, signal);
    if (bytes !== null && !signal.aborted) enlarge(picture, bytes, mediaType, signal);
  }

  #makeDocument(block: DocumentBlock): HTMLElement {
    const name = removeHidden(block.title ?? "") || more.document;
    const note = make("span", "chip-note", kindOf(block));
    const words = make("span", "chip-name", name);
    const button = makeButton(
      "chip",
      makeIcon("file"),
      () => void this.#save(block.artifact, name, note),
      this.#surroundings.signal,
    );
    button.append(words, note);
    button.title = more.download(name);
    return button;
  }

  async #save(artifact: string, name: string, note: Element): Promise<void> {
    const { signal } = this.#surroundings;
    const bytes = await this.#surroundings.attachedFile(artifact, signal);
    if (bytes === null) {
      setText(note, more.fileGone);
      return;
    }
    // Without a type it is a file to keep, never a page to open.
    const url = URL.createObjectURL(
      new Blob([bytes], { type: "application/octet-stream" }),
    );
    const link = make("a", "");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000); // once the browser has begun
  }
}

function areSame(one: Attachment, other: Attachment | undefined): boolean {
  if (one === other) return true;
  if (one.type === "data" || other === undefined || other.type === "data") {
    return (
      one.type === "data" &&
      other?.type === "data" &&
      one.name === other.name &&
      one.text === other.text
    );
  }
  return one.artifact === other.artifact;
}

/** Shared data: folded, and opened exactly the text that a model reads. */
function makeData({ name, text }: DataBlock, signal: AbortSignal): HTMLElement {
  const element = make("details", "chip shared");
  const summary = make(
    "summary",
    "",
    makeIcon("data"),
    make("span", "chip-name", removeHidden(name)),
    make("span", "chip-note", more.characters(text.length)),
    makeIcon("chevron"),
  );
  summary.title = more.sharedData;
  element.append(summary);
  element.addEventListener(
    "toggle",
    () => {
      if (element.childElementCount === 1) element.append(makeDigest(text));
    },
    { signal },
  );
  return element;
}

/** Exactly the text, its hidden characters as marks. */
export function makeDigest(text: string): HTMLElement {
  const pre = make("pre", "digest");
  pre.tabIndex = 0;
  appendVisible(pre, showControls(text));
  return pre;
}

function kindOf({ media_type }: DocumentBlock): string {
  return media_type === "application/pdf" ? "PDF" : more.textFile;
}
