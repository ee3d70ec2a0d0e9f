/** What a notebook's cells and selection say, as text for a message. */

import type { Cell, ICodeCellModel } from "@jupyterlab/cells";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { type OutputJson, quoteCell, quoteSources } from "./cell_text";
import type { Words } from "./words";

/** The active cell with its outputs; `null` where there is none. */
export function quoteActiveCell(panel: NotebookPanel, words: Words): string | null {
  const cell = panel.content.activeCell;
  if (cell === null) return null;
  const text = {
    source: cell.model.sharedModel.getSource(),
    language: languageOf(cell, panel),
    outputs: outputsOf(cell),
  };
  return quoteCell(text, nameOf(panel), words);
}

/** What is selected in the active cell's text, else the selected cells' sources. */
export function quoteSelection(panel: NotebookPanel, words: Words): string | null {
  const { activeCell, widgets } = panel.content;
  if (activeCell === null) return null;
  const selected = selectedText(activeCell);
  const cells =
    selected === ""
      ? widgets.filter((cell) => panel.content.isSelectedOrActive(cell))
      : [activeCell];
  const sources = cells.map((cell) => ({
    source: selected === "" ? cell.model.sharedModel.getSource() : selected,
    language: languageOf(cell, panel),
  }));
  return quoteSources(sources, nameOf(panel), words);
}

function selectedText({ editor, model }: Cell): string {
  if (editor === null) return "";
  const { start, end } = editor.getSelection();
  const offsets = [editor.getOffsetAt(start), editor.getOffsetAt(end)] as const;
  return model.sharedModel
    .getSource()
    .slice(Math.min(...offsets), Math.max(...offsets));
}

function languageOf(cell: Cell, panel: NotebookPanel): string {
  if (cell.model.type === "markdown") return "markdown";
  if (cell.model.type === "raw") return "text";
  const info = panel.content.model?.getMetadata("language_info");
  return (info as { readonly name?: string } | undefined)?.name || "python";
}

function outputsOf(cell: Cell): readonly OutputJson[] {
  if (cell.model.type !== "code") return [];
  return (cell.model as ICodeCellModel).outputs.toJSON();
}

function nameOf({ context }: NotebookPanel): string {
  return `\`${context.path.split("/").at(-1) ?? ""}\``;
}
