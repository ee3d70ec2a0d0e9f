/** Every word that the chat says by itself, in one place for translation. */

// Markdown
export const hiddenCharacters = (count: number) =>
  count === 1 ? "[1 hidden character]" : `[${count} hidden characters]`;
export const image = "image";
export const copy = "Copy";
export const copied = "Copied";
export const copyFailed = "Could not copy";
export const copyCode = "Copy this code";
export const taskDone = "done";
export const taskOpen = "not done";

// Frame
export const chat = "Chat";
export const untitled = "New conversation";
export const transcript = "Conversation";
export const emptyTitle = "What would you like to know?";
export const emptyHint =
  "Answers appear here word by word, with the tools that they use.";
export const jumpToLatest = "Jump to latest";

// Composer
export const messageLabel = "Your message";
export const messagePlaceholder = "Write a message";
export const composerHint = "Enter sends · Shift+Enter makes a new line";
export const composerHintData =
  "Enter sends · Shift+Enter makes a new line · @ shares a variable";
export const composerHintRunning = "Esc stops the answer";
export const composerHintWaiting = "Esc stops the answer and all that wait";
export const send = "Send";
export const stop = "Stop";
export const tooLong = (bytes: number, limit: number) =>
  `This message is too long: ${bytes.toLocaleString()} of ${limit.toLocaleString()} bytes. Shorten it, or split it.`;

// Parts that are loaded when they are needed
export const tryAgain = "Try again";
export const loading = "Loading…";
export const notLoaded = (name: string) => `${name}: this could not be loaded.`;

// Sharing and attaching
export const attach = "Attach files";
export const attached = "Attached to this message";
export const dropHere = "Drop files to attach them";
export const uploading = "Uploading…";
export const close = "Close";
export const fileEmpty = (name: string) => `${name} is empty.`;
export const fileTooLarge = (name: string, size: string, limit: string) =>
  `${name} has ${size}; at most ${limit} can be attached.`;
export const fileUnfit = (name: string) =>
  `${name} cannot be attached: only PNG, JPEG, GIF and WebP images, PDF and text files can.`;
export const tooManyAttached = (count: number) =>
  `At most ${count} things fit one message.`;
export const sendsWhenReady = (count: number) =>
  count === 1
    ? "Sends as soon as what is attached is there · Esc waits"
    : `Sends as soon as the ${count} things attached are there · Esc waits`;
export const sendWaits = "Sends when everything is there";
export const chipFailed =
  "Something attached could not be prepared: try again, or remove it.";
export const variables = "Variables of the notebook";
export const noVariables = "There are no variables yet.";
export const kernelBusy = "The kernel is busy; waiting…";
export const askingKernel = "Asking the kernel…";
export const noDataHere =
  "Variables can be shared from a notebook's chat; here @ is only text.";
export const sharedData = "Exactly what was shared of this variable";
export const showPreview = "See and choose exactly what is shared";
export const previewLabel = (name: string) => `What is shared of ${name}`;
export const previewTitle = "Exactly this is sent";
export const closePreview = "Close this preview";
export const readAgain = "Read it again";
export const firstRows = "First rows";
export const columns = "Columns";
export const allColumns = "All";
export const noColumns = "None";
export const columnsShared = (count: number) =>
  `${count.toLocaleString("en")} ${count === 1 ? "column" : "columns"} shared`;
export const looksSecret = "looks like a secret";
export const characters = (count: number) =>
  `${count.toLocaleString("en")} ${count === 1 ? "character" : "characters"}`;
export const enlarge = (name: string) => `Enlarge ${name}`;
export const download = (name: string) => `Download ${name}`;
export const fileGone = "cannot be read";
export const textFile = "Text";

// Messages
export const you = "You";
export const assistant = "Assistant";
export const sending = "Sending…";
export const notSent = "Not sent.";
export const sendAgain = "Send again";
export const discard = "Discard";
export const imageAttachment = "Image";
export const document = "Document";
export const discardedTry = "A first try broke off and was replaced.";
export const brokenOff = "The answer ends here: it was cut off.";
export const thinking = "Thinking…";
export const thought = "Thought about it";
export const redacted = "Some of the model's thoughts are encrypted and not shown.";
export const sources = (count: number) =>
  count === 1 ? "1 source" : `${count} sources`;
