/** The place of what is to be attached: its code is loaded with the first thing. */

import type { Attachment } from "../content";
import type { ChipState } from "./chip";
import type { Extras, Part } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { Tray, TrayOptions } from "./tray";
import type { Variable } from "./types";

/** A name of a variable may begin here; the tray knows it exactly. */
const MAYBE_NAMED = /(?<![\p{L}\p{N}_.@/:-])@[\p{L}_]/u;

/** What was asked for before the code was there. */
interface Wanted {
  readonly restored: readonly Attachment[];
  readonly variables: readonly Variable[];
  readonly files: readonly File[];
}

const NOTHING: Wanted = { restored: [], variables: [], files: [] };

/** As `Tray`; what is asked for before it is there waits, and is pending. */
export class TraySlot {
  readonly #options: TrayOptions;
  readonly #slot: Slot<Extras, Tray>;
  #wanted: Wanted = NOTHING;
  /** Where the caret was in a text that may name variables; `null`: it was sent. */
  #caret: number | null | undefined;
  /** What is named stays a word: it cannot be shared now. */
  #hasGivenUp = false;
  /** Files that are looked at before they are attached. */
  #looking = 0;

  constructor(part: Part<Extras>, options: TrayOptions) {
    this.#options = options;
    const { signal } = options;
    this.#slot = new Slot({
      ...{ part, name: strings.attached, signal },
      make: ({ Tray }) => new Tray(options),
      failed: () => options.changed(),
      giveUp: () => {
        this.#hasGivenUp = true;
        this.#giveUp();
      },
    });
  }

  get element(): HTMLElement {
    return this.#slot.element;
  }

  get attachments(): readonly Attachment[] {
    return this.#tray?.attachments ?? this.#wanted.restored;
  }

  get isEmpty(): boolean {
    return (this.#tray?.isEmpty ?? true) && this.pendingCount === 0;
  }

  get state(): ChipState {
    if (this.#looking > 0) return "pending";
    if (this.#tray !== null) return this.#tray.state;
    if (this.pendingCount === 0) return "ready";
    return this.#slot.hasFailed ? "failed" : "pending";
  }

  get pendingCount(): number {
    const { restored, variables, files } = this.#wanted;
    const names = this.#caret === undefined ? 0 : 1;
    const wanted = restored.length + variables.length + files.length + names;
    return this.#looking + (this.#tray?.pendingCount ?? wanted);
  }

  addFiles(files: readonly File[]): void {
    if (this.#tray !== null) void this.#lookAt(files, this.#tray);
    else this.#want({ files: [...this.#wanted.files, ...files] });
  }

  addVariable(variable: Variable): void {
    if (this.#tray !== null) this.#tray.addVariable(variable);
    else this.#want({ variables: [...this.#wanted.variables, variable] });
  }

  follow(text: string, caret: number | null): void {
    if (this.#tray !== null) this.#tray.follow(text, caret);
    else if (this.#options.dataSource !== null && !this.#hasGivenUp) {
      const before = this.#caret;
      this.#caret = MAYBE_NAMED.test(text) ? caret : undefined;
      if (before !== this.#caret) this.#want({});
    }
  }

  keepNamed(): void {
    this.#tray?.keepNamed();
  }

  restore(attachments: readonly Attachment[]): void {
    if (this.#tray !== null) this.#tray.restore(attachments);
    else if (attachments.length > 0) {
      this.#want({ restored: [...this.#wanted.restored, ...attachments] });
    }
  }

  clear(): void {
    if (this.#tray !== null) this.#tray.clear();
    else this.#giveUp();
  }

  get #tray(): Tray | null {
    return this.#slot.view;
  }

  #want(more: Partial<Wanted>): void {
    this.#wanted = { ...this.#wanted, ...more };
    this.#refresh();
    this.#options.changed();
  }

  #giveUp(): void {
    if (this.isEmpty) return;
    this.#wanted = NOTHING;
    this.#caret = undefined;
    this.#refresh();
    this.#options.model.keepDraftAttachments([]);
    this.#options.changed();
  }

  #refresh(): void {
    this.#slot.show(!this.isEmpty, (tray) => {
      const { restored, variables, files } = this.#wanted;
      const caret = this.#caret;
      if (files.length > 0) void this.#lookAt(files, tray);
      this.#wanted = NOTHING;
      this.#caret = undefined;
      tray.restore(restored);
      for (const variable of variables) tray.addVariable(variable);
      if (caret === undefined) tray.keepNamed();
      else tray.follow(this.#options.text(), caret);
    });
  }

  /** Nothing is sent without files that somebody has just attached. */
  async #lookAt(files: readonly File[], tray: Tray): Promise<void> {
    this.#looking += files.length;
    await tray.addFiles(files);
    this.#looking -= files.length;
    this.#options.changed();
  }
}
