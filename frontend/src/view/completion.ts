/** What is offered while a name or a command is being typed, to be chosen by any means. */

import { removeHidden } from "../markdown/hidden";
import { actionOf } from "./all_shortcuts";
import { make, setText } from "./element";
import { type IconName, makeIcon } from "./icon";
import { more } from "./more_strings";
import type { NoAnswer } from "./types";

/** Who takes longer to say what there is, is busy. */
const BUSY_AFTER_MS = 600;

/** What is being typed: from `start` up to the caret. */
export interface Typed {
  readonly start: number;
  readonly prefix: string;
}

/** One thing to choose. */
export interface Choice {
  readonly name: string;
  /** What it is, in a few words. */
  readonly note: string;
  readonly icon?: IconName;
}

/** Something that is completed as it is typed. */
export interface Completing {
  /** What the list is of. */
  readonly label: string;
  /** Said when it takes long to know what there is. */
  readonly busy: string;
  readonly typed: Typed;
  /** The likeliest first; said in place of a list where there is none. */
  readonly offers: (signal: AbortSignal) => Promise<Offers> | Offers;
  /** Take a choice; `complete` only writes it, `choose` may do it at once. */
  readonly take: (choice: Choice, how: "choose" | "complete") => void;
}

export type Offers = readonly Choice[] | NoAnswer;

export interface CompletionOptions {
  readonly signal: AbortSignal;
  readonly field: HTMLTextAreaElement;
  /** What is being typed at the caret, if it can be completed. */
  readonly find: () => Completing | null;
  /** Says something to a screen reader. */
  readonly say: (text: string) => void;
}

let nextId = 1;

export class Completion {
  readonly #options: CompletionOptions;
  readonly element = make("div", "completion");
  readonly #list = make("ul", "completion-list");
  readonly #note = make("p", "completion-note");
  readonly #id = `streamchat-completion-${nextId++}`;
  #completing: Completing | null = null;
  #choices: readonly Choice[] = [];
  #active = 0;
  #asking: AbortController | null = null;
  /** Where that begins which was turned down by Escape. */
  #declined: number | null = null;
  /** Lies over everything: a short cell would cut it. */
  readonly #floats = globalThis.CSS?.supports?.("anchor-scope", "all") ?? false;

