/** Every word that the chat says by itself, in one place for translation. */

export const strings = {
  // Markdown
  hiddenCharacters: (count: number) =>
    count === 1 ? "[1 hidden character]" : `[${count} hidden characters]`,
  image: "image",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Could not copy",
  copyCode: "Copy this code",
  taskDone: "done",
  taskOpen: "not done",

  // Frame
  chat: "Chat",
  untitled: "New conversation",
  transcript: "Conversation",
  emptyTitle: "What would you like to know?",
  emptyHint: "Answers appear here word by word, with the tools that they use.",
  jumpToLatest: "Jump to latest",

  // Composer
  messageLabel: "Your message",
  messagePlaceholder: "Write a message",
  composerHint: "Enter sends · Shift+Enter makes a new line",
  composerHintRunning: "Esc stops the answer",
  send: "Send",
  stop: "Stop",
  tooLong: (bytes: number, limit: number) =>
    `This message is too long: ${bytes.toLocaleString()} of ${limit.toLocaleString()} bytes. Shorten it, or split it.`,

  // Messages
  you: "You",
  assistant: "Assistant",
  sending: "Sending…",
  notSent: "Not sent.",
  sendAgain: "Send again",
  discard: "Discard",
  waitingInLine: "Waits for the answer before it",
  imageAttachment: "Image",
  document: "Document",
  discardedTry: "A first try broke off and was replaced.",
  brokenOff: "The answer ends here: it was cut off.",
  stopReasons: {
    max_tokens: "The answer ends here: it reached its greatest length.",
    refusal: "The model declined to go on.",
    model_context_window_exceeded:
      "The answer ends here: the conversation is longer than the model can read.",
  } as Readonly<Record<string, string>>,
  thinking: "Thinking…",
  thought: "Thought about it",

  // Turns
  working: "Working…",
  stopped: "You stopped this answer.",
  turnFailed: "The answer could not be finished.",
  turnInterrupted: "The server stopped in the middle of this answer.",
  keptAnswer: "Your message and the answer so far are kept.",
  keptMessage: "Your message is kept.",
  askAgain: "Ask again",

  // Tools
  toolInput: "Input",
  toolOutput: "Result",
  toolNoOutput: "No result.",
  toolTruncated: "Only the start of a long result is shown.",
  preparingTool: "Preparing a tool…",
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

  // Connection
  offlineDemo: "Offline demo",
  offlineDemoDetail:
    "No language model is running. A demo that follows fixed rules answers.",
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
} as const;

/** A duration in the words of a reader: "0.4 s", "12 s", "1 min 5 s". */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
