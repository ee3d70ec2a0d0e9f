/** The words that a first answer needs; what only later loaded parts say is in more_strings.ts. */

import { catalog } from "../catalog";
import { formatNumber, plural } from "./formats";

const english = {
  // Markdown
  hiddenCharacters: (count: number) =>
    plural(count, { one: "[# hidden character]", other: "[# hidden characters]" }),
  image: "image",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Could not copy",
  copyCode: "Copy this code",
  taskDone: "done",
  taskOpen: "not done",
  footnote: (label: string) => `Footnote ${label}`,
  footnoteBack: (label: string) => `Footnote ${label}: back to the text`,

  // Frame
  chat: "Chat",
  untitled: "New conversation",
  conversations: "Conversations",
  transcript: "Conversation",
  emptyTitle: "What would you like to know?",
  emptyHint: "Answers appear here word by word, with the tools that they use.",
  jumpToLatest: "Jump to latest",
  jumpToNew: "Jump to latest: there is more",

  // Composer
  messageLabel: "Your message",
  messagePlaceholder: "Write a message",
  composerHint: "Enter sends · Shift+Enter makes a new line",
  composerHintData: "Enter sends · Shift+Enter makes a new line · @ shares a variable",
  composerHintRunning: "Esc stops the answer",
  composerHintWaiting: "Esc stops the answer and all that wait",
  send: "Send",
  stop: "Stop",
  tooLong: (bytes: number, limit: number) =>
    `This message is too long: ${formatNumber(bytes)} of ${formatNumber(limit)} bytes. Shorten it, or split it.`,

  // Parts that are loaded when they are needed
  tryAgain: "Try again",
  loading: "Loading…",
  notLoaded: (name: string) => `${name}: this could not be loaded.`,

  // Sharing and attaching
  attach: "Attach files",
  attached: "Attached to this message",
  dropHere: "Drop files to attach them",
  sendsWhenReady: (count: number) =>
    plural(count, {
      one: "Sends as soon as what is attached is there · Esc waits",
      other: "Sends as soon as the # things attached are there · Esc waits",
    }),
  sendWaits: "Sends when everything is there",
  chipFailed: "Something attached could not be prepared: try again, or remove it.",
  writingAid: "Suggestions",

  // Messages
  regenerate: "Regenerate",
  regenerateDetail: "Answer again; this answer stays on a branch of its own",
  notSwitched: "The branch was not changed.",
  you: "You",
  assistant: "Assistant",
  sending: "Sending…",
  notSent: "Not sent.",
  sendAgain: "Send again",
  discard: "Discard",
  discardedTry: "A first try broke off and was replaced.",
  thinking: "Thinking…",
  thought: "Thought about it",
  thoughtFor: (time: string) => `Thought for ${time}`,
  redacted: "Some of the model's thoughts are encrypted and not shown.",
  sources: (count: number) => plural(count, { one: "# source", other: "# sources" }),
  page: (number: number) => `page ${number}`,
  pages: (first: number, last: number) => `pages ${first}–${last}`,
  details: (kind: string) => (kind === "" ? "Details" : `Details: ${kind}`),
  structured: "Structured answer",

  // Turns
  working: "Working…",
  stopped: "This answer was stopped.",
  stoppedUnseen: "Nobody was here any more, so this answer was stopped.",
  superseded: "Went on with the next message.",
  turnFailed: "The answer could not be finished.",
  cutForLength: "The answer was cut: it reached its greatest length.",
  refused: "The model declined to answer this.",
  refusedDetail:
    "Put it differently or leave out what it may have stumbled over; another model, or a new conversation, may answer.",
  tooLongToRead:
    "The answer ends here: the conversation is longer than the model can read.",
  tooLongDetail: "Begin a new conversation, and take what matters along.",
  budgetReached: "The answer ended at its ceiling of tokens or money.",
  budgetReachedBefore:
    "This was not answered: the ceiling of tokens or money is reached.",
  turnInterrupted: "The server stopped in the middle of this answer.",
  neverStarted: "Stopped before it was answered.",
  neverStartedUnseen: "Nobody was here any more, so this was not answered.",
  neverStartedInterrupted: "The server stopped before it answered this.",
  keptAnswer: "Your message and the answer so far are kept.",
  keptMessage: "Your message is kept.",
  askAgain: "Ask again",
  continueAnswer: "Continue",
  newConversation: "New conversation",
  /** What "Continue" sends. */
  continueMessage: "Please continue where you stopped.",

  // Queue
  queue: "Waiting messages",
  remove: "Remove",

  // Approvals
  approval: "Waiting for you",

  // Tools
  toolInput: "Input",
  toolOutput: "Result",
  toolNoOutput: "No result.",
  toolTruncated: "Only the start of a long result is shown.",
  preparingTool: "Preparing a tool…",
  toolWaiting: (name: string) => `Wants to use ${name}`,
  toolRunning: (name: string) => `Using ${name}…`,
  toolEnds: {
    ok: (name: string) => `Used ${name}`,
    error: (name: string) => `${name} reported an error`,
    denied: (name: string) => `${name} was not allowed`,
    cancelled: (name: string) => `${name} was stopped`,
    timeout: (name: string) => `${name} took too long`,
    unknown: (name: string) => `${name} may or may not have run`,
  },
  toolProgress: (name: string) => `Progress of ${name}`,

  // Labels of the server
  labels: {
    thinking: "Agent is thinking…",
    writing: "Agent is writing…",
    asking: "Asking you…",
    searching: "Searching the web…",
    reading: "Reading a web page…",
    running: "Running code…",
    editing: "Working on a file…",
    application: "Waiting for the application…",
  },
  labelMore: (names: string, more: number) => `${names} and ${more} more`,
  labelApproval: (names: string) => `Waiting for your approval of ${names}…`,
  labelLender: (name: string) => `Waiting for the kernel that lends ${name}…`,
  labelKernel: (seconds: number) => `Waiting for the kernel (busy for ${seconds} s)…`,

  // Connection
  offlineDemo: "Offline demo",
  offlineDemoDetail:
    "No language model is running. A demo that follows fixed rules answers.",
  seatsHere: (count: number) => `${formatNumber(count)} here`,
  seatsDetail: "They see and steer the same conversation.",
  seatKinds: {
    widget: "Notebook cell",
    page: "Chat page",
    kernel: "Notebook kernel",
    tool: "Another program",
  },
  thisSeat: "this one",
  moreSeats: (count: number) => `and ${formatNumber(count)} more`,
  connectionLabel: (text: string) => `Connection: ${text}`,
  tryNow: "Try now",
  /** What is wrong, by the code of the problem. */
  connectionProblem: (code: string): string => {
    switch (code) {
      case "conversation_not_found":
        return "This conversation is not here.";
      case "signed_out":
        return "You are signed out.";
      default:
        return "The chat cannot reach its server.";
    }
  },
  keptDraft: "What you wrote is kept.",

  // Announcements
  announceAnswer: "Answer complete.",
  announceSent: "Message sent.",
  /** Said in place of it. */
  spokenCode: "code",
  spokenFormula: "formula",

  // Settings
  settings: "Settings",
  answeredBy: (agent: string, model: string) =>
    model === "" ? `Answered by ${agent}` : `Answered by ${agent} · ${model}`,

  // Usage
  usageTitle: "Tokens and cost",
  context: "Context",
  contextUse: (tokens: number, limit: number | null, percent: number) =>
    limit === null
      ? plural(tokens, { one: "# token", other: "# tokens" })
      : `${formatNumber(tokens)} of ${formatNumber(limit)} tokens, ${formatNumber(percent)} %`,
  contextNearlyFull: "Nearly full",
  contextAdvice:
    "Begin a new conversation and take what matters along, or choose a model that reads more. Nothing is lost.",
};

export type Strings = typeof english;

export const strings = catalog("strings", english);