export const source = (number: number) => `Source ${number}`;
export const sourceUnnamed = "Unnamed document";
export const page = (number: number) => `page ${number}`;
export const pages = (first: number, last: number) => `pages ${first}–${last}`;
export const details = (kind: string) => (kind === "" ? "Details" : `Details: ${kind}`);
export const structured = "Structured answer";
export const entries = (count: number) =>
  count === 1 ? "1 entry" : `${count.toLocaleString("en")} entries`;
export const emptyText = "(empty)";

// Turns
export const working = "Working…";
export const stopped = "This answer was stopped.";
export const stoppedUnseen = "Nobody was here any more, so this answer was stopped.";
export const superseded = "Went on with the next message.";
export const turnFailed = "The answer could not be finished.";
export const cutForLength = "The answer was cut: it reached its greatest length.";
export const refused = "The model declined to answer this.";
export const refusedDetail =
  "Put it differently or leave out what it may have stumbled over; another model, or a new conversation, may answer.";
export const tooLongToRead =
  "The answer ends here: the conversation is longer than the model can read.";
export const tooLongDetail = "Begin a new conversation, and take what matters along.";
export const budgetReached = "The answer ended at its ceiling of tokens or money.";
export const budgetReachedBefore =
  "This was not answered: the ceiling of tokens or money is reached.";
export const turnInterrupted = "The server stopped in the middle of this answer.";
export const neverStarted = "Stopped before it was answered.";
export const neverStartedUnseen = "Nobody was here any more, so this was not answered.";
export const neverStartedInterrupted = "The server stopped before it answered this.";
export const keptAnswer = "Your message and the answer so far are kept.";
export const keptMessage = "Your message is kept.";
export const askAgain = "Ask again";
export const continueAnswer = "Continue";
export const newConversation = "New conversation";
/** What "Continue" sends. */
export const continueMessage = "Please continue where you stopped.";

// Queue
export const queue = "Waiting messages";
export const queueTitle = (count: number) =>
  count === 1 ? "1 waits" : `${count} wait`;
export const sendNow = "Send now";
export const sendNowDetail =
  "Goes next: the running answer ends at its next step with a tool.";
export const edit = "Edit";
export const remove = "Remove";
export const save = "Save";
export const leaveEdit = "Cancel";
export const editLabel = "Change the message that waits";
export const editHint = "Enter saves · Esc leaves it as it was";
/** A button's label with the message that it is about. */
export const about = (action: string, text: string) => `${action}: ${text}`;
export const requestSending = {
  cancel: "Removing…",
  edit: "Saving…",
  send_now: "Goes next…",
  approve: "Answering…",
};
export const requestFailed = {
  cancel: "Not removed.",
  edit: "Not changed.",
  send_now: "Not moved.",
  approve: "Not answered.",
};
export const changedMeanwhile = (text: string) =>
  `Changed by somebody else meanwhile: ${text}`;
export const tooLateToChange =
  "It is being answered already. Your text is in the message field.";
export const removedMeanwhile =
  "It was taken out of the queue. Your text is in the message field.";

// Approvals
export const approval = "Waiting for you";
export const allow = "Allow";
export const allowInConversation = "Allow in this conversation";
export const deny = "Deny";
export const approvalEditLabel = "Change what runs";
export const approvalNotJson = "This is no JSON object; nothing was sent.";

// Tools
export const toolInput = "Input";
export const toolOutput = "Result";
export const toolNoOutput = "No result.";
export const tableMore = (shown: number, total: number) => `${shown} of ${total} rows`;
export const pictureBroken = "This picture cannot be shown.";
export const toolTruncated = "Only the start of a long result is shown.";
export const preparingTool = "Preparing a tool…";
export const toolWaiting = (name: string) => `Wants to use ${name}`;
export const toolRunning = (name: string) => `Using ${name}…`;
export const toolEnds = {
  ok: (name: string) => `Used ${name}`,
  error: (name: string) => `${name} reported an error`,
  denied: (name: string) => `${name} was not allowed`,
  cancelled: (name: string) => `${name} was stopped`,
  timeout: (name: string) => `${name} took too long`,
  unknown: (name: string) => `${name} may or may not have run`,
};
export const toolProgress = (name: string) => `Progress of ${name}`;

// Connection
export const offlineDemo = "Offline demo";
export const offlineDemoDetail =
  "No language model is running. A demo that follows fixed rules answers.";
