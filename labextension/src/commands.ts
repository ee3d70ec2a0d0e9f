/** The commands of the chat: what the palette, menus, toolbars and shortcuts run. */

import type { JupyterFrontEnd } from "@jupyterlab/application";
import { showErrorMessage } from "@jupyterlab/apputils";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import type { NotebookHost } from "../../frontend/src/notebook_host";
import { LoadError } from "./chat_files";
import type { ChatWidget } from "./chat_widget";
import { chatIcon } from "./icon";
import type { NotebookTarget } from "./notebook_target";
import { quoteActiveCell, quoteSelection } from "./quotes";
import type { Words } from "./words";

/** Ids of the commands; they are permanent. */
export const COMMANDS = {
  open: "streamchat:open",
  newChat: "streamchat:new",
  openTab: "streamchat:open-tab",
  aboutCell: "streamchat:about-cell",
  aboutSelection: "streamchat:about-selection",
  insertCode: "streamchat:insert-code",
  runCode: "streamchat:insert-and-run-code",
  replaceCode: "streamchat:replace-cell",
} as const;

export interface Surroundings {
  readonly app: JupyterFrontEnd;
  readonly tracker: INotebookTracker;
  readonly target: NotebookTarget;
  readonly words: Words;
  /** Show the panel and give it the focus. */
  readonly showPanel: () => ChatWidget;
  /** Open a tab; the empty id stands for a new conversation. */
  readonly openTab: (conversation: string) => ChatWidget;
  /** The chat that the reader looked at last: a tab's, or the panel's. */
  readonly lastChat: () => ChatWidget;
}

type Quote = (panel: NotebookPanel, words: Words) => string | null;

/** Register all commands. */
export function addCommands(surroundings: Surroundings): void {
  const { app, tracker, words, showPanel, openTab } = surroundings;
  const { commands } = app;
  const icon = chatIcon;
  const hasNotebook = (): boolean => tracker.currentWidget !== null;

  commands.addCommand(COMMANDS.open, {
    ...{ label: words.open, icon },
    execute: () => void showPanel(),
  });
  commands.addCommand(COMMANDS.newChat, {
    ...{ label: words.newChat, icon },
    execute: () => startAnew(showPanel()),
  });
  commands.addCommand(COMMANDS.openTab, {
    label: (args) => (args["isLauncher"] ? words.chat : words.openTab),
    ...{ caption: words.launcher, icon },
    execute: (args) => openTab(String(args["conversation"] ?? "")),
  });
  const quotes: readonly [string, string, Quote][] = [
    [COMMANDS.aboutCell, words.aboutCell, quoteActiveCell],
    [COMMANDS.aboutSelection, words.aboutSelection, quoteSelection],
  ];
  for (const [id, label, quote] of quotes) {
    commands.addCommand(id, {
      ...{ label, caption: label, icon, isEnabled: hasNotebook },
      execute: () => chatAbout(surroundings, quote),
    });
  }
  addCodeCommands(surroundings);
}

function startAnew(chat: ChatWidget): void {
  chat.open("");
  chat.activate();
}

async function chatAbout(surroundings: Surroundings, quote: Quote): Promise<void> {
  const { tracker, words, showPanel } = surroundings;
  const panel = tracker.currentWidget;
  const text = panel === null ? null : quote(panel, words);
  if (text === null) return;
  await told(words, async () => await showPanel().write(text));
}

function addCodeCommands(surroundings: Surroundings): void {
  const { app, target, words, lastChat } = surroundings;
  type Write = (code: string, from: Element) => Promise<void>;
  const writes: readonly [string, string, Write][] = [
    [
      COMMANDS.insertCode,
      words.insertCode,
      (code, from) => target.insertCell(code, { run: false, from }),
    ],
    [
      COMMANDS.runCode,
      words.runCode,
      (code, from) => target.insertCell(code, { run: true, from }),
    ],
    [
      COMMANDS.replaceCode,
      words.replaceCode,
      (code, from) => target.replaceCell(code, { from }),
    ],
  ];
  for (const [id, label, write] of writes) {
    app.commands.addCommand(id, {
      label,
      isEnabled: () => target.hasNotebook(lastChat().node),
      execute: () =>
        told(words, async () => {
          const widget = lastChat();
          const code = (await widget.chat()).lastCode();
          if (code === null) throw new Error(words.noCode);
          await write(code, widget.node);
        }),
    });
  }
}

/** Do something the reader asked for, and tell them where it cannot be done. */
async function told(words: Words, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof LoadError) return; // the chat says it, in its own place
    const reason = error instanceof Error ? error.message : String(error);
    await showErrorMessage(words.cannot, reason);
  }
}

/** The host for the chats of this page: what it cannot do, it tells the reader. */
export function toldHost(target: NotebookTarget, words: Words): NotebookHost {
  const say = async <Result>(act: () => Promise<Result>): Promise<Result> => {
    try {
      return await act();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      void showErrorMessage(words.cannot, reason);
      throw error;
    }
  };
  return {
    hasNotebook: (from) => target.hasNotebook(from),
    insertCell: (code, options) => say(() => target.insertCell(code, options)),
    replaceCell: (code, options) => say(() => target.replaceCell(code, options)),
    cellCode: (options) => target.cellCode(options),
  };
}
