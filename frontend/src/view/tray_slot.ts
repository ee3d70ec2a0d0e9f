/** The place of what is to be attached: its code is loaded with the first thing. */

import type { Attachment } from "../content";
import type { ChipState } from "./chip";
import type { Extras, Part } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { Tray, TrayOptions } from "./tray";
import type { Variable } from "./types";

/** What was asked for before the code was there. */
interface Wanted {
  readonly restored: readonly Attachment[];
  readonly variables: readonly Variable[];
  /** Names that were typed; whether they are of variables is not known yet. */
  readonly names: readonly string[];
  readonly files: readonly File[];
}

const NOTHING: Wanted = { restored: [], variables: [], names: [], files: [] };

/** As `Tray`; what is asked for before it is there waits, and is pending. */
export class TraySlot {
  readonly #options: TrayOptions;
  readonly #slot: Slot<Extras, Tray>;
  #wanted: Wanted = NOTHING;
  /** Files that are looked at before they are attached. */
  #looking = 0;

  constructor(part: Part<Extras>, options: TrayOptions) {
    this.#options = options;
    const { signal } = options;
    this.#slot = new Slot({
      ...{ part, name: strings.attached, signal },
      make: ({ Tray }) => new Tray(options),
      failed: () => options.changed(),
      giveUp: () => this.#giveUp(),
    });
  }

  get element(): HTMLElement {
    return this.#slot.element;
  }

  get attachments(): readonly Attachment[] {
    return this.#tray?.attachments ?? this.#wanted.restored;
  }

  get isEmpty(): boolean {
    const isEmpty = this.#tray?.isEmpty ?? this.#wanted.restored.length === 0;
    return isEmpty && this.pendingCount === 0;
  }

  get state(): ChipState {
    if (this.#looking > 0) return "pending";
    if (this.#tray !== null) return this.#tray.state;
    if (this.pendingCount === 0) return "ready";
    return this.#slot.hasFailed ? "failed" : "pending";
  }

  get pendingCount(): number {
    const { variables, names, files } = this.#wanted;
    const wanted = variables.length + names.length + files.length;
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

  lookUp(names: readonly string[]): void {
    if (this.#options.dataSource === null || names.length === 0) return;
    if (this.#tray !== null) this.#tray.lookUp(names);
    else if (!names.every((name) => this.#wanted.names.includes(name))) {
      this.#want({ names: [...new Set([...this.#wanted.names, ...names])] });
    }
  }

  keepOnly(names: readonly string[]): void {
    if (this.#tray !== null) this.#tray.keepOnly(names);
    else if (!this.isEmpty) {
      const { restored, variables, names: typed } = this.#wanted;
      const isKept = ({ name }: { name: string }): boolean => names.includes(name);
      this.#wanted = {
        ...this.#wanted,
        restored: restored.filter((one) => one.type !== "data" || isKept(one)),
        variables: variables.filter(isKept),
        names: typed.filter((name) => names.includes(name)),
      };
      this.#refresh();
    }
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
    this.#refresh();
    this.#options.model.keepDraftAttachments([]);
    this.#options.changed();
  }

  #refresh(): void {
    this.#slot.show(!this.isEmpty, (tray) => {
      const { restored, variables, names, files } = this.#wanted;
      if (files.length > 0) void this.#lookAt(files, tray);
      this.#wanted = NOTHING;
      tray.restore(restored);
      for (const variable of variables) tray.addVariable(variable);
      tray.lookUp(names);
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
