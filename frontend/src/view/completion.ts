/** The notebook's variables, offered while a name is being typed after an `@`. */

import { removeHidden } from "../markdown/hidden";
import { make, setText } from "./element";
import { makeIcon } from "./icon";
import { mentionAt } from "./mentions";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { DataSource, Variable } from "./types";

/** A kernel that takes longer is busy. */
const BUSY_AFTER_MS = 600;

export interface CompletionOptions {
  readonly signal: AbortSignal;
  readonly field: HTMLTextAreaElement;
  readonly dataSource: DataSource;
  /** Told what was chosen, once its name is in the field. */
  readonly choose: (variable: Variable) => void;
}

let nextId = 1;

export class Completion {
  readonly #options: CompletionOptions;
  readonly element = make("div", "completion");
  readonly #list = make("ul", "completion-list");
  readonly #note = make("p", "completion-note");
  readonly #id = `streamchat-completion-${nextId++}`;
  #variables: readonly Variable[] = [];
  #active = 0;
  #asking: AbortController | null = null;
  /** Where the `@` is that was turned down by Escape. */
  #declined: number | null = null;

  constructor(options: CompletionOptions) {
    this.#options = options;
    this.#list.id = this.#id;
    this.#list.setAttribute("role", "listbox");
    this.#list.setAttribute("aria-label", strings.variables);
    this.#note.setAttribute("role", "status");
    this.element.append(this.#list, this.#note);
    this.close();
    const { field, signal } = options;
    field.addEventListener("blur", () => this.close(), { signal });
    signal.addEventListener("abort", () => this.#asking?.abort(), { once: true });
  }

  /** Whether there is something to choose. */
  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Look at what is typed, after every change. */
  refresh(): void {
    const mention = this.#mention;
    if (mention === null || mention.start === this.#declined) {
      this.#declined = mention?.start ?? null;
      this.close();
      return;
    }
    this.#declined = null;
    void this.#ask(mention.prefix);
  }

  /** Take a key before the field does; says whether it was for the list. */
  takeKey(event: KeyboardEvent): boolean {
    if (!this.isOpen) return false;
    if (event.key === "Escape") {
      this.#declined = this.#mention?.start ?? null;
      this.close();
      return true;
    }
    if (this.#variables.length === 0) return false;
    const last = this.#variables.length - 1;
    switch (event.key) {
      case "ArrowDown":
        this.#setActive(this.#active === last ? 0 : this.#active + 1);
        return true;
      case "ArrowUp":
        this.#setActive(this.#active === 0 ? last : this.#active - 1);
        return true;
      case "Enter":
      case "Tab":
        if (event.shiftKey) return false;
        this.#choose(this.#active);
        return true;
      default:
        return false;
    }
  }

  close(): void {
    this.#asking?.abort();
    this.#asking = null;
    this.#variables = [];
    this.element.hidden = true;
    this.#list.replaceChildren();
    const { field } = this.#options;
    field.setAttribute("aria-autocomplete", "list");
    for (const name of [
      "role",
      "aria-expanded",
      "aria-controls",
      "aria-activedescendant",
    ])
      field.removeAttribute(name);
  }

  get #mention(): ReturnType<typeof mentionAt> {
    const { field } = this.#options;
    if (field.selectionStart !== field.selectionEnd) return null;
    return mentionAt(field.value, field.selectionStart);
  }

  async #ask(prefix: string): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const busy = setTimeout(() => this.#say(more.kernelBusy), BUSY_AFTER_MS);
    asking.signal.addEventListener("abort", () => clearTimeout(busy), { once: true });
    const names = await this.#options.dataSource.names(prefix, asking.signal);
    clearTimeout(busy);
    if (asking.signal.aborted) return;
    if ("problem" in names) this.#say(names.problem.message);
    else this.#show(names, prefix);
  }

  #show(variables: readonly Variable[], prefix: string): void {
    if (variables.length === 0 && prefix !== "") {
      this.close();
      return;
    }
    if (variables.length === 0) {
      this.#say(more.noVariables);
      return;
    }
    this.#variables = variables;
    this.#note.hidden = true;
    this.#list.replaceChildren(
      ...variables.map((one, at) => this.#makeOption(one, at)),
    );
    this.#open();
    this.#setActive(0);
  }

  /** Say why there is nothing to choose from. */
  #say(note: string): void {
    this.#variables = [];
    this.#list.replaceChildren();
    setText(this.#note, note);
    this.#note.hidden = false;
    this.#open();
  }

  #open(): void {
    const { field } = this.#options;
    this.element.hidden = false;
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-expanded", "true");
    field.setAttribute("aria-controls", this.#id);
  }

  #makeOption({ name, kind, shape }: Variable, at: number): HTMLElement {
    const option = make(
      "li",
      "completion-option",
      makeIcon("data"),
      make("span", "chip-name", removeHidden(name)),
      make("span", "chip-note", removeHidden(`${kind} ${shape}`.trim())),
    );
    option.id = `${this.#id}-${at}`;
    option.setAttribute("role", "option");
    const { signal } = this.#options;
    // Before the field loses the focus, which closes the list.
    option.addEventListener("pointerdown", (event) => event.preventDefault(), {
      signal,
    });
    option.addEventListener("click", () => this.#choose(at), { signal });
    return option;
  }

  #setActive(at: number): void {
    this.#active = at;
    [...this.#list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === at));
      if (index === at) option.scrollIntoView?.({ block: "nearest" });
    });
    this.#options.field.setAttribute("aria-activedescendant", `${this.#id}-${at}`);
  }

  #choose(at: number): void {
    const variable = this.#variables[at];
    const mention = this.#mention;
    const { field } = this.#options;
    this.close();
    if (variable === undefined || mention === null) return;
    const after = field.value.slice(field.selectionStart);
    const name = after.startsWith(" ") ? `@${variable.name}` : `@${variable.name} `;
    field.setRangeText(name, mention.start, field.selectionStart, "end");
    this.#options.choose(variable);
  }
}