  constructor(options: CompletionOptions) {
    this.#options = options;
    const { field, signal } = options;
    this.#list.id = this.#id;
    this.#list.setAttribute("role", "listbox");
    this.#list.tabIndex = 0; // it may be longer than there is room
    this.#note.setAttribute("role", "status");
    this.element.append(this.#list, this.#note);
    if (this.#floats) this.element.popover = "manual";
    field.setAttribute("aria-autocomplete", "list");
    this.close();
    for (const one of [field, this.#list] as readonly HTMLElement[])
      one.addEventListener("blur", (event) => this.#onBlur(event), { signal });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    // Before the field loses the focus, which closes the list.
    this.element.addEventListener("pointerdown", (event) => event.preventDefault(), {
      signal,
    });
    this.#list.addEventListener("click", (event) => this.#onClick(event), { signal });
    signal.addEventListener("abort", () => this.#asking?.abort(), { once: true });
  }

  /** Whether there is something to choose, or to read about it. */
  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Look at what is typed, after every change. */
  refresh(): void {
    const completing = this.#options.find();
    if (completing === null || completing.typed.start === this.#declined) {
      this.#declined = completing?.typed.start ?? null;
      this.close();
      return;
    }
    this.#declined = null;
    this.#completing = completing;
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const offers = completing.offers(asking.signal);
    if (offers instanceof Promise) void this.#wait(offers, asking);
    else this.#show(offers);
  }

  /** Take a key before the field does; says whether it was for the list. */
  takeKey(event: KeyboardEvent): boolean {
    const action = this.isOpen ? actionOf("choices", event) : undefined;
    if (action === "declineChoices") {
      this.#declined = this.#completing?.typed.start ?? null;
      this.close();
      return true;
    }
    const count = this.#choices.length;
    if (action === undefined || count === 0) return false;
    if (action === "nextChoice") this.#setActive((this.#active + 1) % count);
    else if (action === "previousChoice")
      this.#setActive((this.#active + count - 1) % count);
    else this.#take(this.#active, action);
    return true;
  }

  close(): void {
    this.#asking?.abort();
    this.#asking = null;
    this.#choices = [];
    const wasOpen = this.isOpen;
    this.element.hidden = true;
    if (this.#floats && wasOpen && this.element.isConnected) this.element.hidePopover();
    this.#list.replaceChildren();
    const { field } = this.#options;
    this.#list.removeAttribute("aria-activedescendant");
    for (const name of ["haspopup", "controls", "activedescendant"])
      field.removeAttribute(`aria-${name}`);
  }

  /** It is there as long as its field or itself has the focus. */
  #onBlur({ relatedTarget }: FocusEvent): void {
    if (relatedTarget !== this.#list && relatedTarget !== this.#options.field)
      this.close();
  }

  /** In the list the keys are those of the field, which goes on when it closes. */
  #onKey(event: KeyboardEvent): void {
    const { field } = this.#options;
    if (event.isComposing || !this.takeKey(event)) return;
    event.preventDefault();
    event.stopPropagation(); // it would stop the answer
    if (!this.isOpen) field.focus();
  }

  async #wait(coming: Promise<Offers>, asking: AbortController): Promise<void> {
    const words = this.#completing?.busy ?? "";
    const busy = setTimeout(() => this.#say(words), BUSY_AFTER_MS);
    asking.signal.addEventListener("abort", () => clearTimeout(busy), { once: true });
    const offers = await coming;
    clearTimeout(busy);
    if (!asking.signal.aborted) this.#show(offers);
  }

  #show(offers: Offers): void {
    if ("problem" in offers) {
      this.#say(offers.problem.message);
      return;
    }
    if (offers.length === 0) {
      this.close();
      return;
    }
    const hadSome = this.#choices.length;
    this.#choices = offers;
    this.#note.hidden = true;
    this.#list.replaceChildren(...offers.map((one, at) => this.#makeOption(one, at)));
    this.#open();
    this.#mark(0);
    if (hadSome !== offers.length) this.#options.say(more.choices(offers.length));
  }

  /** Say why there is nothing to choose from. */
  #say(note: string): void {
    this.#choices = [];
    this.#list.replaceChildren();
    setText(this.#note, note);
    this.#note.hidden = false;
    this.#open();
    this.#options.field.removeAttribute("aria-activedescendant");
  }

  #open(): void {
    const { field } = this.#options;
    if (this.#floats && !this.isOpen && this.element.isConnected)
      this.element.showPopover();
    this.element.hidden = false;
    this.#list.setAttribute("aria-label", this.#completing?.label ?? "");
    // The field stays a text box of several lines, which is no combobox.
    field.setAttribute("aria-haspopup", "listbox");
    field.setAttribute("aria-controls", this.#id);
  }

  #makeOption({ name, note, icon }: Choice, at: number): HTMLElement {
    const option = make(
      "li",
      "completion-option",
      ...(icon === undefined ? [] : [makeIcon(icon)]),
      make("span", "chip-name", removeHidden(name)),
      make("span", "chip-note", removeHidden(note)),
    );
    option.id = `${this.#id}-${at}`;
    option.setAttribute("role", "option");
    return option;
  }

  #onClick({ target }: MouseEvent): void {
    const option = (target as Element).closest("li");
    if (option !== null) this.#take([...this.#list.children].indexOf(option), "choose");
  }

  #setActive(at: number): void {
    this.#mark(at);
    this.#list.children[at]?.scrollIntoView?.({ block: "nearest" });
  }

  #mark(at: number): void {
    this.#active = at;
    [...this.#list.children].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === at));
    });
    for (const one of [this.#list, this.#options.field])
      one.setAttribute("aria-activedescendant", `${this.#id}-${at}`);
  }

  #take(at: number, how: "choose" | "complete"): void {
    const choice = this.#choices[at];
    const completing = this.#completing;
    this.close();
    if (choice !== undefined) completing?.take(choice, how);
  }
}
