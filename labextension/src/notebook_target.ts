/** Which notebook and cell a chat means, and writing code to them. */

import type { Cell } from "@jupyterlab/cells";
import {
  type INotebookTracker,
  type Notebook,
  NotebookActions,
  type NotebookPanel,
} from "@jupyterlab/notebook";
import type {
  InsertOptions,
  NotebookHost,
  ReplaceOptions,
} from "../../frontend/src/notebook_host";
import type { Words } from "./words";

/** A notebook that can be written to. */
interface Target {
  readonly panel: NotebookPanel;
  readonly notebook: Notebook;
}

/** Writes into the notebook around a chat, else into the one that was last active. */
export class NotebookTarget implements NotebookHost {
  readonly #tracker: INotebookTracker;
  readonly #words: Words;
  /** The cell of each notebook that was last active and shows no chat. */
  readonly #lastCells = new WeakMap<Notebook, Cell>();

  constructor(tracker: INotebookTracker, words: Words) {
    this.#tracker = tracker;
    this.#words = words;
    tracker.activeCellChanged.connect((_, cell) => this.#note(cell));
    this.#note(tracker.activeCell);
  }

  hasNotebook(from: Element): boolean {
    const panel = this.#panelFor(from);
    return panel !== null && isWritable(panel);
  }

  async insertCell(code: string, options: InsertOptions): Promise<void> {
    const { panel, notebook } = this.#target(options.from);
    const own = notebook.widgets.findIndex(({ node }) => node.contains(options.from));
    const above = own >= 0 ? own : notebook.activeCellIndex;
    const at = Math.min(above + 1, notebook.widgets.length);
    // In one step of the notebook's history, which undo takes back.
    notebook.model?.sharedModel.insertCell(at, {
      cell_type: "code",
      source: code,
      metadata: { trusted: true },
    });
    notebook.deselectAll();
    notebook.activeCellIndex = at;
    const cell = notebook.widgets[at];
    if (cell === undefined) return;
    await notebook.scrollToCell(cell);
    // The kernel has it then; how long it runs is the notebook's to show.
    if (options.run) {
      NotebookActions.run(notebook, panel.sessionContext).catch(() => undefined);
    }
  }

  async replaceCell(code: string, options: ReplaceOptions): Promise<void> {
    const { notebook } = this.#target(options.from);
    const cell = this.#cellToReplace(notebook);
    if (cell === null) throw new Error(this.#words.noCell);
    if (cell.model.getMetadata("editable") === false) {
      throw new Error(this.#words.lockedCell);
    }
    cell.model.sharedModel.setSource(code);
    notebook.activeCellIndex = notebook.widgets.indexOf(cell);
    await notebook.scrollToCell(cell);
  }

  async cellCode({ from }: ReplaceOptions): Promise<string> {
    const cell = this.#cellToReplace(this.#target(from).notebook);
    if (cell === null) throw new Error(this.#words.noCell);
    return cell.model.sharedModel.getSource();
  }

  #note(cell: Cell | null): void {
    const notebook = this.#tracker.currentWidget?.content;
    if (notebook === undefined || cell === null || showsChat(cell)) return;
    this.#lastCells.set(notebook, cell);
  }

  #panelFor(from: Element): NotebookPanel | null {
    const around = this.#tracker.find(({ node }) => node.contains(from));
    return around ?? this.#tracker.currentWidget;
  }

  #target(from: Element): Target {
    const panel = this.#panelFor(from);
    if (panel === null) throw new Error(this.#words.noNotebook);
    if (!isWritable(panel)) throw new Error(this.#words.readOnly);
    return { panel, notebook: panel.content };
  }

  #cellToReplace(notebook: Notebook): Cell | null {
    const { activeCell } = notebook;
    if (activeCell !== null && !showsChat(activeCell)) return activeCell;
    const last = this.#lastCells.get(notebook);
    return last !== undefined && notebook.widgets.includes(last) ? last : null;
  }
}

function isWritable({ content }: NotebookPanel): boolean {
  return content.model !== null && !content.model.readOnly;
}

function showsChat({ node }: Cell): boolean {
  return node.querySelector(".streamchat") !== null;
}
