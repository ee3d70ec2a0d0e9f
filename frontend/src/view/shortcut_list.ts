/** The list of keys and commands, over the chat until somebody closes it. */

import { type Scope, SHORTCUTS } from "./all_shortcuts";
import { COMMANDS } from "./commands";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";

/** A key and what it does, in words. */
interface Row {
  readonly keys: readonly string[];
  readonly does: string;
}

export class ShortcutList {
  readonly #root: HTMLElement;
  readonly #signal: AbortSignal;
  #dialog: HTMLDialogElement | null = null;

  /** @param root where it goes into the document */
  constructor(root: HTMLElement, signal: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  /** Show it; what had the focus has it again afterwards. */
  open(): void {
    if (this.#dialog !== null) return;
    const ended = new AbortController();
    const { signal } = ended;
    const dialog = make("dialog", "shortcuts");
    const close = (): void => dialog.close();
    const button = makeButton("panel-close", makeIcon("cross"), close, signal);
    button.setAttribute("aria-label", more.close);
    button.title = more.close;
    const title = make("h2", "panel-title", more.shortcuts);
    dialog.append(make("div", "panel-head", title, button), makeLists());
    dialog.setAttribute("aria-label", more.shortcuts);
    // What is pressed here is not for the chat behind.
    dialog.addEventListener("keydown", (event) => event.stopPropagation(), { signal });
    dialog.addEventListener(
      "click",
      ({ target }) => {
        if (target === dialog) close(); // beside what it shows
      },
      { signal },
    );
    dialog.addEventListener(
      "close",
      () => {
        ended.abort();
        dialog.remove();
        this.#dialog = null;
      },
      { once: true },
    );
    this.#signal.addEventListener("abort", close, { once: true, signal });
    this.#dialog = dialog;
    this.#root.append(dialog);
    dialog.showModal();
  }
}

function makeLists(): HTMLElement {
  const lists = make("div", "shortcut-lists");
  for (const scope of Object.keys(SHORTCUTS) as Scope[]) {
    lists.append(makeList(more.shortcutScopes[scope], rowsOf(scope)));
  }
  const commands = COMMANDS.map(({ name }) => ({
    keys: [`/${name}`],
    does: more.commandWords[name],
  }));
  lists.append(makeList(more.commandsTitle, commands));
  return lists;
}

/** What the table has for a place, in words. */
export function rowsOf(scope: Scope): readonly Row[] {
  return Object.entries<readonly string[]>(SHORTCUTS[scope]).map(([action, keys]) => ({
    keys: keys.map(keyWords),
    does: more.shortcutWords[action as keyof typeof more.shortcutWords],
  }));
}

/** A key of the table as it is written on keyboards: "Ctrl+Shift+C", but "j". */
export function keyWords(key: string): string {
  if (key.length === 1) return key;
  const isApple = /Mac|iPhone|iPad/.test(navigator.platform);
  return key
    .split("+")
    .map((part) => {
      if (part === "Mod" && isApple) return "⌘";
      const names: Readonly<Record<string, string>> = more.keyNames;
      return names[part] ?? part.toUpperCase();
    })
    .join("+");
}

function makeList(title: string, rows: readonly Row[]): HTMLElement {
  const list = make("dl", "shortcut-list");
  for (const { keys, does } of rows) {
    const names = make("dt", "");
    keys.forEach((key, at) => {
      if (at > 0) names.append(" ");
      names.append(make("kbd", "", key));
    });
    list.append(make("div", "shortcut", names, make("dd", "", does)));
  }
  return make("section", "", make("h3", "shortcut-title", title), list);
}
