/**
 * What was typed and is nowhere else yet, kept by the browser over a reload.
 *
 * Messages on their way are kept for all tabs, one entry each, so that tabs do not
 * overwrite each other's; whichever sends one first, it is the same message by its id.
 * Before there is a conversation, they and drafts belong to their tab alone.
 */

import { words } from "./connection_words";
import { type Attachment, isAttachment, type Question, questionOf } from "./content";
import type { ContentBlock, UserBlock } from "./protocol";
import type { KeptMessage } from "./transport/outbox";
import type { OutgoingMessage } from "./view/types";

const MESSAGE_KEY = "streamchat_nb.message/";
const DRAFT_KEY = "streamchat_nb.draft/";
const ATTACHMENTS_KEY = "streamchat_nb.attachments/";
const DAY_MS = 86_400_000;
/** Older messages are not sent by themselves. */
const SENT_WITHIN_MS = 7 * DAY_MS;
/** Still older ones are of no use to anybody. */
const KEPT_WITHIN_MS = 30 * DAY_MS;
const MOST_MESSAGES = 64;
const MOST_CHARACTERS = 262_144;

/** Where to keep things; `null` where a browser forbids it. */
export interface KeepingPlaces {
  readonly allTabs: Storage | null;
  readonly thisTab: Storage | null;
}

interface KeptRecord extends Question {
  /** When it was typed, milliseconds since the epoch. */
  readonly at: number;
  /** Why the server refused it. */
  readonly problem: string | null;
  /** The code of that refusal. */
  readonly code?: string | undefined;
}

const REVISION = "message:";

/** What keeps an earlier message that is being written in other words. */
export function revisionOf(message: string): string {
  return `${REVISION}${message}`;
}

/** The storages of a window that may be used. */
export function keepingPlacesOf(window: Window | undefined): KeepingPlaces {
  return {
    allTabs: attempt(() => window?.localStorage ?? null),
    thisTab: attempt(() => window?.sessionStorage ?? null),
  };
}

/** The texts of one conversation. Without storage it keeps nothing and says nothing. */
export class KeptTexts {
  readonly #places: KeepingPlaces;
  readonly #now: () => number;
  #conversation: string;
  #records = new Map<string, KeptRecord>();

  /** @param conversation `null` while there is none */
  constructor(
    conversation: string | null,
    places: KeepingPlaces,
    now = () => Date.now(),
  ) {
    this.#conversation = conversation ?? "";
    this.#places = places;
    this.#now = now;
    this.#read();
  }

