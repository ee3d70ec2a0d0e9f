/** The menu of one conversation of the list. */

import type { Entry, Shelf } from "./conversation_entries";
import { type MenuAction, menuActions } from "./conversation_row";
import { make, makeButton } from "./element";
import { more } from "./more_strings";
import type { ServerAccess } from "./types";

const FORMATS = ["md", "html", "ipynb", "json"] as const;

export interface MenuOptions {
  readonly signal: AbortSignal;
  readonly act: (action: MenuAction, entry: Entry) => void;
  readonly server: () => ServerAccess | null;
}

export class ConversationMenu {
  readonly element = make("div", "conversations-menu");
  readonly #options: MenuOptions;
  #button: HTMLElement | null = null;

  constructor(options: MenuOptions) {
    this.#options = options;
    const { signal } = options;
    this.element.setAttribute("role", "menu");
    this.element.hidden = true;
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.element.addEventListener(
      "focusout",
      ({ relatedTarget }) => {
        const isInside =
          relatedTarget instanceof Node && this.element.contains(relatedTarget);
        if (!isInside && relatedTarget !== this.#button) this.close(false);
      },
      { signal },
    );
  }

  /** Open below `button`; where it is open there already, close it. */
  toggle(entry: Entry, shelf: Shelf, button: HTMLElement): void {
    const isOpen = this.#button === button && !this.element.hidden;
    this.close(false);
    if (isOpen) return;
    this.#button = button;
    button.setAttribute("aria-expanded", "true");
    this.element.setAttribute("aria-label", entry.title);
    this.element.replaceChildren(...this.#items(entry, shelf));
    button.parentElement?.append(this.element);
    this.element.hidden = false;
    this.element.scrollIntoView?.({ block: "nearest" });
    this.#focusables()[0]?.focus();
  }

  close(returnsFocus: boolean): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#button?.setAttribute("aria-expanded", "false");
    if (returnsFocus) this.#button?.focus();
    this.#button = null;
  }

  #items(entry: Entry, shelf: Shelf): HTMLElement[] {
    const { signal, act } = this.#options;
    const items: HTMLElement[] = menuActions(entry, shelf).map((action) =>
      makeButton(
        `conversations-menu-item ${action}`,
        more.conversationActions[action],
        () => {
          this.close(true);
          act(action, entry);
        },
        signal,
      ),
    );
    if (shelf !== "trash") items.splice(items.length - 1, 0, ...this.#links(entry));
    for (const item of items) item.setAttribute("role", "menuitem");
    return items;
  }

  #links({ id }: Entry): HTMLElement[] {
    const server = this.#options.server();
    if (server?.isInReach !== true) {
      const note = make("p", "conversations-menu-note", more.outOfReach);
      note.setAttribute("aria-disabled", "true");
      note.tabIndex = -1;
      return [note];
    }
    const { apiUrl } = server;
    const page = this.#link(more.openOnPage, `${new URL("../", apiUrl)}#${id}`);
    page.target = "_blank";
    const exports = FORMATS.map((format) => {
      const url = `${apiUrl}conversations/${encodeURIComponent(id)}/export?format=${format}`;
      const link = this.#link(more.exportAs(more.exportFormats[format]), url);
      link.download = "";
      return link;
    });
    return [page, ...exports];
  }

  #link(text: string, href: string): HTMLAnchorElement {
    const link = make("a", "conversations-menu-item", text);
    link.href = href;
    link.rel = "noopener noreferrer";
    link.addEventListener("click", () => this.close(true), {
      signal: this.#options.signal,
    });
    return link;
  }

  #focusables(): HTMLElement[] {
    return [...this.element.querySelectorAll<HTMLElement>("[role=menuitem]")];
  }

  #onKey(event: KeyboardEvent): void {
    event.stopPropagation();
    const items = this.#focusables();
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) items.at(next % items.length)?.focus();
    else if (event.key === "Escape") this.close(true);
    else return;
    event.preventDefault();
  }
}
