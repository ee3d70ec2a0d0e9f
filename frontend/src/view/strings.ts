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
  composerHintWaiting: "Esc stops the answer and all that wait",
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
  stopped: "This answer was stopped.",
  stoppedUnseen: "Nobody was here any more, so this answer was stopped.",
  superseded: "Went on with the next message.",
  turnFailed: "The answer could not be finished.",
  turnInterrupted: "The server stopped in the middle of this answer.",
  neverStarted: "Stopped before it was answered.",
  neverStartedUnseen: "Nobody was here any more, so this was not answered.",
  neverStartedInterrupted: "The server stopped before it answered this.",
  keptAnswer: "Your message and the answer so far are kept.",
  keptMessage: "Your message is kept.",
  askAgain: "Ask again",
  continueAnswer: "Continue",
  /** What "Continue" sends. */
  continueMessage: "Please continue where you stopped.",

  // Queue
  queue: "Waiting messages",
  queueTitle: (count: number) => (count === 1 ? "1 waits" : `${count} wait`),
  sendNow: "Send now",
  sendNowDetail: "Goes next: the running answer ends at its next step with a tool.",
  edit: "Edit",
  remove: "Remove",
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
  approval: "Waiting for you",
  allow: "Allow",
  allowInConversation: "Allow in this conversation",
  deny: "Deny",
  approvalEditLabel: "Change what runs",
  approvalNotJson: "This is no JSON object; nothing was sent.",

  // Tools
  toolInput: "Input",
  toolOutput: "Result",
  toolNoOutput: "No result.",
  tableMore: (shown: number, total: number) => `${shown} of ${total} rows`,
  pictureBroken: "This picture cannot be shown.",
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
  seatsHere: (count: number) => `${count} here`,
  seatsDetail: "They see and steer the same conversation.",
  seatKinds: {
    widget: "Notebook cell",
    page: "Chat page",
    kernel: "Notebook kernel",
    tool: "Another program",
  },
  thisSeat: "this one",
  moreSeats: (count: number) => `and ${count} more`,
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
  announceQueue: (count: number) =>
    count === 0
      ? "No message waits."
      : `${count === 1 ? "1 message waits" : `${count} messages wait`} for the answer.`,
} as const;

/** A duration in the words of a reader: "0.4 s", "12 s", "1 min 5 s". */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
