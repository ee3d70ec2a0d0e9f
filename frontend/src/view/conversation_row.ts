/** One conversation of the list: its title, what was found in it, and its menu. */

import type { Entry, Shelf } from "./conversation_entries";
import { make, makeButton, makeProse, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import { strings } from "./strings";

export interface RowOptions {
  readonly signal: AbortSignal;
  readonly open: (entry: Entry) => void;
  readonly rename: (entry: Entry, title: string) => void;
  readonly showMenu: (entry: Entry, button: HTMLElement) => void;
}

export class ConversationRow {
  readonly element = make("li", "conversations-row");
  /** What opens it, and has the focus of the row. */
  readonly button: HTMLButtonElement;
  readonly #menu: HTMLButtonElement;
  readonly #title = makeProse("span", "conversations-title");
  readonly #mark = make("span", "conversations-mark");
  readonly #snippet = makeProse("span", "conversations-snippet");
  readonly #options: RowOptions;
  #entry: Entry;
  #field: HTMLInputElement | null = null;

  constructor(entry: Entry, options: RowOptions) {
    this.#entry = entry;
    this.#options = options;
    const { signal } = options;
    const line = make("span", "conversations-line", this.#title, this.#mark);
    this.button = makeButton(
      "conversations-open",
      line,
      () => options.open(this.#entry),
      signal,
    );
    this.button.append(this.#snippet);
    this.#menu = makeButton(
      "conversations-menu-button",
      makeIcon("dots"),
      () => this.openMenu(),
      signal,
    );
    this.#menu.setAttribute("aria-haspopup", "menu");
    this.#menu.setAttribute("aria-expanded", "false");
    this.element.append(this.button, this.#menu);
  }

  get entry(): Entry {
    return this.#entry;
  }

  update(entry: Entry, isCurrent: boolean): void {
    this.#entry = entry;
    const title = entry.title || strings.untitled;
    if (entry.title === "") setText(this.#title, title);
    else showMarked(this.#title, entry.marked_title);
    showMarked(this.#snippet, entry.snippet);
    this.#snippet.hidden = entry.snippet.length === 0;
    const isUnread = entry.unread && !isCurrent;
    const isAnswering = entry.open_turns > 0;
    this.#mark.dataset["kind"] = isAnswering ? "answering" : isUnread ? "unread" : "";
    setText(this.#mark, isAnswering ? more.answering : isUnread ? more.unread : "");
    if (isCurrent) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
    this.button.title = title;
    this.#menu.setAttribute("aria-label", more.about(more.conversationMenu, title));
  }

  openMenu(): void {
    this.#options.showMenu(this.#entry, this.#menu);
  }

  /** Let its title be written. */
  edit(): void {
    if (this.#field !== null) return;
    const field = make("input", "conversations-field");
    this.#field = field;
    field.type = "text";
    field.maxLength = 200;
    field.value = this.#entry.title;
    field.setAttribute("aria-label", more.newTitle);
    const { signal } = this.#options;
    field.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    field.addEventListener("blur", () => this.#leave(true), { signal });
    this.button.hidden = true;
    this.element.prepend(field);
    field.focus();
    field.select();
  }

  #onKey(event: KeyboardEvent): void {
    event.stopPropagation(); // it is text, not a command of the list
    if (event.isComposing) return;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    this.#leave(event.key === "Enter");
    this.button.focus();
  }

  #leave(isSaved: boolean): void {
    const field = this.#field;
    if (field === null) return;
    this.#field = null;
    const title = field.value.trim();
    this.button.hidden = false;
    field.remove();
    if (!isSaved || title === "" || title === this.#entry.title) return;
    setText(this.#title, title); // at once; the list comes with the server's
    this.#options.rename(this.#entry, title);
  }
}

/** Show pieces of text, of which each second one is a hit. */
export function showMarked(element: Element, pieces: readonly string[]): void {
  const isPlain = pieces.length <= 1;
  if (isPlain && element.childElementCount === 0) {
    setText(element, pieces[0] ?? "");
    return;
  }
  element.replaceChildren(
    ...pieces.map((piece, index) =>
      index % 2 === 1 ? make("mark", "", piece) : piece,
    ),
  );
}

/** What can be done with a conversation of a shelf, in order. */
export type MenuAction =
  | "rename"
  | "pin"
  | "unpin"
  | "archive"
  | "unarchive"
  | "delete"
  | "restore"
  | "erase";

export function menuActions(entry: Entry, shelf: Shelf): readonly MenuAction[] {
  if (shelf === "trash") return ["restore", "erase"];
  return [
    "rename",
    entry.pinned ? "unpin" : "pin",
    entry.archived ? "unarchive" : "archive",
    "delete",
  ];
}
