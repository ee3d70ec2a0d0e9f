/**
 * The transcript that a saved notebook keeps of its chat, where the page was loaded
 * again: JupyterLab has then forgotten which output the kernel means, and what it says
 * of it gets lost. This page finds the output by its mark and puts the new one there.
 */

import type { KernelChannel, KernelMessage } from "./kernel_channel";

/** How long the kernel's own way may take. */
const PATIENCE_MS = 1_000;

/** What is used of JupyterLab's model of a notebook; other front ends have none. */
interface Outputs {
  readonly length: number;
  get(index: number): { readonly data: Readonly<Record<string, unknown>> };
  set(index: number, output: unknown): void;
}

interface Cells {
  readonly length: number;
  get(index: number): { readonly outputs?: Outputs };
}

/** Keeps the saved transcript of one widget until `signal` aborts. */
export class SavedTranscript {
  readonly #channel: KernelChannel;
  readonly #cells: () => Cells | undefined;
  readonly #signal: AbortSignal;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  /** @param manager the widget manager, which knows its notebook in JupyterLab */
  constructor(channel: KernelChannel, manager: unknown, signal: AbortSignal) {
    this.#channel = channel;
    this.#cells = () => cellsOf(manager);
    this.#signal = signal;
    if (this.#cells() === undefined) {
      return;
    }
    channel.listen("saved", (message) => this.#take(message), signal);
    channel.send("saved", { type: "look" });
  }

  #take(message: KernelMessage): void {
    if (message["type"] === "version") {
      clearTimeout(this.#waiting);
      this.#waiting = setTimeout(() => this.#look(message), PATIENCE_MS);
    } else if (message["type"] === "transcript") {
      this.#put(message);
    }
  }

  #look(message: KernelMessage): void {
    if (!this.#signal.aborted && this.#others(message).length > 0) {
      this.#channel.send("saved", { type: "get" });
    }
  }

  #put(message: KernelMessage): void {
    for (const [outputs, index] of this.#others(message)) {
      outputs.set(index, {
        output_type: "display_data",
        data: message["data"],
        metadata: {},
      });
    }
  }

  /** Where another version of the transcript is than the kernel's. */
  #others({ output, version }: KernelMessage): [Outputs, number][] {
    const cells = this.#cells();
    const found: [Outputs, number][] = [];
    for (let cell = 0; cell < (cells?.length ?? 0); cell += 1) {
      const outputs = cells?.get(cell).outputs;
      for (let index = 0; index < (outputs?.length ?? 0); index += 1) {
        const html = String(outputs?.get(index).data["text/html"] ?? "");
        const is = (mark: string): boolean => html.includes(`data-saved="${mark}`);
        if (outputs && is(`${output} `) && !is(`${output} ${version}"`)) {
          found.push([outputs, index]);
        }
      }
    }
    return found;
  }
}

function cellsOf(manager: unknown): Cells | undefined {
  const known = manager as { context?: { model?: { cells?: Cells } } } | undefined;
  return known?.context?.model?.cells;
}
