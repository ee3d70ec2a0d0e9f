/** German: a file of its own, fetched where the chat speaks it. */

import { connection } from "./language_de_connection";
import { formatNumber, plural } from "./view/formats";
import type { Catalogs } from "./view/language";

export { build } from "./build";

const strings: Catalogs["strings"] = {
  // Markdown
  hiddenCharacters: (count) =>
    plural(count, { one: "[# verborgenes Zeichen]", other: "[# verborgene Zeichen]" }),
  image: "Bild",
  copy: "Kopieren",
  copied: "Kopiert",
  copyFailed: "Kopieren ging nicht",
  copyCode: "Diesen Code kopieren",
  taskDone: "erledigt",
  taskOpen: "offen",
  footnote: (label) => `Fußnote ${label}`,
  footnoteBack: (label) => `Fußnote ${label}: zurück zum Text`,

  // Frame
  chat: "Chat",
  untitled: "Neues Gespräch",
  conversations: "Gespräche",
  transcript: "Gespräch",
  emptyTitle: "Worum geht es?",
  emptyHint:
    "Antworten erscheinen hier Wort für Wort, mit den Werkzeugen, die sie nutzen.",
  jumpToLatest: "Zum Neuesten",
  jumpToNew: "Zum Neuesten: es gibt mehr",

  // Composer
  messageLabel: "Nachricht",
  messagePlaceholder: "Nachricht schreiben",
  composerHint: "Enter sendet · Umschalt+Enter macht eine neue Zeile",
  composerHintData:
    "Enter sendet · Umschalt+Enter macht eine neue Zeile · @ teilt eine Variable",
  composerHintRunning: "Esc stoppt die Antwort",
  composerHintWaiting: "Esc stoppt die Antwort und alle, die warten",
  send: "Senden",
  stop: "Stoppen",
  tooLong: (bytes, limit) =>
    `Diese Nachricht ist zu lang: ${formatNumber(bytes)} von ${formatNumber(limit)} Bytes. Bitte kürzen oder teilen.`,

  // Parts that are loaded when they are needed
  tryAgain: "Noch einmal",
  loading: "Wird geladen…",
  notLoaded: (name) => `${name}: Das ließ sich nicht laden.`,

  // Sharing and attaching
  attach: "Dateien anhängen",
  attached: "An dieser Nachricht hängt",
  dropHere: "Dateien zum Anhängen hier ablegen",
  sendsWhenReady: (count) =>
    plural(count, {
      one: "Sendet, sobald der Anhang da ist · Esc wartet",
      other: "Sendet, sobald die # Anhänge da sind · Esc wartet",
    }),
  sendWaits: "Sendet, sobald alles da ist",
  chipFailed:
    "Ein Anhang ließ sich nicht vorbereiten: noch einmal versuchen oder entfernen.",
  writingAid: "Vorschläge",

  // Messages
  regenerate: "Neu antworten",
  regenerateDetail: "Noch einmal antworten; diese Antwort bleibt auf ihrem Zweig",
  notSwitched: "Der Zweig wurde nicht gewechselt.",
  you: "Du",
  assistant: "Assistent",
  sending: "Wird gesendet…",
  notSent: "Nicht gesendet.",
  sendAgain: "Noch einmal senden",
  discard: "Verwerfen",
  discardedTry: "Ein erster Versuch brach ab und wurde ersetzt.",
  thinking: "Denkt nach…",
  thought: "Hat nachgedacht",
  thoughtFor: (time) => `Hat ${time} nachgedacht`,
  redacted: "Einige Gedanken des Modells sind verschlüsselt und bleiben verborgen.",
  sources: (count) => plural(count, { one: "# Quelle", other: "# Quellen" }),
  page: (number) => `Seite ${number}`,
  pages: (first, last) => `Seiten ${first}–${last}`,
  details: (kind) => (kind === "" ? "Einzelheiten" : `Einzelheiten: ${kind}`),
  structured: "Strukturierte Antwort",

  // Turns
  working: "Arbeitet…",
  stopped: "Diese Antwort wurde gestoppt.",
  stoppedUnseen: "Es war niemand mehr da, darum wurde diese Antwort gestoppt.",
  superseded: "Weiter ging es mit der nächsten Nachricht.",
  turnFailed: "Die Antwort kam nicht zu Ende.",
  cutForLength: "Die Antwort wurde abgeschnitten: Sie hat ihre größte Länge erreicht.",
  refused: "Das Modell wollte hierauf nicht antworten.",
  refusedDetail:
    "Anders fragen oder weglassen, woran es sich gestoßen haben mag; ein anderes Modell oder ein neues Gespräch antwortet vielleicht.",
  tooLongToRead:
    "Hier endet die Antwort: Das Gespräch ist länger, als das Modell lesen kann.",
  tooLongDetail: "Am besten ein neues Gespräch beginnen und das Wichtige mitnehmen.",
  budgetReached: "Die Antwort endete an ihrer Obergrenze für Tokens oder Kosten.",
  budgetReachedBefore:
    "Ohne Antwort: Die Obergrenze für Tokens oder Kosten ist erreicht.",
  turnInterrupted: "Der Server hielt mitten in dieser Antwort an.",
  neverStarted: "Gestoppt, bevor die Antwort begann.",
  neverStartedUnseen: "Es war niemand mehr da, darum gab es hierauf keine Antwort.",
  neverStartedInterrupted: "Der Server hielt an, bevor die Antwort begann.",
  keptAnswer: "Die Nachricht und die bisherige Antwort sind gesichert.",
  keptMessage: "Die Nachricht ist gesichert.",
  askAgain: "Noch einmal fragen",
  continueAnswer: "Fortsetzen",
  newConversation: "Neues Gespräch",
  /** What "Continue" sends. */
  continueMessage: "Bitte mach dort weiter, wo du aufgehört hast.",

  // Queue
  queue: "Wartende Nachrichten",
  remove: "Entfernen",

  // Approvals
  approval: "Wartet auf eine Entscheidung",

  // Tools
  toolInput: "Eingabe",
  toolOutput: "Ergebnis",
  toolNoOutput: "Kein Ergebnis.",
  toolTruncated: "Gezeigt ist nur der Anfang eines langen Ergebnisses.",
  preparingTool: "Ein Werkzeug wird vorbereitet…",
  toolWaiting: (name) => `Möchte ${name} nutzen`,
  toolRunning: (name) => `Nutzt ${name}…`,
  toolEnds: {
    ok: (name) => `Hat ${name} genutzt`,
    error: (name) => `${name} meldete einen Fehler`,
    denied: (name) => `${name} wurde nicht erlaubt`,
    cancelled: (name) => `${name} wurde gestoppt`,
    timeout: (name) => `${name} brauchte zu lange`,
    unknown: (name) => `${name} lief vielleicht, vielleicht nicht`,
  },
  toolProgress: (name) => `Fortschritt von ${name}`,

  // Labels of the server
  labels: {
    thinking: "Der Agent denkt nach…",
    writing: "Der Agent schreibt…",
    asking: "Eine Frage kommt…",
    searching: "Sucht im Web…",
    reading: "Liest eine Webseite…",
    running: "Führt Code aus…",
    editing: "Arbeitet an einer Datei…",
    application: "Wartet auf die Anwendung…",
  },
  labelMore: (names, more) => `${names} und ${more} weitere`,
  labelApproval: (names) => `Wartet auf die Erlaubnis für ${names}…`,
  labelLender: (name) => `Wartet auf den Kernel, der ${name} verleiht…`,
  labelKernel: (seconds) => `Wartet auf den Kernel (seit ${seconds} s beschäftigt)…`,

  // Connection
  offlineDemo: "Offline-Demo",
  offlineDemoDetail:
    "Es läuft kein Sprachmodell. Eine Demo mit festen Regeln antwortet.",
  seatsHere: (count) => `${formatNumber(count)} hier`,
  seatsDetail: "Sie sehen und lenken dasselbe Gespräch.",
  seatKinds: {
    widget: "Notebook-Zelle",
    page: "Chat-Seite",
    kernel: "Kernel des Notebooks",
    tool: "Ein anderes Programm",
  },
  thisSeat: "dieser Platz",
  moreSeats: (count) => `und ${formatNumber(count)} weitere`,
  connectionLabel: (text) => `Verbindung: ${text}`,
  tryNow: "Jetzt versuchen",
  /** What is wrong, by the code of the problem. */
  connectionProblem: (code) => {
    switch (code) {
      case "conversation_not_found":
        return "Dieses Gespräch ist nicht hier.";
      case "signed_out":
        return "Die Anmeldung ist abgelaufen.";
      default:
        return "Der Chat erreicht seinen Server nicht.";
    }
  },
  keptDraft: "Das Geschriebene ist gesichert.",

  // Announcements
  announceAnswer: "Antwort vollständig.",
  announceSent: "Nachricht gesendet.",
  spokenCode: "Code",
  spokenFormula: "Formel",

  // Settings
  settings: "Einstellungen",
  answeredBy: (agent, model) =>
    model === "" ? `Antwort von ${agent}` : `Antwort von ${agent} · ${model}`,

  // Usage
  usageTitle: "Tokens und Kosten",
  context: "Kontext",
  contextUse: (tokens, limit, percent) =>
    limit === null
      ? plural(tokens, { one: "# Token", other: "# Tokens" })
      : `${formatNumber(tokens)} von ${formatNumber(limit)} Tokens, ${formatNumber(percent)} %`,
  contextNearlyFull: "Fast voll",
  contextAdvice:
    "Am besten ein neues Gespräch beginnen und das Wichtige mitnehmen, oder ein Modell wählen, das mehr liest. Nichts geht verloren.",
};

