/**
 * The part of JupyterLab 4 that is used. Its own packages are hundreds of megabytes
 * with all they need; JupyterLab brings them at run time.
 */

declare module "@lumino/signaling" {
  export interface ISignal<Sender, Content> {
    connect(slot: (sender: Sender, content: Content) => void): boolean;
  }
  export class Signal<Sender, Content> implements ISignal<Sender, Content> {
    constructor(sender: Sender);
    connect(slot: (sender: Sender, content: Content) => void): boolean;
    emit(content: Content): void;
  }
}

declare module "@lumino/widgets" {
  import type { LabIcon } from "@jupyterlab/ui-components";
  import type { ISignal } from "@lumino/signaling";
  export class Widget {
    id: string;
    readonly node: HTMLElement;
    readonly isVisible: boolean;
    readonly disposed: ISignal<this, void>;
    readonly title: {
      label: string;
      caption: string;
      closable: boolean;
      icon: LabIcon | undefined;
    };
    activate(): void;
    addClass(name: string): void;
    dispose(): void;
    protected onActivateRequest(message: unknown): void;
    protected onAfterAttach(message: unknown): void;
    protected onAfterShow(message: unknown): void;
  }
}

declare module "@jupyterlab/ui-components" {
  export class LabIcon {
    constructor(options: { readonly name: string; readonly svgstr: string });
  }
}

declare module "@jupyterlab/application" {
  import type { WidgetTracker } from "@jupyterlab/apputils";
  import type { Widget } from "@lumino/widgets";

  type Arguments = { readonly [name: string]: unknown };
  interface CommandOptions {
    readonly label: string | ((args: Arguments) => string);
    readonly caption?: string;
    readonly icon?: object;
    readonly isEnabled?: () => boolean;
    readonly execute: (args: Arguments) => unknown;
  }
  export interface JupyterFrontEnd {
    readonly commands: { addCommand(id: string, options: CommandOptions): unknown };
    readonly shell: {
      activateById(id: string): void;
      add(
        widget: Widget,
        area: "main" | "right",
        options?: { readonly rank?: number; readonly type?: string },
      ): void;
    };
  }
  export interface JupyterFrontEndPlugin<Service> {
    readonly id: string;
    readonly description: string;
    readonly autoStart: boolean;
    readonly requires: readonly object[];
    readonly optional: readonly object[];
    // The services that were asked for, in their order.
    // biome-ignore lint/suspicious/noExplicitAny: JupyterLab types them no better
    readonly activate: (app: JupyterFrontEnd, ...services: any[]) => Service;
  }
  export interface ILayoutRestorer {
    add(widget: Widget, name: string): void;
    restore<Tab extends Widget>(
      tabs: WidgetTracker<Tab>,
      options: {
        readonly command: string;
        readonly args: (tab: Tab) => { readonly [name: string]: string };
        readonly name: (tab: Tab) => string;
      },
    ): Promise<unknown>;
  }
  export const ILayoutRestorer: object;
}

declare module "@jupyterlab/apputils" {
  import { Widget } from "@lumino/widgets";
  export class MainAreaWidget<Content extends Widget> extends Widget {
    constructor(options: { readonly content: Content });
    readonly content: Content;
  }
  export class WidgetTracker<Tab extends Widget> {
    constructor(options: { readonly namespace: string });
    add(tab: Tab): Promise<void>;
    save(tab: Tab): Promise<void>;
  }
  export interface ICommandPalette {
    addItem(item: { readonly command: string; readonly category: string }): unknown;
  }
  export const ICommandPalette: object;
  export function showErrorMessage(title: string, error: string): Promise<void>;
}

declare module "@jupyterlab/coreutils" {
  export const PageConfig: { getBaseUrl(): string };
}

declare module "@jupyterlab/launcher" {
  export interface ILauncher {
    add(item: {
      readonly command: string;
      readonly category: string;
      readonly args: { readonly [name: string]: boolean };
    }): unknown;
  }
  export const ILauncher: object;
}

declare module "@jupyterlab/statedb" {
  export interface IStateDB {
    fetch(id: string): Promise<unknown>;
    save(id: string, value: { readonly [name: string]: string }): Promise<void>;
  }
  export const IStateDB: object;
}

declare module "@jupyterlab/translation" {
  export interface ITranslator {
    readonly languageCode: string;
  }
  export const ITranslator: object;
}

declare module "@jupyterlab/cells" {
  import type { Widget } from "@lumino/widgets";

  interface Position {
    readonly line: number;
    readonly column: number;
  }
  interface CellModel {
    readonly type: string;
    readonly sharedModel: { getSource(): string; setSource(source: string): void };
    getMetadata(name: string): unknown;
  }
  export interface ICodeCellModel extends CellModel {
    readonly outputs: {
      toJSON(): { readonly output_type: string; readonly [field: string]: unknown }[];
    };
  }
  export interface Cell extends Widget {
    readonly model: CellModel;
    /** There is none while the cell is not on the screen. */
    readonly editor: {
      getSelection(): { readonly start: Position; readonly end: Position };
      getOffsetAt(position: Position): number;
    } | null;
  }
}

declare module "@jupyterlab/notebook" {
  import type { Cell } from "@jupyterlab/cells";
  import type { ISignal } from "@lumino/signaling";
  import type { Widget } from "@lumino/widgets";

  interface NewCell {
    readonly cell_type: "code";
    readonly source: string;
    readonly metadata: { readonly trusted: boolean };
  }
  export interface Notebook extends Widget {
    readonly model: {
      readonly readOnly: boolean;
      readonly sharedModel: { insertCell(at: number, cell: NewCell): unknown };
      getMetadata(name: string): unknown;
    } | null;
    readonly widgets: readonly Cell[];
    readonly activeCell: Cell | null;
    activeCellIndex: number;
    deselectAll(): void;
    isSelectedOrActive(cell: Cell): boolean;
    scrollToCell(cell: Cell): Promise<void>;
  }
  export interface NotebookPanel extends Widget {
    readonly content: Notebook;
    readonly context: { readonly path: string };
    readonly sessionContext: object;
  }
  export interface INotebookTracker {
    readonly activeCell: Cell | null;
    readonly activeCellChanged: ISignal<this, Cell | null>;
    readonly currentWidget: NotebookPanel | null;
    find(test: (panel: NotebookPanel) => boolean): NotebookPanel | undefined;
  }
  export const INotebookTracker: object;
  export const NotebookActions: {
    run(notebook: Notebook, sessionContext: object): Promise<boolean>;
  };
}
