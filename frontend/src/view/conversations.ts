/** The list of conversations: found, opened, renamed, pinned, put away, deleted. */

import { ConversationEntries, type Entry, type Shelf } from "./conversation_entries";
import { ConversationMenu } from "./conversation_menu";
import { ConversationRow, type MenuAction } from "./conversation_row";
import { arrange, make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { AskOptions, ServerAccess } from "./types";

export interface ConversationsViewOptions {
  readonly signal: AbortSignal;
  /** The server of the chat that the list stands in. */
  readonly server: () => ServerAccess | null;
  /** Says something to a screen reader. */
  readonly say: (text: string) => void;
  /** Shows another conversation; a new one for an empty id. */
  readonly open: (conversation: string) => void;
  readonly close: () => void;
}

const SEARCH_AFTER_MS = 250;

export class ConversationsView {
  readonly element = make("section", "conversations");
  readonly #options: ConversationsViewOptions;
  readonly #entries: ConversationEntries;
  readonly #rows = new Map<string, ConversationRow>();
  readonly #menu: ConversationMenu;
  readonly #search = make("input", "conversations-search");
  readonly #groups = make("div", "conversations-groups");
  readonly #empty = make("p", "conversations-empty");
  readonly #notice = make("div", "conversations-notice");
  readonly #noticeText = make("span", "");
  readonly #undo: HTMLButtonElement;
  readonly #more: HTMLButtonElement;
  readonly #shelves: readonly (readonly [Shelf, HTMLButtonElement])[];
  #current = "";
  #undoes: () => void = () => undefined;
  #searchTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConversationsViewOptions) {
    this.#options = options;
    const { signal, server } = options;
    this.#entries = new ConversationEntries(server, () => this.#show(), signal);
    this.#menu = new ConversationMenu({
      ...{ signal, server },
      act: (action, entry) => void this.#act(action, entry),
    });
    this.#undo = this.#button("quiet-button", more.undo, () => this.#undoes());
    this.#more = this.#button("quiet-button", more.showMore, () =>
      this.#entries.showMore(),
    );
    this.#shelves = (["archived", "trash"] as const).map((shelf) => [
      shelf,
      this.#button("quiet-button", more.shelves[shelf], () => this.#chooseShelf(shelf)),
    ]);
    this.#assemble();
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#searchTimer), {
      once: true,
    });
  }

  /** Which conversation is shown, and whether and how the list is. */
  update(
    current: string,
    { isOpen, isBeside }: { readonly isOpen: boolean; readonly isBeside: boolean },
  ): void {
    this.element.setAttribute("role", isBeside ? "navigation" : "dialog");
    if (isOpen) this.#entries.open();
    else this.#entries.close();
    if (isOpen && this.#entries.isKnown) this.#entries.refresh();
    this.#current = current;
    this.#show();
  }

  focus(): void {
    this.#search.focus();
  }

  /** Search as if somebody had typed it. */
  search(words: string): void {
    this.#search.value = words;
    this.#searchNow();
  }

  #assemble(): void {
    const { signal, open, close } = this.#options;
    this.element.setAttribute("aria-label", strings.conversations);
    const closing = this.#button("panel-close", makeIcon("cross"), close);
    closing.setAttribute("aria-label", more.closeConversations);
    closing.title = more.close;
    const fresh = this.#button("conversations-new", makeIcon("plus"), () => open(""));
    fresh.append(strings.untitled);
    this.#search.type = "search";
    this.#search.placeholder = more.searchConversations;
    this.#search.setAttribute("aria-label", more.searchConversations);
    this.#search.addEventListener("input", () => this.#searchSoon(), { signal });
    this.#notice.setAttribute("role", "status");
    this.#notice.append(this.#noticeText, this.#undo);
    this.#notice.hidden = true;
    this.element.append(
      make("div", "conversations-head", fresh, closing),
      this.#search,
      make("div", "conversations-scroller", this.#groups, this.#empty, this.#more),
      this.#notice,
      make("div", "conversations-shelves", ...this.#shelves.map(([, one]) => one)),
    );
  }

  #button(
    className: string,
    label: Node | string,
    onClick: () => void,
  ): HTMLButtonElement {
    return makeButton(className, label, onClick, this.#options.signal);
  }

  #searchSoon(): void {
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => this.#searchNow(), SEARCH_AFTER_MS);
  }

  #searchNow(): void {
    clearTimeout(this.#searchTimer);
    this.#entries.choose(this.#search.value.trim(), this.#entries.shelf);
  }

  #chooseShelf(shelf: Shelf): void {
    const chosen = this.#entries.shelf === shelf ? "usual" : shelf;
    this.#entries.choose(this.#search.value.trim(), chosen);
    this.#show();
  }

  #show(): void {
    const { entries, hasMore, shelf } = this.#entries;
    for (const id of this.#rows.keys()) {
      if (!entries.some((entry) => entry.id === id)) this.#rows.delete(id);
    }
    const focused = document.activeElement;
    const groups = this.#entries.groups().map(({ name, entries: grouped }) => {
      const rows = grouped.map((entry) => this.#rowOf(entry).element);
      return this.#groupOf(name, rows);
    });
    arrange(this.#groups, groups);
    // A row that has moved to another group has lost the focus.
    if (focused instanceof HTMLElement && this.element.contains(focused))
      focused.focus();
    for (const [name, button] of this.#shelves)
      button.setAttribute("aria-pressed", String(name === shelf));
    this.#more.hidden = !hasMore;
    setText(this.#empty, this.#emptyWords());
    this.#empty.hidden = this.#empty.textContent === "";
  }

  #emptyWords(): string {
    const { entries, problem, isKnown, query, shelf } = this.#entries;
    if (problem !== null && !isKnown) return problem.message;
    if (entries.length > 0) return "";
    if (!isKnown) return strings.loading;
    return query === "" ? more.noConversations[shelf] : more.nothingFound;
  }

  #rowOf(entry: Entry): ConversationRow {
    let row = this.#rows.get(entry.id);
    if (row === undefined) {
      row = new ConversationRow(entry, {
        signal: this.#options.signal,
        open: (one) => void this.#open(one),
        rename: (one, title) => void this.#patch(one, { title }),
        showMenu: (one, button) => this.#menu.toggle(one, this.#entries.shelf, button),
      });
      this.#rows.set(entry.id, row);
    }
    row.update(entry, entry.id === this.#current);
    return row;
  }

  /** The element of a group, the same as long as the group is there. */
  #groupOf(name: string, rows: readonly Element[]): Element {
    let group = [...this.#groups.children].find(
      (one) => (one as HTMLElement).dataset["name"] === name,
    );
    if (group === undefined) {
      group = make(
        "section",
        "conversations-group",
        make("h2", "conversations-group-name", name),
        make("ul", "conversations-list"),
      );
      (group as HTMLElement).dataset["name"] = name;
      group.lastElementChild?.setAttribute("aria-label", name);
    }
    if (group.lastElementChild !== null) arrange(group.lastElementChild, rows);
    return group;
  }

  async #open(entry: Entry): Promise<void> {
    if (this.#entries.shelf === "trash") await this.#act("restore", entry);
    this.#options.open(entry.id);
  }

  async #act(action: MenuAction, entry: Entry): Promise<void> {
    switch (action) {
      case "rename":
        this.#rows.get(entry.id)?.edit();
        break;
      case "pin":
      case "unpin":
        await this.#patch(entry, { pinned: action === "pin" });
        break;
      case "archive":
        await this.#patch(entry, { archived: true }, more.archived);
        break;
      case "unarchive":
        await this.#patch(entry, { archived: false });
        break;
      case "delete":
        await this.#delete(entry);
        break;
      case "restore":
        await this.#restore(entry);
        break;
      case "erase":
        await this.#change(entry, "?forever=true", { method: "DELETE" });
        break;
    }
  }

  async #delete(entry: Entry): Promise<void> {
    const isCurrent = entry.id === this.#current;
    this.#focusAfter(entry);
    const isDone = await this.#change(entry, "", { method: "DELETE" });
    if (!isDone) return;
    if (isCurrent) this.#options.open("");
    this.#notify(more.deleted(entry.title || strings.untitled), async () => {
      if ((await this.#restore(entry)) && isCurrent) this.#options.open(entry.id);
    });
  }

  async #restore(entry: Entry): Promise<boolean> {
    return await this.#change(entry, "/restore", { method: "POST", body: {} });
  }

  /** @param undoable what is said of it, where it can be taken back */
  async #patch(
    entry: Entry,
    body: Readonly<Record<string, unknown>>,
    undoable?: (title: string) => string,
  ): Promise<void> {
    if (undoable !== undefined) this.#focusAfter(entry);
    const isDone = await this.#change(entry, "", { method: "PATCH", body });
    if (!isDone || undoable === undefined) return;
    this.#notify(
      undoable(entry.title || strings.untitled),
      () => void this.#patch(entry, { archived: false }),
    );
  }

  async #change(
    { id }: Entry,
    path: string,
    options: Omit<AskOptions, "signal">,
  ): Promise<boolean> {
    const place = `conversations/${encodeURIComponent(id)}${path}`;
    const problem = await this.#entries.change(place, options);
    if (problem === "") this.#notice.hidden = true;
    else this.#notify(problem);
    return problem === "";
  }

  #notify(text: string, undo?: () => void): void {
    setText(this.#noticeText, text);
    this.#undo.hidden = undo === undefined;
    this.#undoes = () => {
      this.#notice.hidden = true;
      this.#search.focus();
      undo?.();
    };
    this.#notice.hidden = false;
    this.#options.say(text);
  }

  /** One goes from the list: the next one has the focus, if it had. */
  #focusAfter({ id }: Entry): void {
    const row = this.#rows.get(id);
    if (!row?.element.contains(document.activeElement)) return;
    const buttons = this.#openers();
    const at = buttons.indexOf(row.button);
    (buttons[at + 1] ?? buttons[at - 1] ?? this.#search).focus();
  }

  #openers(): HTMLElement[] {
    return [
      ...this.#groups.querySelectorAll<HTMLElement>(".streamchat-conversations-open"),
    ];
  }

  #onKey(event: KeyboardEvent): void {
    const isTaken = event.key === "Escape" ? this.#escape() : this.#take(event);
    if (!isTaken) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #escape(): boolean {
    if (this.#search.value !== "") {
      this.#search.value = "";
      this.#searchNow();
      this.#search.focus();
    } else if (this.element.getAttribute("role") === "dialog") this.#options.close();
    return true; // it would stop the answer
  }

  #take({ key, isComposing }: KeyboardEvent): boolean {
    if (isComposing) return false;
    const focused = document.activeElement;
    if (focused === this.#search && key === "Enter") {
      this.#searchNow();
      return true;
    }
    const row = [...this.#rows.values()].find(({ element }) =>
      element.contains(focused),
    );
    if (row === undefined && focused !== this.#search) return false;
    return this.#move(key, row) || (row !== undefined && this.#command(key, row));
  }

  /** @param row the one that has the focus; the search field has it without */
  #move(key: string, row: ConversationRow | undefined): boolean {
    const buttons = this.#openers();
    const at = row === undefined ? -1 : buttons.indexOf(row.button);
    if (key === "ArrowDown") buttons[at + 1]?.focus();
    else if (key === "ArrowUp") (buttons[at - 1] ?? this.#search).focus();
    else if (row === undefined) return false;
    else if (key === "Home") buttons[0]?.focus();
    else if (key === "End") buttons.at(-1)?.focus();
    else return false;
    return true;
  }

  #command(key: string, row: ConversationRow): boolean {
    if (this.#entries.shelf === "trash") return false;
    if (key === "F2") row.edit();
    else if (key === "Delete") void this.#act("delete", row.entry);
    else return false;
    return true;
  }
}