export const seatsHere = (count: number) => `${count} here`;
export const seatsDetail = "They see and steer the same conversation.";
export const seatKinds = {
  widget: "Notebook cell",
  page: "Chat page",
  kernel: "Notebook kernel",
  tool: "Another program",
};
export const thisSeat = "this one";
export const moreSeats = (count: number) => `and ${count} more`;
export const connectionLabel = (text: string) => `Connection: ${text}`;
export const tryNow = "Try now";
/** What is wrong, by the code of the problem. */
export const connectionProblem = (code: string): string => {
  switch (code) {
    case "conversation_not_found":
      return "This conversation is not here.";
    case "signed_out":
      return "You are signed out.";
    default:
      return "The chat cannot reach its server.";
  }
};
export const keptDraft = "What you wrote is kept.";

// Announcements
export const announceAnswer = "Answer complete.";
export const announceSent = "Message sent.";
export const announceQueue = (count: number) =>
  count === 0
    ? "No message waits."
    : `${count === 1 ? "1 message waits" : `${count} messages wait`} for the answer.`;

// Settings
export const settings = "Settings";
export const closeSettings = "Close the settings";
export const whoAnswers = "Who answers";
export const agent = "Agent";
export const model = "Model";
export const effort = "Effort";
export const effortDetail = "How much work goes into an answer.";
export const thinkingChoice = "Thinking";
export const asServer = "As the server says";
export const byDefault = (name: string) => `${name} (default)`;
export const on = "On";
export const off = "Off";
export const offlineAgent = "no language model runs";
export const kernelAgent = "runs in the notebook's kernel";
export const ownModel = "This agent brings its own model.";
export const noModels = "The endpoint lists no models; the server's one is used.";
export const fromSettings = "The endpoint lists no models; these are the server's own.";
export const fromNextTurn = "A change counts from the next turn, for everybody here.";
export const saving = "Saving…";
export const saved = "Saved. It counts from the next turn.";
export const notSaved = (why: string) => `Not saved. ${why}`;
export const answeredBy = (agent: string, model: string) =>
  model === "" ? `Answered by ${agent}` : `Answered by ${agent} · ${model}`;

// Usage
export const usage = "Usage of this conversation";
export const usageNone = "Nothing was counted yet.";
export const usageTitle = "Tokens and cost";
export const usageIn = "Tokens in";
export const usageCacheRead = "of them read from the cache";
export const usageCacheWritten = "of them written to the cache";
export const usageOut = "Tokens out";
export const usageSearches = "Web searches";
export const usageCost = "Cost";
export const usageTime = "Time";
export const tokens = (count: number) =>
  `${count.toLocaleString("en")} ${count === 1 ? "token" : "tokens"}`;
export const unknownPrice = "unknown price";
export const lessThan = (cost: string) => `less than ${cost}`;
export const estimated = (cost: string) => `${cost} (estimated)`;
export const atLeast = (cost: string, turns: number) =>
  `at least ${cost}; ${turns === 1 ? "1 answer has" : `${turns} answers have`} no known price`;

// The check
export const checkTitle = "Connection";
export const check = "Check connection";
export const checkAgain = "Check again";
export const checkDetail =
  "Tries every way to the server, and asks the model one short question.";
export const checking = "Checking…";
export const checkEnds = (failed: number) =>
  failed === 0
    ? "Everything that was tried works."
    : `${failed === 1 ? "1 thing does" : `${failed} things do`} not work.`;
export const checkStates = {
  ok: "Works",
  failed: "Does not work",
  skipped: "Not tried",
};
export const checkNames = {
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
} as Readonly<Record<string, string>>;
export const copyCheck = "Copy as text";
export const trialOk = (milliseconds: number) => `Answered after ${milliseconds} ms.`;
export const trialLate = (seconds: number) => `No answer within ${seconds} s.`;
export const trialRefused = (status: number) => `The server refused it (${status}).`;
export const trialBroken = "It could not be opened.";
export const trialWrong = "Something answered that is not this chat's server.";
export const hintSocket =
  "A proxy in between may not pass WebSockets on; the chat uses another way by itself.";
export const hintStream =
  "A proxy in between may hold streams back; the chat uses another way by itself.";
export const hintRequests =
  "Is the Jupyter server running, and are you signed in? Reload the page.";
export const hintKernel = "Is the kernel running and idle? Run the chat's cell again.";
export const trialNoConversation = "It is tried once the conversation has begun.";
export const trialNoKernel = "There is no notebook's kernel behind this chat.";
export const checkOld = "This server has no check of the endpoint.";
