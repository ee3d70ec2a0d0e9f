/** Files of a conversation: to the server before they are attached, and back. */

import { requestProblem } from "./connection_words";
import type { Attachment } from "./content";
import type { Identifier } from "./protocol";
import { RequestError, type Requests } from "./transport/requests";
import type { Uploaded } from "./view/types";

const UPLOAD_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** How long to wait for a conversation to put the file into. */
const BEGIN_TIMEOUT_MS = 30_000;

export interface FileTransferOptions {
  /** `null` while there is none. */
  readonly conversation: Identifier | null;
  readonly requests: Requests;
  /** Asks for a conversation to be made. */
  readonly begin: () => void;
  /** Ends everything under way. */
  readonly signal: AbortSignal;
}

/** What the server says of a file that it has taken. */
interface Artifact {
  readonly artifact: Identifier;
  readonly media_type: string;
  readonly name: string;
}

export class FileTransfer {
  readonly #options: FileTransferOptions;
  readonly #waiting = new Set<(conversation: Identifier) => void>();
  #conversation: Identifier | null;

  constructor(options: FileTransferOptions) {
    this.#options = options;
    this.#conversation = options.conversation;
  }

  /** The conversation was made. */
  set conversation(id: Identifier) {
    this.#conversation = id;
    for (const go of this.#waiting) {
      go(id);
    }
    this.#waiting.clear();
  }

  /** Upload a file; a conversation is made for it where there is none. */
  async upload(file: File, signal: AbortSignal): Promise<Uploaded> {
    const ended = AbortSignal.any([signal, this.#options.signal]);
    try {
      const conversation = await this.begun(ended);
      const path = `${artifactsOf(conversation)}?name=${encodeURIComponent(file.name)}`;
      const answer = await this.#options.requests.json(path, {
        ...{ method: "POST", body: file, signal: ended },
        timeoutMs: UPLOAD_TIMEOUT_MS,
      });
      return { block: blockOf(answer as Artifact) };
    } catch (error) {
      const known = error instanceof RequestError;
      return { problem: known ? error.failure.problem : requestProblem(null) };
    }
  }

  /** Return the bytes of a file; `null` where they cannot be had. */
  async download(artifact: Identifier, signal: AbortSignal): Promise<Blob | null> {
    const ended = AbortSignal.any([signal, this.#options.signal]);
    if (this.#conversation === null) {
      return null;
    }
    try {
      const path = `${artifactsOf(this.#conversation)}/${encodeURIComponent(artifact)}`;
      const response = await this.#options.requests.open(path, {
        ...{ headers: { Accept: "*/*" }, signal: ended },
        timeoutMs: DOWNLOAD_TIMEOUT_MS,
      });
      return await response.blob();
    } catch {
      return null;
    }
  }

  /**
   * Wait until there is a conversation; one is made where there is none.
   *
   * @throws {Error} the signal aborted, or there is none after half a minute
   */
  begun(signal: AbortSignal): Promise<Identifier> {
    if (this.#conversation !== null) {
      return Promise.resolve(this.#conversation);
    }
    signal.throwIfAborted();
    this.#options.begin();
    const ended = AbortSignal.any([signal, AbortSignal.timeout(BEGIN_TIMEOUT_MS)]);
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        this.#waiting.delete(resolve);
        reject(new Error("There is no conversation."));
      };
      ended.addEventListener("abort", fail, { once: true });
      this.#waiting.add(resolve);
    });
  }
}

function artifactsOf(conversation: Identifier): string {
  return `conversations/${encodeURIComponent(conversation)}/artifacts`;
}

function blockOf({ artifact, media_type, name }: Artifact): Attachment {
  if (typeof artifact !== "string" || typeof media_type !== "string") {
    throw new TypeError("The answer names no artifact.");
  }
  return media_type.startsWith("image/")
    ? { type: "image", artifact, media_type, alt: name }
    : { type: "document", artifact, media_type, title: name };
}
