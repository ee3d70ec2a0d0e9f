/** The chat of streamchat_nb in JupyterLab and Notebook 7: panel, tabs, commands. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from "@jupyterlab/application";
import { ICommandPalette, MainAreaWidget, WidgetTracker } from "@jupyterlab/apputils";
import { ILauncher } from "@jupyterlab/launcher";
import { INotebookTracker } from "@jupyterlab/notebook";
import { IStateDB } from "@jupyterlab/statedb";
import { ITranslator } from "@jupyterlab/translation";
import { registerNotebookHost } from "../../frontend/src/notebook_host";
import { ChatWidget } from "./chat_widget";
import { addCommands, COMMANDS, toldHost } from "./commands";
import { NotebookTarget } from "./notebook_target";
import { wordsFor } from "./words";

const ID = "@streamchat-nb/lab:plugin";
/** Where the state of the page keeps which conversation the panel shows. */
const PANEL_STATE = "streamchat-nb:panel";

type Tab = MainAreaWidget<ChatWidget>;

/** What of JupyterLab is there; the notebooks always are. */
interface Services {
  readonly app: JupyterFrontEnd;
  readonly tracker: INotebookTracker;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  readonly restorer: ILayoutRestorer | null;
  readonly state: IStateDB | null;
  readonly language: string;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "A chat with an agent beside the notebooks.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer, IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
    state: IStateDB | null,
    translator: ITranslator | null,
  ) => {
    const language = translator?.languageCode ?? document.documentElement.lang;
    activate({ app, tracker, palette, launcher, restorer, state, language });
  },
};

function activate(services: Services): void {
  const { app, tracker, palette, launcher, language } = services;
  const words = wordsFor(language);
  const target = new NotebookTarget(tracker, words);
  const page = new AbortController().signal; // never ends
  registerNotebookHost(toldHost(target, words), page);
  const panel = new ChatWidget({ conversation: "", language, words, place: "panel" });
  addPanel(panel, services);
  const tabs = new WidgetTracker<Tab>({ namespace: "streamchat-nb-tabs" });
  let lastChat = panel;
  const note = (chat: ChatWidget): void => {
    chat.node.addEventListener("focusin", () => {
      lastChat = chat;
    });
    chat.disposed.connect(() => {
      if (lastChat === chat) lastChat = panel;
    });
  };
  note(panel);
  addCommands({
    ...{ app, tracker, target, words },
    showPanel: () => {
      app.shell.activateById(panel.id);
      lastChat = panel;
      return panel;
    },
    openTab: (conversation) => {
      const chat = new ChatWidget({ conversation, language, words, place: "tab" });
      const tab = makeTab(chat, tabs);
      note(tab.content);
      lastChat = tab.content;
      app.shell.add(tab, "main");
      app.shell.activateById(tab.id);
      return tab.content;
    },
    lastChat: () => lastChat,
  });
  restoreTabs(tabs, services);
  for (const command of Object.values(COMMANDS)) {
    palette?.addItem({ command, category: words.category });
  }
  launcher?.add({
    command: COMMANDS.openTab,
    category: "Other",
    args: { isLauncher: true },
  });
}

/** Put the panel beside the notebooks, with the conversation that it had. */
function addPanel(panel: ChatWidget, { app, restorer, state }: Services): void {
  panel.id = "streamchat-panel";
  app.shell.add(panel, "right", { rank: 900, type: "Chat" });
  restorer?.add(panel, panel.id);
  if (state === null) return;
  void state.fetch(PANEL_STATE).then((kept) => {
    const { conversation } = (kept ?? {}) as { readonly conversation?: unknown };
    if (typeof conversation === "string" && panel.conversation === "") {
      panel.open(conversation);
    }
    panel.conversationChanged.connect((_, id) => {
      void state.save(PANEL_STATE, { conversation: id });
    });
  });
}

function makeTab(content: ChatWidget, tabs: WidgetTracker<Tab>): Tab {
  const tab = new MainAreaWidget({ content });
  tab.id = `streamchat-tab-${crypto.randomUUID()}`;
  tab.title.closable = true;
  void tabs.add(tab);
  content.conversationChanged.connect(() => void tabs.save(tab));
  return tab;
}

function restoreTabs(tabs: WidgetTracker<Tab>, { restorer }: Services): void {
  void restorer?.restore(tabs, {
    command: COMMANDS.openTab,
    args: ({ content }) => ({ conversation: content.conversation }),
    name: ({ id }) => id,
  });
}

export default plugin;
