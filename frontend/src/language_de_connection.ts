/** What the connection says, in German. */

import type { ConnectionWords } from "./connection_words";

export const connection: ConnectionWords = {
  startAnew: {
    widget: "Die Zelle mit Chat() noch einmal ausführen beginnt ein neues.",
    page: "Diese Seite ohne den Teil nach # öffnen beginnt ein neues.",
    tool: "Bitte ein neues beginnen.",
  },
  noSocket: {
    network: "Dieses Netz sperrt WebSockets",
    token: "Der Server nimmt das Token dieser Seite nicht an",
  },
  live: {
    websocket: "Live über WebSocket",
    sse: "Live über einen HTTP-Strom",
    rest: "Live über HTTP-Anfragen",
    relay: "Live durch den Kernel",
  },
  lost: {
    unreachable: "Der Server läuft nicht oder ist nicht erreichbar.",
    broken: "Die Verbindung ist abgerissen.",
    restarting: "Der Server startet neu oder ist ausgelastet.",
    blocked: "Die Verbindung zum Server wird aufgebaut.",
  },
  ready: "Bereit",
  readyDetail: "Mit der ersten Nachricht beginnt ein Gespräch.",
  connecting: "Verbindet…",
  creating: "Ein Gespräch wird begonnen.",
  keptWords:
    "Was geschrieben wird, bleibt erhalten und geht hinaus, sobald er zurück ist.",
  reconnecting: (seconds) => `Neuer Versuch in ${seconds} s…`,
  signedOut: "Abgemeldet",
  notConnected: "Nicht verbunden",
  overSocket: "Ein offener WebSocket bringt jedes Wort, sobald es kommt.",
  overStream: (why) => `Ein HTTP-Strom bringt jedes Wort, sobald es kommt. ${why}.`,
  overRequests: (why) =>
    `Der Server wird immer wieder nach Neuem gefragt. ${why}, und HTTP-Ströme kommen nicht durch.`,
  overKernel:
    "Der Kernel gibt alles weiter, denn diese Seite erreicht den Server nicht selbst. Solange eine Zelle läuft, kann Gesendetes warten.",
  askingKernel:
    "Verbindet durch den Kernel, sobald keine Zelle läuft. Nach einem Neustart bitte die Zelle mit Chat() noch einmal ausführen.",
  waitingForCell: "Wartet auf den Kernel",
  waitingForCellDetail:
    "Eine Zelle läuft: Gesendetes geht hinaus, wenn sie fertig ist.",
  signedOutDetail:
    "Die Anmeldung ist abgelaufen. Bitte wieder bei Jupyter anmelden (die Seite neu laden); der Chat macht dann von selbst weiter.",
  notInstalled:
    "Auf diesem Server läuft die Erweiterung des Chats nicht. Bitte streamchat_nb dort installieren, wo Jupyter läuft, und neu starten; `jupyter server extension list` muss streamchat_nb zeigen.",
  interference:
    "Unterwegs antwortete etwas anderes als der Server, vielleicht eine Anmeldeseite. Bitte diese Seite neu laden und anmelden.",
  missing:
    "Dieses Gespräch ist nicht auf diesem Server: Es wurde gelöscht, oder es gehört jemand anderem.",
  closedForGood: (meaning) =>
    `Der Server hat die Verbindung beendet: ${meaning}. Bitte die Seite neu laden.`,
  answeredStatus: (status) =>
    `Der Server antwortete mit dem Status ${status}. Bitte die Seite neu laden; hilft das nicht, sagt das Protokoll des Servers, warum.`,
  tooLarge: (bytes, limit) =>
    `Die Nachricht hat ${bytes} Bytes; höchstens ${limit} gehen. Bitte kürzen oder in Teilen senden.`,
  outboxFull: (waiting) =>
    `${waiting} Nachrichten warten auf die Verbindung. Diese bitte später senden.`,
  oldMessage: (days) => `Sie wurde vor ${days} Tagen geschrieben.`,
  kernelSilent:
    "Der Kernel antwortet nicht. Nach einem Neustart bitte die Zelle dieses Chats noch einmal ausführen.",
};
