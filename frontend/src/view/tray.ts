/** What is to be attached to the message that is being written. */

import type { Attachment } from "../content";
import type { Chip, ChipState } from "./chip";
import { DataChip } from "./data_chip";
import { make } from "./element";
import { problemOfFile } from "./file_check";
import { FileChip } from "./file_chip";
import { finishedMentionsIn, mentionsIn, withoutMention } from "./mentions";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ChatModel, DataSource, Variable } from "./types";

const MOST_ATTACHMENTS = 16;

export interface TrayOptions {
  readonly signal: AbortSignal;
  readonly model: Pick<
    ChatModel,
    "upload" | "attachedFile" | "artifactBytesLimit" | "keepDraftAttachments"
  >;
  readonly dataSource: DataSource | null;
  /** Something came, went, or got ready. */
  readonly changed: () => void;
  /** What is written, and a way to change it. */
  readonly text: () => string;
  readonly rewrite: (text: string) => void;
  /** Something cannot be attached. */
  readonly refuse: (why: string) => void;
  readonly focusComposer: () => void;
}

export class Tray {
  readonly #options: TrayOptions;
  readonly element = make("div", "tray");
  readonly #list = make("div", "chips");
  readonly #place = make("div", "preview-place");
  #chips: readonly Chip[] = [];
  #open: DataChip | null = null;
  /** Names that are of no variable: they stay words. */
  readonly #words = new Set<string>();

  constructor(options: TrayOptions) {
    this.#options = options;
    this.#list.setAttribute("role", "list");
    this.#list.setAttribute("aria-label", strings.attached);
    this.element.append(this.#place, this.#list);
    this.element.hidden = true;
  }

  /** What is sent, as far as it is ready. */
  get attachments(): readonly Attachment[] {
    return this.#chips.map(({ block }) => block).filter((block) => block !== null);
  }

  get isEmpty(): boolean {
    return this.#chips.length === 0;
  }

  /** `failed` when anything is, else `pending` when anything is. */
  get state(): ChipState {
    const states = this.#chips.map(({ state }) => state);
    if (states.includes("failed")) return "failed";
    return states.includes("pending") ? "pending" : "ready";
  }

  /** How many are not there yet. */
  get pendingCount(): number {
    return this.#chips.filter(({ state }) => state === "pending").length;
  }

  /** Attach files; those that cannot be are named, and the others are. */
  async addFiles(files: readonly File[]): Promise<void> {
    const problems: string[] = [];
    for (const file of files) {
      const limit = this.#options.model.artifactBytesLimit;
      const problem = await problemOfFile(file, limit);
      if (this.#options.signal.aborted) return;
      if (problem !== null) problems.push(problem);
      else if (!this.#hasRoom) problems.push(more.tooManyAttached(MOST_ATTACHMENTS));
      else this.#add(new FileChip(file, this.#chipOptions));
    }
    if (problems.length > 0) this.#options.refuse([...new Set(problems)].join(" "));
  }

  /** Share a variable that somebody has chosen. */
  addVariable(variable: Variable): void {
    if (this.#has(variable.name)) return;
    if (this.#hasRoom) this.#add(this.#dataChip(variable));
    else this.#options.refuse(more.tooManyAttached(MOST_ATTACHMENTS));
  }

  /**
   * Share what a text names and nothing else; what is no variable stays a word.
   *
   * @param caret a name there is still being typed; `null`: none is
   */
  follow(text: string, caret: number | null): void {
    this.keepNamed();
    if (this.#options.dataSource === null) return;
    const names = caret === null ? mentionsIn(text) : finishedMentionsIn(text, caret);
    for (const name of names) {
      if (!this.#words.has(name) && !this.#has(name) && this.#hasRoom) {
        this.#add(this.#dataChip({ name }));
      }
    }
  }

  /** Share no variable that the text does not name; files stay. */
  keepNamed(): void {
    const names = this.isEmpty ? [] : mentionsIn(this.#options.text());
    for (const chip of this.#chips) {
      if (chip.variable !== null && !names.includes(chip.variable)) this.#drop(chip);
    }
  }

  /** Go on with what was attached before. */
  restore(attachments: readonly Attachment[]): void {
    for (const attachment of attachments.slice(0, MOST_ATTACHMENTS)) {
      if (attachment.type !== "data") {
        this.#add(new FileChip(attachment, this.#chipOptions));
      } else if (!this.#has(attachment.name)) {
        this.#add(this.#dataChip(attachment));
      }
    }
  }

  /** It was sent. */
  clear(): void {
    for (const chip of this.#chips) chip.end();
    this.#chips = [];
    this.#words.clear();
    this.#close();
    this.#refresh();
  }

  get #hasRoom(): boolean {
    return this.#chips.length < MOST_ATTACHMENTS;
  }

  get #chipOptions() {
    const { signal, model } = this.#options;
    return {
      ...{ signal, model },
      changed: () => this.#refresh(),
      remove: (chip: Chip) => this.#remove(chip),
    };
  }

  #dataChip(source: ConstructorParameters<typeof DataChip>[0]): DataChip {
    const isTyped = source.kind === undefined && source.text === undefined;
    return new DataChip(source, {
      ...this.#chipOptions,
      dataSource: this.#options.dataSource,
      toggle: (chip) => this.#toggle(chip),
      unknown: (chip) => {
        if (!isTyped) return;
        this.#words.add(source.name);
        this.#drop(chip);
      },
    });
  }

  #has(variable: string): boolean {
    return this.#chips.some((chip) => chip.variable === variable);
  }

  #add(chip: Chip): void {
    this.#chips = [...this.#chips, chip];
    this.#list.append(chip.element);
    this.#refresh();
  }

  #remove(chip: Chip): void {
    // First its name: a message that waits to be sent would bring it back.
    const { text, rewrite, focusComposer } = this.#options;
    if (chip.variable !== null) rewrite(withoutMention(text(), chip.variable));
    this.#drop(chip);
    focusComposer();
  }

  #drop(chip: Chip): void {
    chip.end();
    if (this.#open === chip) this.#close();
    this.#chips = this.#chips.filter((one) => one !== chip);
    this.#refresh();
  }

  #toggle(chip: DataChip): void {
    const isOpen = this.#open === chip;
    this.#close();
    if (isOpen) {
      chip.focus();
      return;
    }
    this.#open = chip;
    chip.setOpen(true);
    this.#place.replaceChildren(chip.preview.element);
    this.#options.changed();
  }

  #close(): void {
    this.#open?.setOpen(false);
    this.#open = null;
    this.#place.replaceChildren();
  }

  #refresh(): void {
    const elements = new Set<Element>(this.#chips.map(({ element }) => element));
    for (const element of [...this.#list.children]) {
      if (!elements.has(element)) element.remove();
    }
    this.element.hidden = this.isEmpty;
    this.#options.model.keepDraftAttachments(this.attachments);
    this.#options.changed();
  }
}