  /** Messages that an earlier page left, in the order in which they were typed. */
  get messages(): readonly KeptMessage[] {
    return [...this.#records].map(([clientMessageId, record]) => ({
      clientMessageId,
      ...questionOf(record),
      problem: problemOf(record, this.#now() - record.at),
    }));
  }

  /** Keep the messages of an outbox, and no others that were kept here before. */
  keepMessages(outbox: readonly OutgoingMessage[]): void {
    const records = new Map<string, KeptRecord>();
    for (const message of outbox.slice(-MOST_MESSAGES)) {
      const { client_message_id, error } = message;
      const at = this.#records.get(client_message_id)?.at ?? this.#now();
      const question = questionOf(message);
      const problem = error?.message ?? null;
      records.set(client_message_id, { ...question, at, problem, code: error?.code });
    }
    for (const id of this.#records.keys()) {
      if (!records.has(id)) {
        attempt(() => this.#place?.removeItem(this.#keyOf(id)));
      }
    }
    for (const [id, record] of records) {
      if (record.problem !== this.#records.get(id)?.problem) {
        this.#write(this.#place, this.#keyOf(id), JSON.stringify(record));
      }
    }
    this.#records = records;
  }

  /** What is being written: a new message, or a change of the one of `turn`. */
  draft(turn = ""): string {
    return attempt(() => this.#places.thisTab?.getItem(this.#draftKey(turn))) ?? "";
  }

  keepDraft(text: string, turn = ""): void {
    const key = this.#draftKey(turn);
    if (text === "") {
      attempt(() => this.#places.thisTab?.removeItem(key));
    } else {
      this.#write(this.#places.thisTab, key, text);
    }
  }

  /** What is attached to the new message. */
  get attachments(): readonly Attachment[] {
    const kept = attempt(() => this.#places.thisTab?.getItem(this.#attachmentsKey));
    const blocks = attempt(() => JSON.parse(kept ?? "[]") as unknown);
    return Array.isArray(blocks) ? blocks.filter(isAttachment) : [];
  }

  keepAttachments(attachments: readonly Attachment[]): void {
    const key = this.#attachmentsKey;
    if (attachments.length === 0) {
      attempt(() => this.#places.thisTab?.removeItem(key));
    } else {
      this.#write(this.#places.thisTab, key, JSON.stringify(attachments));
    }
  }

  /** Turns whose messages were being changed. */
  get draftTurns(): readonly string[] {
    const prefix = this.#draftKey("");
    return keysOf(this.#places.thisTab)
      .filter((key) => key.startsWith(prefix) && key !== prefix)
      .map((key) => key.slice(prefix.length))
      .filter((key) => !key.startsWith(REVISION));
  }

  /** The conversation was made: what was kept belongs to it from now on. */
  begin(conversation: string): void {
    const draft = this.draft();
    const { attachments } = this;
    this.keepDraft("");
    this.keepAttachments([]);
    for (const id of this.#records.keys()) {
      attempt(() => this.#place?.removeItem(this.#keyOf(id)));
    }
    this.#conversation = conversation;
    this.keepDraft(draft);
    this.keepAttachments(attachments);
    for (const [id, record] of this.#records) {
      this.#write(this.#place, this.#keyOf(id), JSON.stringify(record));
    }
  }

  get #place(): Storage | null {
    return this.#conversation === "" ? this.#places.thisTab : this.#places.allTabs;
  }

  #keyOf(clientMessageId: string): string {
    return `${MESSAGE_KEY}${this.#conversation}/${clientMessageId}`;
  }

  get #attachmentsKey(): string {
    return `${ATTACHMENTS_KEY}${this.#conversation}`;
  }

  #draftKey(turn: string): string {
    return `${DRAFT_KEY}${this.#conversation}/${turn}`;
  }

  #write(place: Storage | null, key: string, value: string): void {
    if (value.length <= MOST_CHARACTERS) {
      attempt(() => place?.setItem(key, value)); // full: it lives as long as the page
    }
  }

  #read(): void {
    const found: [string, KeptRecord][] = [];
    const prefix = this.#keyOf("");
    for (const key of keysOf(this.#place).filter((one) =>
      one.startsWith(MESSAGE_KEY),
    )) {
      const record = recordOf(attempt(() => this.#place?.getItem(key)) ?? "");
      if (record === null || this.#now() - record.at > KEPT_WITHIN_MS) {
        attempt(() => this.#place?.removeItem(key));
      } else if (key.startsWith(prefix)) {
        found.push([key.slice(prefix.length), record]);
      }
    }
    found.sort(([, one], [, other]) => one.at - other.at);
    this.#records = new Map(found.slice(-MOST_MESSAGES));
  }
}

function problemOf(
  { problem, code }: KeptRecord,
  ageMs: number,
): KeptMessage["problem"] {
  if (problem !== null) {
    return { code: code ?? "refused", message: problem };
  }
  if (ageMs <= SENT_WITHIN_MS) {
    return null;
  }
  const days = Math.floor(ageMs / DAY_MS);
  return { code: "old", message: words.oldMessage(days) };
}

function recordOf(value: string): KeptRecord | null {
  const record = attempt(() => JSON.parse(value) as Partial<KeptRecord> | null);
  const { content, at, problem = null, code } = record ?? {};
  if (!isContent(content) || typeof at !== "number") {
    return null;
  }
  return { ...questionOf({ ...record, content }), at, problem, code };
}

function isContent(content: unknown): content is readonly UserBlock[] {
  return (
    Array.isArray(content) &&
    content.every(
      (block: ContentBlock | null) =>
        isAttachment(block) ||
        (block?.type === "text" && typeof block.text === "string"),
    )
  );
}

function keysOf(place: Storage | null): string[] {
  const count = attempt(() => place?.length) ?? 0;
  return Array.from({ length: count }, (_, at) => attempt(() => place?.key(at))).filter(
    (key) => typeof key === "string",
  );
}

/** What a browser gives, or `null` where it forbids it or has no room. */
function attempt<Value>(action: () => Value): Value | null {
  try {
    return action();
  } catch {
    return null;
  }
}