const more: Catalogs["more"] = {
  // Code
  wrapCode: "Umbrechen",
  insertCell: "Als Zelle einfügen",
  insertAndRun: "Einfügen und ausführen",
  replaceCell: "Zelle ersetzen",
  keepCell: "Zelle behalten",
  diff: "Was sich ändert",
  added: "hinzugefügt",
  removed: "entfernt",

  // Sharing and attaching
  uploading: "Wird hochgeladen…",
  close: "Schließen",
  fileEmpty: (name) => `${name} ist leer.`,
  fileTooLarge: (name, size, limit) =>
    `${name} hat ${size}; höchstens ${limit} lassen sich anhängen.`,
  fileUnfit: (name) =>
    `${name} lässt sich nicht anhängen: nur Bilder (PNG, JPEG, GIF, WebP), PDF und Textdateien.`,
  tooManyAttached: (count) =>
    `Eine Nachricht fasst höchstens ${formatNumber(count)} Anhänge.`,
  variables: "Variablen des Notebooks",
  noDataHere: "Variablen teilt nur der Chat in einem Notebook; hier ist @ bloß Text.",
  noVariables: "Es gibt noch keine Variablen.",
  kernelBusy: "Der Kernel ist beschäftigt; bitte warten…",
  askingKernel: "Der Kernel wird gefragt…",
  sharedData: "Genau das wurde von dieser Variablen geteilt",
  showPreview: "Sehen und wählen, was genau geteilt wird",
  previewLabel: (name) => `Was von ${name} geteilt wird`,
  previewTitle: "Genau das wird gesendet",
  closePreview: "Diese Vorschau schließen",
  readAgain: "Neu lesen",
  firstRows: "Erste Zeilen",
  columns: "Spalten",
  allColumns: "Alle",
  noColumns: "Keine",
  columnsShared: (count) =>
    plural(count, { one: "# Spalte geteilt", other: "# Spalten geteilt" }),
  looksSecret: "sieht geheim aus",
  characters: (count) => plural(count, { other: "# Zeichen" }),
  enlarge: (name) => `${name} vergrößern`,
  download: (name) => `${name} herunterladen`,
  fileGone: "ist nicht lesbar",
  textFile: "Text",

  // Messages
  imageAttachment: "Bild",
  document: "Dokument",
  source: (number) => `Quelle ${number}`,
  sourceUnnamed: "Dokument ohne Namen",
  entries: (count) => plural(count, { one: "# Eintrag", other: "# Einträge" }),
  emptyText: "(leer)",

  // Queue
  queueTitle: (count) => plural(count, { one: "# wartet", other: "# warten" }),
  sendNow: "Jetzt senden",
  sendNowDetail:
    "Kommt als Nächstes: Die laufende Antwort endet beim nächsten Schritt mit einem Werkzeug.",
  editMessage: "Ändern",
  editMessageDetail: "Anders fragen, auf einem eigenen Zweig",
  version: (at, of) => `Fassung ${formatNumber(at)} von ${formatNumber(of)}`,
  versionBefore: "Vorige Fassung",
  versionAfter: "Nächste Fassung",
  reviseLabel: "Die Nachricht in anderen Worten",
  reviseHint: "Enter sendet sie als weitere Fassung · Esc bricht ab",
  edit: "Ändern",
  save: "Speichern",
  leaveEdit: "Abbrechen",
  editLabel: "Die wartende Nachricht ändern",
  editHint: "Enter speichert · Esc lässt alles, wie es war",
  /** A button's label with the message that it is about. */
  about: (action, text) => `${action}: ${text}`,
  requestSending: {
    cancel: "Wird entfernt…",
    edit: "Wird gespeichert…",
    send_now: "Kommt als Nächstes…",
    approve: "Wird beantwortet…",
  },
  requestFailed: {
    cancel: "Nicht entfernt.",
    edit: "Nicht geändert.",
    send_now: "Nicht vorgezogen.",
    approve: "Nicht beantwortet.",
  },
  changedMeanwhile: (text) => `Inzwischen von jemand anderem geändert: ${text}`,
  tooLateToChange:
    "Die Antwort läuft schon. Der geänderte Text steht im Nachrichtenfeld.",
  removedMeanwhile:
    "Die Nachricht wartet nicht mehr. Der geänderte Text steht im Nachrichtenfeld.",

  // Approvals
  allow: "Erlauben",
  allowInConversation: "In diesem Gespräch erlauben",
  deny: "Ablehnen",
  approvalEditLabel: "Ändern, was läuft",
  approvalNotJson: "Das ist kein JSON-Objekt; nichts wurde gesendet.",

  // Tools
  tableMore: (shown, total) =>
    `${formatNumber(shown)} von ${formatNumber(total)} Zeilen`,
  pictureBroken: "Dieses Bild lässt sich nicht zeigen.",

  // Announcements
  announceQueue: (count) =>
    count === 0
      ? "Keine Nachricht wartet."
      : plural(count, {
          one: "# Nachricht wartet auf die Antwort.",
          other: "# Nachrichten warten auf die Antwort.",
        }),

  // Settings
  closeSettings: "Einstellungen schließen",
  whoAnswers: "Wer antwortet",
  agent: "Agent",
  model: "Modell",
  effort: "Aufwand",
  effortDetail: "Wie viel Arbeit in einer Antwort steckt.",
  thinkingChoice: "Nachdenken",
  asServer: "Wie der Server es vorgibt",
  byDefault: (name) => `${name} (Standard)`,
  on: "An",
  off: "Aus",
  offlineAgent: "es läuft kein Sprachmodell",
  kernelAgent: "läuft im Kernel des Notebooks",
  fromSettings: "Der Endpunkt nennt keine Modelle; dies sind die des Servers.",
  fromNextTurn: "Eine Änderung gilt ab der nächsten Antwort, für alle hier.",
  saving: "Wird gespeichert…",
  saved: "Gespeichert. Gilt ab der nächsten Antwort.",
  notSaved: (why) => `Nicht gespeichert. ${why}`,

  // Usage
  usage: "Verbrauch dieses Gesprächs",
  usageNone: "Noch wurde nichts gezählt.",
  usageIn: "Tokens hinein",
  usageCacheRead: "davon aus dem Cache gelesen",
  usageCacheWritten: "davon in den Cache geschrieben",
  usageOut: "Tokens heraus",
  usageSearches: "Websuchen",
  usageCost: "Kosten",
  usageTime: "Zeit",

  // Tools
  toolLog: "Was es sagt",
  toolTold: "Was dem Modell gesagt wurde",

  // Timing of an answer
  timing: "Ablauf",
  timingHint: "Wo die Zeit dieser Antwort blieb, und was dafür gesendet wurde",
  noTiming: "Der Ablauf dieser Antwort war nicht zu lesen.",
  timingWhat: "Was",
  timingWhen: "Wann",
  timingTook: "Dauer",
  timingTotal: (time) => `${time} insgesamt`,
  timingFirst: (time) => `erstes Wort nach ${time}`,
  timingWaited: (time) => `${time} bis zum ersten Wort`,
  timingFrom: (time) => `ab ${time}`,
  tokensInto: (count) => `${count} Tokens hinein`,
  tokensOutOf: (count) => `${count} heraus`,
  requests: (count) => plural(count, { one: "# Anfrage", other: "# Anfragen" }),
  spans: {
    queue: "Wartete, bis es dran war",
    step: "Modell",
    retry: "Wartete auf neuen Versuch",
    tool: "Werkzeug",
    approval: "Wartete auf Erlaubnis",
    kernel: "Kernel beschäftigt",
    run: "Lief",
  },
  requestsTitle: "Was gesendet wurde",
  requestsNote: "So, wie es hinausging, ohne Schlüssel und Dateien.",
  forgotten:
    "Die Anfragen dieser Antwort sind nicht mehr da: Nur die der letzten Antworten werden behalten, bis der Server endet. Die Zeiten oben kommen aus dem Gespräch selbst.",
  unseen:
    "Von dieser Antwort war keine Anfrage zu sehen: Es ging keine hinaus, oder der Agent sendet sie selbst.",
  requestNumber: (number) => `Anfrage ${number}`,
  requestWaits: "noch kein Wort",
  requestId: "Kennung der Anfrage",
  requestCut: "Was gesendet wurde, ist zu groß, um es zu behalten.",
  headers: (count) => plural(count, { one: "# Kopfzeile", other: "# Kopfzeilen" }),
  copyRequest: "Als JSON kopieren",
  sources: { endpoint: "Endpunkt", demo: "Offline-Demo", cassette: "Kassette" },
  moreEntries: (count) => plural(count, { one: "# weiterer", other: "# weitere" }),
  tokens: (count) => plural(count, { one: "# Token", other: "# Tokens" }),
  unknownPrice: "Preis unbekannt",
  lessThan: (cost) => `unter ${cost}`,
  estimated: (cost) => `${cost} (geschätzt)`,
  atLeast: (cost, turns) =>
    plural(turns, {
      one: `mindestens ${cost}; für # Antwort ist kein Preis bekannt`,
      other: `mindestens ${cost}; für # Antworten ist kein Preis bekannt`,
    }),

  // The check
  checkTitle: "Verbindung",
  check: "Verbindung prüfen",
  checkAgain: "Noch einmal prüfen",
  checkDetail: "Versucht jeden Weg zum Server und stellt dem Modell eine kurze Frage.",
  checking: "Wird geprüft…",
  checkEnds: (failed) =>
    failed === 0
      ? "Alles, was versucht wurde, geht."
      : plural(failed, { one: "# Punkt geht nicht.", other: "# Punkte gehen nicht." }),
  checkStates: {
    ok: "Geht",
    failed: "Geht nicht",
    skipped: "Nicht versucht",
  },
  checkNames: {
    websocket: "WebSocket",
    sse: "Ereignisstrom",
    rest: "Einfache Anfragen",
    relay: "Durch den Kernel",
    server: "Die Prüfung des Servers",
    address: "Adresse des Endpunkts",
    credential: "Zugang",
    reachable: "Endpunkt erreichbar",
    model: "Modell",
    streams: "Antworten Stück für Stück",
    tools: "Werkzeuge",
  },
  copyCheck: "Als Text kopieren",
  trialOk: (milliseconds) => `Antwort nach ${formatNumber(milliseconds)} ms.`,
  trialLate: (seconds) => `Keine Antwort innerhalb von ${formatNumber(seconds)} s.`,
  trialRefused: (status) => `Der Server lehnte ab (${status}).`,
  trialBroken: "Die Verbindung kam nicht zustande.",
  trialWrong: "Es antwortete etwas, das nicht der Server dieses Chats ist.",
  hintSocket:
    "Ein Proxy dazwischen lässt vielleicht keine WebSockets durch; der Chat nimmt von selbst einen anderen Weg.",
  hintStream:
    "Ein Proxy dazwischen hält Ströme vielleicht zurück; der Chat nimmt von selbst einen anderen Weg.",
  hintRequests:
    "Läuft der Jupyter-Server, und besteht die Anmeldung noch? Bitte die Seite neu laden.",
  hintKernel:
    "Läuft der Kernel, und ist er frei? Bitte die Zelle des Chats noch einmal ausführen.",
  trialNoConversation: "Wird versucht, sobald das Gespräch begonnen hat.",
  trialNoKernel: "Hinter diesem Chat steht kein Kernel eines Notebooks.",
  checkOld: "Dieser Server kennt keine Prüfung des Endpunkts.",

  // Keys and commands
  shortcuts: "Tasten und Befehle",
  shortcutScopes: {
    field: "Beim Schreiben",
    choices: "Wenn etwas zur Wahl steht",
    change: "Beim Ändern einer wartenden Nachricht",
    chat: "Überall im Chat",
    reading: "Wo nichts geschrieben wird",
  },
  shortcutWords: {
    send: "Senden",
    newLine: "Neue Zeile",
    earlier: "Am Anfang des Texts: eine frühere Nachricht",
    later: "An seinem Ende: eine spätere Nachricht, dann das Angefangene",
    waitWithSending: "Noch nicht senden, solange ein Anhang unterwegs ist",
    previousChoice: "Der Vorschlag darüber",
    nextChoice: "Der Vorschlag darunter",
    choose: "Nehmen",
    complete: "Nur hinschreiben",
    declineChoices: "Ohne Vorschlag weiter",
    saveChange: "Speichern",
    leaveChange: "Lassen, wie es war",
    stop: "Die Antwort stoppen, und alle, die warten",
    focusField: "Zum Schreiben",
    previousMessage: "Zur Nachricht davor",
    nextMessage: "Zur Nachricht danach, dann zum Schreiben",
    copyAnswer: "Diese Antwort kopieren, sonst die letzte",
    copyCode: "Ihren letzten Code kopieren",
    newConversation: "Neues Gespräch",
    conversations: "Alle Gespräche",
    settings: "Einstellungen",
    help: "Diese Liste",
  },
  keyNames: {
    Mod: "Strg",
    Alt: "Alt",
    Shift: "Umschalt",
    Enter: "Enter",
    Tab: "Tab",
    Escape: "Esc",
    ArrowUp: "↑",
    ArrowDown: "↓",
  },
  commandsTitle: "Befehle, als Nachricht",
  commandWords: {
    new: "Ein neues Gespräch beginnen",
    stop: "Die Antwort stoppen, und alle, die warten",
    regenerate: "Die letzte Nachricht noch einmal beantworten",
    copy: "Die letzte Antwort kopieren",
    rename: "Dem Gespräch einen anderen Titel geben",
    search: "In allen Gesprächen suchen",
    export: "Dieses Gespräch als Datei speichern",
    model: "Das Modell wählen",
    agent: "Wählen, wer antwortet",
    effort: "Wählen, wie gründlich das Modell nachdenkt",
    settings: "Die Einstellungen öffnen",
    check: "Die Verbindung prüfen",
    help: "Tasten und Befehle zeigen",
  },
  commandNeeds: (command) => `Hinter /${command} fehlt noch, was es werden soll.`,
  choices: (count) => plural(count, { one: "# Vorschlag", other: "# Vorschläge" }),
  pastedFile: "eingefügt.txt",
  pastedAsFile: "Zu lang für eine Nachricht: Das Eingefügte hängt als Datei an.",
  nothingToRegenerate: "Es gibt keine Nachricht, die neu zu beantworten wäre.",
  stopFirst: "Gerade entsteht eine Antwort: bitte erst stoppen.",
  nothingToExport: "Es gibt noch nichts zu speichern.",
  outOfReach:
    "Nur der Kernel erreicht von hier aus den Server: Auf dem Server geöffnet, lässt sich das Gespräch als Datei speichern.",
  exporting: "Der Browser speichert es als Datei.",
  noFormat: (formats) => `Zur Wahl stehen ${formats}.`,
  nothingRuns: "Gerade läuft keine Antwort.",
  noAnswerToCopy: "Es gibt keine Antwort zum Kopieren.",
  noCodeToCopy: "Es gibt keinen Code zum Kopieren.",
  renamed: "Umbenannt.",

  // Conversations
  closeConversations: "Liste der Gespräche schließen",
  searchConversations: "Suchen",
  notConnected: "Noch keine Verbindung.",
  pinned: "Angeheftet",
  today: "Heute",
  yesterday: "Gestern",
  previousDays: "Letzte 7 Tage",
  older: "Älter",
  found: "Gefunden",
  answering: "antwortet…",
  unread: "ungelesen",
  conversationMenu: "Mehr",
  newTitle: "Neuer Titel",
  openOnPage: "In einem Tab öffnen",
  exportAs: (format) => `Exportieren als ${format}`,
  exportFormats: { md: "Markdown", html: "HTML", ipynb: "Notebook", json: "JSON" },
  conversationActions: {
    rename: "Umbenennen",
    pin: "Anheften",
    unpin: "Lösen",
    archive: "Archivieren",
    unarchive: "Aus dem Archiv holen",
    delete: "Löschen",
    restore: "Wiederherstellen",
    erase: "Endgültig löschen",
  },
  undo: "Rückgängig",
  deleted: (title) => `Gelöscht: ${title}`,
  archived: (title) => `Archiviert: ${title}`,
  showMore: "Mehr zeigen",
  shelves: { archived: "Archiv", trash: "Papierkorb" },
  noConversations: {
    usual: "Noch keine Gespräche.",
    archived: "Das Archiv ist leer.",
    trash: "Der Papierkorb ist leer.",
  },
  nothingFound: "Nichts gefunden.",
};

export const catalogs: Catalogs = { strings, more, connection };
