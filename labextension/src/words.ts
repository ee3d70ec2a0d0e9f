/** What the extension says, in the languages of the chat. */

const english = {
  chat: "Chat",
  category: "Chat",
  loading: "Loading the chat…",
  open: "Open chat",
  newChat: "New chat",
  openTab: "Open chat in a tab",
  aboutCell: "Chat about this cell",
  aboutSelection: "Chat about the notebook's selection",
  insertCode: "Insert last code as cell",
  runCode: "Insert last code as cell and run it",
  replaceCode: "Replace cell by last code",
  launcher: "A conversation with the agent, beside your notebooks",
  // In the text that the reader sends
  thisCell: (notebook: string) => `This cell of ${notebook}:`,
  thisSelection: (notebook: string) => `This part of ${notebook}:`,
  itsOutput: "Its output:",
  leftOut: (count: number) => `… ${count} characters left out …`,
  added: "Added to your message. Nothing is sent until you send it.",
  // What cannot be done
  noNotebook: "Open a notebook first: there is none that code could be written to.",
  readOnly: "This notebook cannot be changed.",
  noCell: "Choose the cell to replace first.",
  lockedCell: "This cell cannot be changed: it is marked as not editable.",
  noCode: "There is no code in the answers of this chat yet.",
  cannot: "This did not work",
  notEnabled:
    "The chat's server extension is not running. Enable it, then restart the server:",
  otherVersion:
    "The server has another version of streamchat_nb than this page. Reload the page.",
  notReached: "The server could not be reached. Check that it runs.",
  tryAgain: "Try again",
};

export type Words = typeof english;

const german: Words = {
  chat: "Chat",
  category: "Chat",
  loading: "Der Chat wird geladen…",
  open: "Chat öffnen",
  newChat: "Neuer Chat",
  openTab: "Chat in einem Tab öffnen",
  aboutCell: "Über diese Zelle chatten",
  aboutSelection: "Über die Auswahl im Notebook chatten",
  insertCode: "Letzten Code als Zelle einfügen",
  runCode: "Letzten Code als Zelle einfügen und ausführen",
  replaceCode: "Zelle durch letzten Code ersetzen",
  launcher: "Ein Gespräch mit dem Agenten, neben den Notebooks",
  thisCell: (notebook) => `Diese Zelle aus ${notebook}:`,
  thisSelection: (notebook) => `Dieser Teil aus ${notebook}:`,
  itsOutput: "Ihre Ausgabe:",
  leftOut: (count) => `… ${count} Zeichen ausgelassen …`,
  added: "Zur Nachricht hinzugefügt. Gesendet wird erst auf Befehl.",
  noNotebook: "Bitte erst ein Notebook öffnen, in das der Code kann.",
  readOnly: "Dieses Notebook lässt sich nicht ändern.",
  noCell: "Bitte erst die Zelle wählen, die ersetzt werden soll.",
  lockedCell: "Diese Zelle lässt sich nicht ändern: Sie ist gesperrt.",
  noCode: "In den Antworten dieses Chats gibt es noch keinen Code.",
  cannot: "Das ging nicht",
  notEnabled:
    "Die Server-Erweiterung des Chats läuft nicht. Einschalten, dann den Server neu starten:",
  otherVersion:
    "Der Server hat eine andere Version von streamchat_nb als diese Seite. Bitte die Seite neu laden.",
  notReached: "Der Server ist nicht erreichbar. Läuft er?",
  tryAgain: "Noch einmal versuchen",
};

/** The words for a language's tag (`de`, `de_DE`); English for one that there is not. */
export function wordsFor(language: string): Words {
  return /^de\b|^de_/i.test(language) ? german : english;
}
