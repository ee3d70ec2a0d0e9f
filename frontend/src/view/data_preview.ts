/** Exactly what would be shared of a variable, and what may be left out of it. */

import { removeHidden } from "../markdown/hidden";
import { makeDigest } from "./attachments";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import type { DataDigest, DigestChoice, DigestColumn } from "./types";

const ROWS = [0, 5, 20] as const;

export interface DataPreviewOptions {
  readonly signal: AbortSignal;
  /** Whether there is a kernel that could make another text. */
  readonly canAsk: boolean;
  readonly choose: (choice: DigestChoice) => void;
  readonly close: () => void;
}

let nextId = 1;

export class DataPreview {
  readonly #options: DataPreviewOptions;
  readonly element = make("section", "preview");
  readonly #size = make("span", "preview-size");
  readonly #problem = make("p", "preview-problem");
  readonly #again: HTMLButtonElement;
  readonly #rows = make("fieldset", "preview-rows");
  readonly #columns = make("fieldset", "preview-columns");
  readonly #columnList = make("div", "preview-column-list");
  readonly #text = make("div", "preview-text");
  readonly #boxes = new Map<string, HTMLInputElement>();
  readonly #rowButtons = new Map<number, HTMLInputElement>();
  /** The names of the columns that there are boxes for. */
  #shownColumns = "";
  #choice: DigestChoice = { columns: null, rows: 5 };

  constructor(name: string, options: DataPreviewOptions) {
    this.#options = options;
    const id = nextId++;
    this.element.id = `streamchat-preview-${id}`;
    this.element.setAttribute("aria-label", more.previewLabel(name));
    this.#problem.setAttribute("role", "alert");
    this.#again = makeButton(
      "quiet-button",
      more.readAgain,
      () => options.choose(this.#choice),
      options.signal,
    );
    this.#makeRows(`streamchat-rows-${id}`);
    this.#makeColumns();
    this.element.append(
      this.#makeHead(),
      this.#problem,
      make("div", "preview-choice", this.#rows, this.#columns),
      this.#text,
    );
    this.#rows.hidden = true;
    this.#columns.hidden = true;
    this.setState("pending", "");
    this.element.addEventListener("keydown", (event) => this.#onKey(event), {
      signal: options.signal,
    });
  }

  /** Show what would be sent, and the choice that it was made by. */
  show(digest: DataDigest, choice: DigestChoice): void {
    this.#choice = choice;
    this.showText(digest.text);
    this.#again.hidden = true;
    this.#showColumns(digest.columns);
    this.#rows.hidden = digest.columns.length === 0;
    for (const [count, button] of this.#rowButtons)
      button.checked = count === choice.rows;
  }

  /** Show a text that was made before, as it will be sent. */
  showText(text: string): void {
    this.setState("ready", "");
    setText(this.#size, more.characters(text.length));
    this.#text.replaceChildren(makeDigest(text));
    this.#again.hidden = !this.#options.canAsk;
  }

  /** The text is being made, or cannot be: the one that is shown is an old one. */
  setState(state: "pending" | "failed" | "ready", problem: string): void {
    this.element.dataset["state"] = state;
    this.element.setAttribute("aria-busy", String(state === "pending"));
    if (state === "pending") setText(this.#size, more.askingKernel);
    if (state === "failed") setText(this.#size, "");
    setText(this.#problem, problem);
    this.#problem.hidden = problem === "";
    this.#again.hidden = state !== "failed";
  }

  #makeHead(): HTMLElement {
    const close = makeButton(
      "chip-remove",
      makeIcon("cross"),
      this.#options.close,
      this.#options.signal,
    );
    close.setAttribute("aria-label", more.closePreview);
    close.title = more.close;
    const title = make("h2", "preview-title", more.previewTitle);
    return make("div", "preview-head", title, this.#size, this.#again, close);
  }

  #makeRows(name: string): void {
    this.#rows.append(make("legend", "", more.firstRows));
    for (const count of ROWS) {
      const button = make("input", "");
      button.type = "radio";
      button.name = name;
      button.addEventListener(
        "change",
        () => this.#options.choose({ ...this.#choice, rows: count }),
        { signal: this.#options.signal },
      );
      this.#rowButtons.set(count, button);
      this.#rows.append(make("label", "", button, `${count}`));
    }
  }

  #makeColumns(): void {
    const all = (isAllowed: boolean) => () => {
      for (const box of this.#boxes.values()) box.checked = isAllowed;
      this.#chooseColumns();
    };
    const { signal } = this.#options;
    const name = "quiet-button";
    const buttons = make(
      "span",
      "preview-all",
      makeButton(name, more.allColumns, all(true), signal),
      makeButton(name, more.noColumns, all(false), signal),
    );
    this.#columns.append(make("legend", "", more.columns), buttons, this.#columnList);
  }

  #showColumns(columns: readonly DigestColumn[]): void {
    this.#columns.hidden = columns.length === 0;
    const shown = JSON.stringify(columns.map(({ name, dtype }) => [name, dtype]));
    if (shown !== this.#shownColumns) {
      this.#shownColumns = shown;
      this.#boxes.clear();
      this.#columnList.replaceChildren(...columns.map((one) => this.#makeColumn(one)));
    }
    for (const { name, included } of columns) {
      const box = this.#boxes.get(name);
      if (box !== undefined) box.checked = included;
    }
  }

  #makeColumn({ name, dtype, secret }: DigestColumn): HTMLElement {
    const box = make("input", "");
    box.type = "checkbox";
    box.addEventListener("change", () => this.#chooseColumns(), {
      signal: this.#options.signal,
    });
    this.#boxes.set(name, box);
    const words = make("span", "preview-column", removeHidden(name));
    const note = make("span", "preview-dtype", removeHidden(dtype));
    const label = make("label", "", box, words, note);
    if (secret) label.append(make("span", "secret", more.looksSecret));
    return label;
  }

  #chooseColumns(): void {
    const columns = [...this.#boxes]
      .filter(([, { checked }]) => checked)
      .map(([name]) => name);
    this.#options.choose({ ...this.#choice, columns });
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation(); // it would stop the answer
    this.#options.close();
  }
}
