/** The conversations that are listed, kept as the server has them while it is asked. */

import { more } from "./more_strings";
import type { AskOptions, ErrorBody, ServerAccess } from "./types";

/** One conversation, as `GET api/conversations` lists it. */
export interface Entry {
  readonly id: string;
  readonly title: string;
  readonly updated_ms: number;
  readonly pinned: boolean;
  readonly archived: boolean;
  readonly unread: boolean;
  readonly open_turns: number;
  /** In pieces: outside of a hit, a hit, outside, and so on. */
  readonly marked_title: readonly string[];
  readonly snippet: readonly string[];
}

/** Which of them. */
export type Shelf = "usual" | "archived" | "trash";

export interface EntryGroup {
  readonly name: string;
  readonly entries: readonly Entry[];
}

const PAGE = 50;
const MOST = 200;
const POLL_FIRST_MS = 4_000;
const POLL_MOST_MS = 60_000;
const DAY_MS = 86_400_000;

export class ConversationEntries {
  readonly #server: () => ServerAccess | null;
  readonly #signal: AbortSignal;
  readonly #changed: () => void;
  #entries: readonly Entry[] = [];
  #query = "";
  #shelf: Shelf = "usual";
  #limit = PAGE;
  #hasMore = false;
  #isKnown = false;
  #problem: ErrorBody | null = null;
  #isOpen = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = POLL_FIRST_MS;
  #asking: AbortController | null = null;
  #shown = "";

  constructor(
    server: () => ServerAccess | null,
    changed: () => void,
    signal: AbortSignal,
  ) {
    this.#server = server;
    this.#changed = changed;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.close(), { once: true });
    document.addEventListener(
      "visibilitychange",
      () => {
        if (this.#isOpen && !document.hidden) this.refresh();
      },
      { signal },
    );
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get query(): string {
    return this.#query;
  }

  get shelf(): Shelf {
    return this.#shelf;
  }

  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** Whether the server has said what there is. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get problem(): ErrorBody | null {
    return this.#problem;
  }

  /** Keep them fresh from now on. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.refresh();
  }

  close(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  /** List others. */
  choose(query: string, shelf: Shelf): void {
    if (query === this.#query && shelf === this.#shelf) return;
    if (shelf !== this.#shelf) this.#isKnown = false;
    this.#query = query;
    this.#shelf = shelf;
    this.#limit = PAGE;
    this.refresh();
  }

  showMore(): void {
    this.#limit = Math.min(MOST, this.#limit + PAGE);
    this.refresh();
  }

  /** Ask now, and then now and then. */
  refresh(): void {
    this.#pauseMs = POLL_FIRST_MS;
    void this.#ask();
  }

  /** Change one, and see what came of it; returns what went wrong. */
  async change(path: string, options: Omit<AskOptions, "signal">): Promise<string> {
    const server = this.#server();
    if (server === null) return more.notConnected;
    const came = await server.ask(path, { ...options, signal: this.#signal });
    if (!this.#signal.aborted) this.refresh();
    return "problem" in came ? came.problem.message : "";
  }

  /** In groups, as they are shown. */
  groups(now = Date.now()): readonly EntryGroup[] {
    if (this.#query !== "") return [{ name: more.found, entries: this.#entries }];
    const midnight = new Date(now).setHours(0, 0, 0, 0);
    const names = [
      more.pinned,
      more.today,
      more.yesterday,
      more.previousDays,
      more.older,
    ];
    const groups = names.map((name) => ({ name, entries: [] as Entry[] }));
    for (const entry of this.#entries) {
      if (entry.title === "") continue; // nothing was said in it
      const days = Math.ceil((midnight - entry.updated_ms) / DAY_MS);
      const index = days <= 0 ? 1 : days === 1 ? 2 : days <= 7 ? 3 : 4;
      groups[entry.pinned ? 0 : index]?.entries.push(entry);
    }
    return groups.filter(({ entries }) => entries.length > 0);
  }

  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const server = this.#server();
    if (!this.#isOpen || server === null) return;
    const asking = new AbortController();
    this.#asking = asking;
    const signal = AbortSignal.any([asking.signal, this.#signal]);
    const came = await server.ask(`conversations?${this.#parameters()}`, { signal });
    if (asking.signal.aborted || this.#signal.aborted) return;
    if ("problem" in came) {
      this.#problem = came.problem;
      this.#changed();
    } else this.#take(came.answer as Page);
    this.#pauseMs = Math.min(POLL_MOST_MS, this.#pauseMs * 1.5);
    this.#timer = setTimeout(() => {
      if (!document.hidden) void this.#ask();
    }, this.#pauseMs);
  }

  #take(page: Page): void {
    const shown = JSON.stringify([page, this.#query, this.#shelf]);
    this.#problem = null;
    this.#isKnown = true;
    this.#entries = page.conversations;
    this.#hasMore = page.next != null && this.#limit < MOST;
    if (shown !== this.#shown) this.#pauseMs = POLL_FIRST_MS;
    this.#shown = shown;
    this.#changed();
  }

  #parameters(): string {
    const wanted: Record<string, string> = { limit: String(this.#limit) };
    if (this.#query !== "") wanted["q"] = this.#query;
    if (this.#shelf === "trash") wanted["deleted"] = "true";
    else if (this.#shelf === "archived") wanted["archived"] = "true";
    else if (this.#query === "") wanted["archived"] = "false";
    return Object.entries(wanted)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join("&");
  }
}

interface Page {
  readonly conversations: readonly Entry[];
  readonly next?: string | null;
}
