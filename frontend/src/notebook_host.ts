/**
 * The notebook around a chat, where the page lets code be written into it.
 *
 * Whatever runs the page sets it (the JupyterLab extension does), under a name that
 * all bundles of a page share; a chat looks for it when it is about to offer that.
 */

/** Writes code into the notebook of a chat, each time because the reader asked. */
export interface NotebookHost {
  /**
   * Tell whether there is a notebook that can be written to.
   *
   * @param from an element of the chat that asks: the notebook around it is meant, or
   *   the one that was last active where the chat stands beside the notebooks
   */
  hasNotebook(from: Element): boolean;
  /**
   * Insert a code cell below the chat's own cell, or below the active one, show it and
   * make it active. The notebook's undo takes it away again.
   *
   * @param options.run whether to run it, too; resolves once it was handed to the
   *   kernel, without waiting for its end
   * @param options.from as in `hasNotebook`
   * @throws {Error} there is no notebook, or it cannot be changed; says so to the reader
   */
  insertCell(code: string, options: InsertOptions): Promise<void>;
  /**
   * Replace the source of the active cell (of the last one that was active, where it
   * is the chat's own); nothing runs. The cell's undo brings the old source back.
   *
   * @throws {Error} there is no such cell, or it cannot be changed; says so to the reader
   */
  replaceCell(code: string, options: ReplaceOptions): Promise<void>;
  /**
   * The source of the cell that `replaceCell` would replace, to show what changes;
   * absent: it cannot be read from here.
   *
   * @throws {Error} there is no such cell
   */
  cellCode?(options: ReplaceOptions): Promise<string>;
}

export interface ReplaceOptions {
  /** An element of the chat that asks. */
  readonly from: Element;
}

export interface InsertOptions extends ReplaceOptions {
  readonly run: boolean;
}

const KEY = Symbol.for("streamchat_nb.notebook_host");

type Page = { [KEY]?: NotebookHost };

/** The notebook host of this page; `undefined` where code cannot be written. */
export function notebookHost(): NotebookHost | undefined {
  return (globalThis as Page)[KEY];
}

/** Make `host` the notebook host of this page, until `signal` aborts. */
export function registerNotebookHost(host: NotebookHost, signal: AbortSignal): void {
  const page = globalThis as Page;
  page[KEY] = host;
  signal.addEventListener(
    "abort",
    () => {
      if (page[KEY] === host) delete page[KEY];
    },
    { once: true },
  );
}
