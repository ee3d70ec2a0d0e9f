/** The words of parts that are loaded when they are needed. */

import { catalog } from "../catalog";
import { formatNumber, plural } from "./formats";

const english = {
  // Code
  wrapCode: "Wrap",
  insertCell: "Insert as cell",
  insertAndRun: "Insert and run",
  replaceCell: "Replace cell",
  keepCell: "Keep the cell",
  diff: "What changes",
  added: "added",
  removed: "removed",

  // Sharing and attaching
  uploading: "Uploading…",
  close: "Close",
  fileEmpty: (name: string) => `${name} is empty.`,
  fileTooLarge: (name: string, size: string, limit: string) =>
    `${name} has ${size}; at most ${limit} can be attached.`,
  fileUnfit: (name: string) =>
    `${name} cannot be attached: only PNG, JPEG, GIF and WebP images, PDF and text files can.`,
  tooManyAttached: (count: number) =>
    `At most ${formatNumber(count)} things fit one message.`,
  variables: "Variables of the notebook",
  noDataHere: "Variables can be shared from a notebook's chat; here @ is only text.",
  noVariables: "There are no variables yet.",
  kernelBusy: "The kernel is busy; waiting…",
  askingKernel: "Asking the kernel…",
  sharedData: "Exactly what was shared of this variable",
  showPreview: "See and choose exactly what is shared",
  previewLabel: (name: string) => `What is shared of ${name}`,
  previewTitle: "Exactly this is sent",
  closePreview: "Close this preview",
  readAgain: "Read it again",
  firstRows: "First rows",
  columns: "Columns",
  allColumns: "All",
  noColumns: "None",
  columnsShared: (count: number) =>
    plural(count, { one: "# column shared", other: "# columns shared" }),
  looksSecret: "looks like a secret",
  characters: (count: number) =>
    plural(count, { one: "# character", other: "# characters" }),
  enlarge: (name: string) => `Enlarge ${name}`,
  download: (name: string) => `Download ${name}`,
  fileGone: "cannot be read",
  textFile: "Text",

  // Messages
  imageAttachment: "Image",
  document: "Document",
  source: (number: number) => `Source ${number}`,
  sourceUnnamed: "Unnamed document",
  entries: (count: number) => plural(count, { one: "# entry", other: "# entries" }),
  emptyText: "(empty)",

  // Queue
  queueTitle: (count: number) => plural(count, { one: "# waits", other: "# wait" }),
  sendNow: "Send now",
  sendNowDetail: "Goes next: the running answer ends at its next step with a tool.",
  editMessage: "Edit",
  editMessageDetail: "Ask in other words, on a branch of its own",
  version: (at: number, of: number) =>
    `Version ${formatNumber(at)} of ${formatNumber(of)}`,
  versionBefore: "Version before",
  versionAfter: "Version after",
  reviseLabel: "Your message in other words",
  reviseHint: "Enter sends it as another version · Esc leaves",
  edit: "Edit",
  save: "Save",
  leaveEdit: "Cancel",
  editLabel: "Change the message that waits",
  editHint: "Enter saves · Esc leaves it as it was",
  /** A button's label with the message that it is about. */
  about: (action: string, text: string) => `${action}: ${text}`,
  requestSending: {
    cancel: "Removing…",
    edit: "Saving…",
    send_now: "Goes next…",
    approve: "Answering…",
  },
  requestFailed: {
    cancel: "Not removed.",
    edit: "Not changed.",
    send_now: "Not moved.",
    approve: "Not answered.",
  },
  changedMeanwhile: (text: string) => `Changed by somebody else meanwhile: ${text}`,
  tooLateToChange: "It is being answered already. Your text is in the message field.",
  removedMeanwhile: "It was taken out of the queue. Your text is in the message field.",

  // Approvals
  allow: "Allow",
  allowInConversation: "Allow in this conversation",
  deny: "Deny",
  approvalEditLabel: "Change what runs",
  approvalNotJson: "This is no JSON object; nothing was sent.",

  // Tools
  tableMore: (shown: number, total: number) =>
    `${formatNumber(shown)} of ${formatNumber(total)} rows`,
  pictureBroken: "This picture cannot be shown.",

  // Announcements
  announceQueue: (count: number) =>
    count === 0
      ? "No message waits."
      : plural(count, {
          one: "# message waits for the answer.",
          other: "# messages wait for the answer.",
        }),

  // Settings
  closeSettings: "Close the settings",
  whoAnswers: "Who answers",
  agent: "Agent",
  model: "Model",
  effort: "Effort",
  effortDetail: "How much work goes into an answer.",
  thinkingChoice: "Thinking",
  asServer: "As the server says",
  byDefault: (name: string) => `${name} (default)`,
  on: "On",
  off: "Off",
  offlineAgent: "no language model runs",
  kernelAgent: "runs in the notebook's kernel",
  fromSettings: "The endpoint lists no models; these are the server's own.",
  fromNextTurn: "A change counts from the next turn, for everybody here.",
  saving: "Saving…",
  saved: "Saved. It counts from the next turn.",
  notSaved: (why: string) => `Not saved. ${why}`,

  // Usage
  usage: "Usage of this conversation",
  usageNone: "Nothing was counted yet.",
  usageIn: "Tokens in",
  usageCacheRead: "of them read from the cache",
  usageCacheWritten: "of them written to the cache",
  usageOut: "Tokens out",
  usageSearches: "Web searches",
  usageCost: "Cost",
  usageTime: "Time",

  // Tools
  toolLog: "What it says",
  toolTold: "What the model was told",

  // Timing of an answer
  timing: "Timing",
  timingHint: "Where the time of this answer went, and what was sent for it",
  noTiming: "The timing of this answer could not be read.",
  timingWhat: "What",
  timingWhen: "When",
  timingTook: "Took",
  timingTotal: (time: string) => `${time} in all`,
  timingFirst: (time: string) => `first word after ${time}`,
  timingWaited: (time: string) => `${time} to the first word`,
  timingFrom: (time: string) => `from ${time}`,
  tokensInto: (count: string) => `${count} tokens in`,
  tokensOutOf: (count: string) => `${count} out`,
  requests: (count: number) => plural(count, { one: "# request", other: "# requests" }),
  spans: {
    queue: "Waited for its turn",
    step: "Model",
    retry: "Waited to try again",
    tool: "Tool",
    approval: "Waited for you",
    kernel: "Kernel busy",
    run: "Ran",
  },
  requestsTitle: "What was sent",
  requestsNote: "As it went out, but for keys and files.",
  forgotten:
    "The requests of this answer are not kept any more: only those of the last answers are, until the server stops. The times above come from the conversation itself.",
  unseen:
    "No request of this answer was seen: none went out, or the agent sends them itself.",
  requestNumber: (number: number) => `Request ${number}`,
  requestWaits: "no word yet",
  requestId: "Request id",
  requestCut: "What was sent is too large to be kept.",
  headers: (count: number) => plural(count, { one: "# header", other: "# headers" }),
  copyRequest: "Copy as JSON",
  sources: { endpoint: "endpoint", demo: "offline demo", cassette: "cassette" },
  moreEntries: (count: number) => plural(count, { one: "# more", other: "# more" }),
  tokens: (count: number) => plural(count, { one: "# token", other: "# tokens" }),
  unknownPrice: "unknown price",
  lessThan: (cost: string) => `less than ${cost}`,
  estimated: (cost: string) => `${cost} (estimated)`,
  atLeast: (cost: string, turns: number) =>
    plural(turns, {
      one: `at least ${cost}; # answer has no known price`,
      other: `at least ${cost}; # answers have no known price`,
    }),

  // The check
  checkTitle: "Connection",
  check: "Check connection",
  checkAgain: "Check again",
  checkDetail: "Tries every way to the server, and asks the model one short question.",
  checking: "Checking…",
  checkEnds: (failed: number) =>
    failed === 0
      ? "Everything that was tried works."
      : plural(failed, {
          one: "# thing does not work.",
          other: "# things do not work.",
        }),
  checkStates: {
    ok: "Works",
    failed: "Does not work",
    skipped: "Not tried",
  },
  checkNames: {
    websocket: "WebSocket",
    sse: "Event stream",
    rest: "Plain requests",
    relay: "Through the kernel",
    server: "The server's own check",
    address: "Endpoint address",
    credential: "Credential",
    reachable: "Endpoint reachable",
    model: "Model",
    streams: "Streamed answers",
    tools: "Tools",
  } as Readonly<Record<string, string>>,
  copyCheck: "Copy as text",
  trialOk: (milliseconds: number) => `Answered after ${formatNumber(milliseconds)} ms.`,
  trialLate: (seconds: number) => `No answer within ${formatNumber(seconds)} s.`,
  trialRefused: (status: number) => `The server refused it (${status}).`,
  trialBroken: "It could not be opened.",
  trialWrong: "Something answered that is not this chat's server.",
  hintSocket:
    "A proxy in between may not pass WebSockets on; the chat uses another way by itself.",
  hintStream:
    "A proxy in between may hold streams back; the chat uses another way by itself.",
  hintRequests:
    "Is the Jupyter server running, and are you signed in? Reload the page.",
  hintKernel: "Is the kernel running and idle? Run the chat's cell again.",
  trialNoConversation: "It is tried once the conversation has begun.",
  trialNoKernel: "There is no notebook's kernel behind this chat.",
  checkOld: "This server has no check of the endpoint.",

  // Keys and commands
  shortcuts: "Keys and commands",
  shortcutScopes: {
    field: "While writing",
    choices: "While something is offered",
    change: "While changing a message that waits",
    chat: "Anywhere in the chat",
    reading: "Where nothing is written",
  },
  shortcutWords: {
    send: "Send",
    newLine: "New line",
    earlier: "At the start of the text: an earlier message",
    later: "At its end: a later message, then what you had begun",
    waitWithSending: "Do not send, while something attached is on its way",
    previousChoice: "The one above",
    nextChoice: "The one below",
    choose: "Take it",
    complete: "Only write it",
    declineChoices: "Go on without",
    saveChange: "Save",
    leaveChange: "Leave it as it was",
    stop: "Stop the answer and all that wait",
    focusField: "Go to the message field",
    previousMessage: "Go to the message before",
    nextMessage: "Go to the message after, then to the field",
    copyAnswer: "Copy the answer you are at, else the last one",
    copyCode: "Copy its last code",
    newConversation: "New conversation",
    conversations: "All conversations",
    settings: "Settings",
    help: "This list",
  },
  keyNames: {
    Mod: "Ctrl",
    Alt: "Alt",
    Shift: "Shift",
    Enter: "Enter",
    Tab: "Tab",
    Escape: "Esc",
    ArrowUp: "↑",
    ArrowDown: "↓",
  },
  commandsTitle: "Commands, as a message",
  commandWords: {
    new: "Begin a new conversation",
    stop: "Stop the answer and all that wait",
    regenerate: "Answer the last message again",
    copy: "Copy the last answer",
    rename: "Give this conversation another title",
    search: "Search in all conversations",
    export: "Save this conversation as a file",
    model: "Choose the model",
    agent: "Choose who answers",
    effort: "Choose how hard the model thinks",
    settings: "Open the settings",
    check: "Check the connection",
    help: "Show keys and commands",
  },
  /** A command stands alone that needs something after it. */
  commandNeeds: (command: string) => `Write what it is to be after /${command}.`,
  choices: (count: number) =>
    plural(count, { one: "# thing to choose", other: "# things to choose from" }),
  pastedFile: "pasted.txt",
  pastedAsFile: "Too long for a message: what was pasted is attached as a file.",
  nothingToRegenerate: "There is no message to answer again.",
  stopFirst: "An answer is being written: stop it first.",
  nothingToExport: "There is nothing to save yet.",
  outOfReach:
    "Only the kernel reaches the server from here: open the conversation on the server to save it as a file.",
  exporting: "The browser saves it as a file.",
  noFormat: (formats: string) => `Choose one of ${formats}.`,
  nothingRuns: "There is no answer to stop.",
  noAnswerToCopy: "There is no answer to copy.",
  noCodeToCopy: "There is no code to copy.",
  renamed: "Renamed.",

  // Conversations
  closeConversations: "Close the list of conversations",
  searchConversations: "Search",
  notConnected: "There is no connection yet.",
  pinned: "Pinned",
  today: "Today",
  yesterday: "Yesterday",
  previousDays: "Previous 7 days",
  older: "Older",
  found: "Found",
  answering: "answering…",
  unread: "unread",
  conversationMenu: "More",
  newTitle: "New title",
  openOnPage: "Open in a tab",
  exportAs: (format: string) => `Export as ${format}`,
  exportFormats: { md: "Markdown", html: "HTML", ipynb: "a notebook", json: "JSON" },
  conversationActions: {
    rename: "Rename",
    pin: "Pin",
    unpin: "Unpin",
    archive: "Archive",
    unarchive: "Take out of the archive",
    delete: "Delete",
    restore: "Restore",
    erase: "Delete for good",
  },
  undo: "Undo",
  deleted: (title: string) => `Deleted: ${title}`,
  archived: (title: string) => `Archived: ${title}`,
  showMore: "Show more",
  shelves: { archived: "Archive", trash: "Trash" },
  noConversations: {
    usual: "No conversations yet.",
    archived: "The archive is empty.",
    trash: "The trash is empty.",
  },
  nothingFound: "Nothing was found.",
};

export type More = typeof english;

export const more = catalog("more", english);
