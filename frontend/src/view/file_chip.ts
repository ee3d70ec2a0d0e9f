/** A file that is to be attached, from its upload on. */

import type { Attachment } from "../content";
import { removeHidden } from "../markdown/hidden";
import { type Chip, type ChipOptions, type ChipState, ChipView } from "./chip";
import { make } from "./element";
import { formatBytes } from "./formats";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import { drawPicture, isPicture } from "./picture";
import type { ChatModel } from "./types";

export interface FileChipOptions extends ChipOptions {
  readonly model: Pick<ChatModel, "upload" | "attachedFile">;
}

export class FileChip implements Chip {
  readonly #source: File | Exclude<Attachment, { readonly type: "data" }>;
  readonly #options: FileChipOptions;
  readonly variable = null;
  readonly element: HTMLElement;
  state: ChipState = "pending";
  block: Attachment | null = null;
  readonly #view: ChipView;
  readonly #picture = make("img", "chip-picture");
  readonly #icon = makeIcon("file");
  readonly #lifetime = new AbortController();

  /** @param source the file to upload, or what was uploaded before the page was loaded */
  constructor(
    source: File | Exclude<Attachment, { readonly type: "data" }>,
    options: FileChipOptions,
  ) {
    this.#source = source;
    this.#options = options;
    const name = nameOf(source);
    this.#picture.alt = "";
    this.#picture.hidden = true;
    const words = make("span", "chip-name", removeHidden(name));
    words.title = removeHidden(name);
    const label = make(
      "span",
      "chip-label",
      this.#picture,
      this.#icon,
      make("span", "spinner"),
      words,
    );
    this.#view = new ChipView(label, name, {
      signal: options.signal,
      retry: () => void this.#upload(),
      remove: () => options.remove(this),
    });
    this.element = this.#view.element;
    options.signal.addEventListener("abort", () => this.end(), {
      once: true,
      signal: this.#lifetime.signal,
    });
    if (source instanceof File) {
      void this.#draw(source, source.type);
      void this.#upload();
    } else {
      this.#set("ready", "", source);
      void this.#drawUploaded(source);
    }
  }

  end(): void {
    this.#lifetime.abort();
  }

  async #upload(): Promise<void> {
    const source = this.#source;
    if (!(source instanceof File)) return;
    this.#set("pending", more.uploading);
    this.#options.changed();
    const came = await this.#options.model.upload(source, this.#lifetime.signal);
    if (this.#lifetime.signal.aborted) return;
    if ("block" in came) this.#set("ready", formatBytes(source.size), came.block);
    else {
      const { message, retryable } = came.problem;
      this.#set("failed", message, null, retryable === true);
    }
    this.#options.changed();
  }

  #set(
    state: ChipState,
    note: string,
    block: Attachment | null = null,
    canRetry = false,
  ): void {
    this.state = state;
    this.block = block;
    this.#view.show(state, note, canRetry);
  }

  async #drawUploaded(block: { type: string; artifact: string; media_type: string }) {
    if (block.type !== "image") return;
    const { signal } = this.#lifetime;
    const bytes = await this.#options.model.attachedFile(block.artifact, signal);
    if (bytes !== null) await this.#draw(bytes, block.media_type);
  }

  async #draw(bytes: Blob, mediaType: string): Promise<void> {
    if (
      !isPicture(mediaType) ||
      !(await drawPicture(this.#picture, bytes, mediaType))
    ) {
      return;
    }
    this.#picture.hidden = false;
    this.#icon.remove();
  }
}

function nameOf(source: File | Exclude<Attachment, { readonly type: "data" }>): string {
  if (source instanceof File) return source.name;
  const name = source.type === "image" ? source.alt : source.title;
  return name || (source.type === "image" ? more.imageAttachment : more.document);
}
