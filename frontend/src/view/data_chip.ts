/** A variable that is to be shared, from the question to its kernel on. */

import type { DataBlock } from "../protocol";
import { type Chip, type ChipOptions, type ChipState, ChipView } from "./chip";
import { DataPreview } from "./data_preview";
import { make, makeButton } from "./element";
import { makeIcon } from "./icon";
import { more } from "./more_strings";
import type { DataDigest, DataSource, DigestChoice, Variable } from "./types";

/** A kernel that takes longer is busy. */
const BUSY_AFTER_MS = 600;

export interface DataChipOptions extends ChipOptions {
  /** `null` where no kernel can be asked. */
  readonly dataSource: DataSource | null;
  /** There is no such variable: what was typed is only a word. */
  readonly unknown: (chip: Chip) => void;
  /** Show the preview, or hide it when it is shown. */
  readonly toggle: (chip: DataChip) => void;
}

export class DataChip implements Chip {
  readonly #options: DataChipOptions;
  readonly variable: string;
  readonly element: HTMLElement;
  readonly preview: DataPreview;
  state: ChipState = "pending";
  block: DataBlock | null = null;
  readonly #view: ChipView;
  readonly #opener: HTMLButtonElement;
  #choice: DigestChoice = { columns: null, rows: 5 };
  #asking: AbortController | null = null;

  /** @param source the variable, or what was to be shared before the page was loaded */
  constructor(
    source: Pick<Variable, "name"> & Partial<Variable & DataBlock>,
    options: DataChipOptions,
  ) {
    this.#options = options;
    const { signal } = options;
    this.variable = source.name;
    this.preview = new DataPreview(source.name, {
      signal,
      canAsk: options.dataSource !== null,
      choose: (choice) => void this.#ask(choice),
      close: () => this.#toggle(),
    });
    this.#opener = makeButton(
      "chip-label",
      makeIcon("data"),
      () => this.#toggle(),
      signal,
    );
    this.#opener.append(
      make("span", "spinner"),
      make("span", "chip-name", source.name),
    );
    this.#opener.title = more.showPreview;
    this.#opener.setAttribute("aria-controls", this.preview.element.id);
    this.#view = new ChipView(this.#opener, source.name, {
      signal,
      retry: () => void this.#ask(this.#choice),
      remove: () => options.remove(this),
    });
    this.element = this.#view.element;
    this.setOpen(false);
    if (source.text === undefined) void this.#ask(this.#choice, describe(source));
    else this.#restore(source.text);
  }

  /** Whether the preview is shown. */
  setOpen(isOpen: boolean): void {
    this.#opener.setAttribute("aria-expanded", String(isOpen));
  }

  focus(): void {
    this.#opener.focus();
  }

  end(): void {
    this.#asking?.abort();
    this.#asking = null;
  }

  #toggle(): void {
    this.#options.toggle(this);
  }

  #restore(text: string): void {
    this.block = { type: "data", name: this.variable, text };
    this.state = "ready";
    this.#view.show("ready", more.characters(text.length));
    this.preview.showText(text);
  }

  async #ask(choice: DigestChoice, kind = ""): Promise<void> {
    const { dataSource, changed } = this.#options;
    if (dataSource === null) return;
    this.end();
    const asking = new AbortController();
    this.#asking = asking;
    this.#choice = choice;
    this.#set("pending", kind);
    changed();
    const busy = setTimeout(() => this.#set("pending", more.kernelBusy), BUSY_AFTER_MS);
    asking.signal.addEventListener("abort", () => clearTimeout(busy), { once: true });
    const digest = await dataSource.digest(this.variable, choice, asking.signal);
    clearTimeout(busy);
    if (asking.signal.aborted || this.#options.signal.aborted) return;
    this.#asking = null;
    if ("text" in digest) this.#take(digest);
    else if (digest.problem.code === "not_found") {
      this.#set("failed", digest.problem.message);
      this.#options.unknown(this);
    } else this.#set("failed", digest.problem.message, true);
    changed();
  }

  #take(digest: DataDigest): void {
    this.block = { type: "data", name: this.variable, text: digest.text };
    this.state = "ready";
    this.#view.show("ready", describeShared(digest));
    this.preview.show(digest, this.#choice);
  }

  #set(state: "pending" | "failed", note: string, canRetry = false): void {
    this.state = state;
    this.block = null; // what was shown before is not what would be sent now
    this.#view.show(state, note, canRetry);
    this.preview.setState(state, state === "failed" ? note : "");
  }
}

/** What is shared; of columns that are denied it says how many are left. */
function describeShared(digest: DataDigest): string {
  const shared = digest.columns.filter(({ included }) => included).length;
  if (shared === digest.columns.length) return describe(digest);
  const note = more.columnsShared(shared);
  return digest.shape === "" ? note : `${digest.shape} · ${note}`;
}

function describe({ kind = "", shape = "" }: Partial<Variable>): string {
  return [kind, shape].filter((part) => part !== "").join(" ");
}
