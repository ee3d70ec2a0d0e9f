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

/** As `Tray`; what is asked for before it is there waits, and is pending. */
export class TraySlot {
  readonly #options: TrayOptions;
  readonly #slot: Slot<Extras, Tray>;
  /** What was asked for before the code was there. */
  #wanted: ((tray: Tray) => void)[] = [];
  /** What is named stays a word: it cannot be shared now. */
  #hasGivenUp = false;
  /** How much is looked at before it is attached. */
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
        this.clear();
        options.model.keepDraftAttachments([]);
        options.changed();
      },
    });
  }

  get element(): HTMLElement {
    return this.#slot.element;
  }

  get attachments(): readonly Attachment[] {
    return this.#tray?.attachments ?? [];
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
    return this.#looking + (this.#tray?.pendingCount ?? this.#wanted.length);
  }

  addFiles(files: readonly File[]): void {
    this.#do((tray) => void this.#lookAt(files, tray));
  }

  addVariable(variable: Variable): void {
    this.#do((tray) => tray.addVariable(variable));
  }

  follow(text: string, caret: number | null): void {
    if (this.#tray !== null) this.#tray.follow(text, caret);
    else if (this.#isNamed(text) && this.pendingCount === 0)
      this.#do((tray) => tray.follow(this.#options.text(), caret));
  }

  keepNamed(): void {
    this.#tray?.keepNamed();
  }

  restore(attachments: readonly Attachment[]): void {
    if (attachments.length > 0) {
      this.#do((tray) => {
        tray.restore(attachments);
        tray.keepNamed();
      });
    }
  }

  clear(): void {
    this.#wanted = [];
    if (this.#tray !== null) this.#tray.clear();
    else this.#slot.show(false, () => undefined);
  }

  get #tray(): Tray | null {
    return this.#slot.view;
  }

  #isNamed(text: string): boolean {
    const canShare = this.#options.dataSource !== null && !this.#hasGivenUp;
    return canShare && MAYBE_NAMED.test(text);
  }

  #do(act: (tray: Tray) => void): void {
    this.#wanted.push(act);
    this.#slot.show(true, (tray) => {
      const wanted = this.#wanted;
      this.#wanted = [];
      this.#looking += 1; // nothing is ready before all of it is there
      for (const one of wanted) one(tray);
      this.#looking -= 1;
      this.#options.changed();
    });
    this.#options.changed();
  }

  /** Nothing is sent without files that somebody has just attached. */
  async #lookAt(files: readonly File[], tray: Tray): Promise<void> {
    this.#looking += files.length;
    await tray.addFiles(files);
    this.#looking -= files.length;
    this.#options.changed();
  }
}
