/** What the connection says by itself, in one place for translation. */

import { catalog } from "./catalog";
import type { ErrorBody } from "./protocol";
import type { Obstacle, Transport } from "./transport/values";
import type { ConnectionStatus } from "./view/types";

/** Where the chat is shown: some advice differs. */
export type ClientKind = "widget" | "page" | "tool";

const english = {
  startAnew: {
    widget: "Run the cell with Chat() again to start a new one.",
    page: "Open this page without the part after # to start a new one.",
    tool: "Start a new one.",
  },
  noSocket: {
    network: "this network blocks WebSockets",
    token: "the server does not accept this page's token",
  },
  live: {
    websocket: "Live over WebSocket",
    sse: "Live over HTTP stream",
    rest: "Live over HTTP requests",
    relay: "Live through the kernel",
  },
  lost: {
    unreachable: "The server is not running or cannot be reached.",
    broken: "The connection was lost.",
    restarting: "The server restarts or is busy.",
    blocked: "Connecting to the server.",
  },
  ready: "Ready",
  readyDetail: "A conversation begins with your first message.",
  connecting: "Connecting…",
  creating: "Starting a conversation.",
  keptWords: "What you write is kept and sent when it is back.",
  reconnecting: (seconds: number) => `Reconnecting in ${seconds} s…`,
  signedOut: "Signed out",
  notConnected: "Not connected",
  overSocket: "An open WebSocket brings every word as it comes.",
  overStream: (why: string) => `An HTTP stream brings every word as it comes: ${why}.`,
  overRequests: (why: string) =>
    `The server is asked for news again and again: ${why}, and HTTP streams do not get through.`,
  overKernel:
    "The kernel passes everything on, because this page cannot reach the server itself. While a cell runs, what you send may wait.",
  askingKernel:
    "Connecting through the kernel, once no cell runs. If it was restarted, run the cell with Chat() again.",
  waitingForCell: "Waiting for the kernel",
  waitingForCellDetail: "A cell runs: what you sent goes out when it has ended.",
  signedOutDetail:
    "You are signed out. Sign in to Jupyter again (reload the page); the chat then goes on by itself.",
  notInstalled:
    "The chat's server extension is not running on this server. Install streamchat_nb where Jupyter runs and restart it; `jupyter server extension list` has to show streamchat_nb.",
  interference:
    "Something on the way answered in place of the server, perhaps a sign-in page. Reload this page and sign in.",
  missing:
    "This conversation is not on this server: it was deleted, or it belongs to somebody else.",
  closedForGood: (meaning: string) =>
    `The server ended the connection: ${meaning}. Reload the page to connect again.`,
  answeredStatus: (status: number) =>
    `The server answered with status ${status}. Reload this page; if that does not help, the server's log says why.`,
  tooLarge: (bytes: number, limit: number) =>
    `The message has ${bytes} bytes; at most ${limit} are accepted. Shorten it or send it in parts.`,
  outboxFull: (waiting: number) =>
    `${waiting} messages wait for the connection. Send this one later.`,
  oldMessage: (days: number) => `You wrote it ${days} days ago.`,
  kernelSilent:
    "The kernel does not answer. If it was restarted, run this chat's cell again.",
};

/** What the connection says, in one language. */
export type ConnectionWords = typeof english;

/** What the connection says, in the language that is shown. */
export const words = catalog("connection", english);

/** What a seat calls itself; others show a word of their own language for its kind. */
export const CLIENT_NAMES: Readonly<Record<ClientKind, string>> = {
  widget: "Notebook cell",
  page: "Chat page",
  tool: "Another program",
};

/** Why the machine waits before it tries again. */
export type WaitReason = "unreachable" | "broken" | "restarting" | "blocked";

/** What the machine does. `until` is when it goes on by itself; `null` for never. */
export type Phase =
  | { readonly name: "creating" | "connecting" | "live" }
  /** The server is there; the conversation begins with the first message. */
  | { readonly name: "ready" }
  | { readonly name: "waiting"; readonly until: number; readonly reason: WaitReason }
  | {
      readonly name: "stopped";
      readonly problem: ErrorBody;
      readonly until: number | null;
    };

/**
 * Say how the server is reached, and why so.
 *
 * @param transport the one in use, or the one that is tried
 * @param obstacle what stands in the way of the WebSocket
 */
export function describeConnection(
  phase: Phase,
  transport: Transport,
  obstacle: Obstacle,
  now: number,
): ConnectionStatus {
  switch (phase.name) {
    case "live":
      return {
        transport,
        text: words.live[transport],
        detail: liveDetail(transport, obstacle),
      };
    case "ready":
      return {
        transport: "ready",
        text: words.ready,
        detail: words.readyDetail,
      };
    case "creating":
      return status("connecting", words.connecting, words.creating);
    case "connecting":
      return transport === "relay"
        ? askingKernel()
        : status("connecting", words.connecting, words.lost.blocked);
    case "waiting": {
      if (phase.reason === "blocked") {
        return status("connecting", words.connecting, words.lost.blocked);
      }
      const seconds = Math.max(1, Math.ceil((phase.until - now) / 1000));
      const why = `${words.lost[phase.reason]} ${words.keptWords}`;
      return status("offline", words.reconnecting(seconds), why);
    }
    case "stopped": {
      const { problem } = phase;
      const text = problem.code === "signed_out" ? words.signedOut : words.notConnected;
      return { ...status("offline", text, problem.message), problem };
    }
  }
}

function status(
  transport: "connecting" | "offline",
  text: string,
  detail: string,
): ConnectionStatus {
  return { transport, text, detail };
}

function liveDetail(transport: Transport, obstacle: Obstacle): string {
  switch (transport) {
    case "websocket":
      return words.overSocket;
    case "sse":
      return words.overStream(words.noSocket[obstacle]);
    case "rest":
      return words.overRequests(words.noSocket[obstacle]);
    case "relay":
      return words.overKernel;
  }
}

/** The kernel is asked to pass frames on. */
export function askingKernel(): ConnectionStatus {
  return status("connecting", words.connecting, words.askingKernel);
}

/** The kernel passes frames on, and what was sent has not reached it. */
export function waitingForCell(): ConnectionStatus {
  const { waitingForCell: text, waitingForCellDetail: detail } = words;
  return { transport: "relay", text, detail };
}

/** Nobody is signed in at the server, or somebody else is. */
export function signedOut(): ErrorBody {
  return { code: "signed_out", message: words.signedOutDetail, retryable: true };
}

/** The server has no chat. */
export function notInstalled(): ErrorBody {
  return { code: "not_installed", message: words.notInstalled };
}

/** A good answer that our server cannot have given. */
export function interference(): ErrorBody {
  return { code: "unexpected_answer", message: words.interference, retryable: true };
}

/** The conversation is not there. */
export function conversationMissing(kind: ClientKind): ErrorBody {
  return {
    code: "conversation_not_found",
    message: `${words.missing} ${words.startAnew[kind]}`,
  };
}

/** A socket was closed for good. */
export function closedForGood(code: number, meaning: string): ErrorBody {
  return {
    code: `closed_${code}`,
    message: words.closedForGood(meaning),
  };
}

/** A request had no answer (`null`), or one that is not our server's. */
export function requestProblem(status: number | null): ErrorBody {
  return status === null
    ? { code: "server_unreachable", message: words.lost.unreachable, retryable: true }
    : {
        code: `http_${status}`,
        message: words.answeredStatus(status),
        retryable: status >= 500,
      };
}

/** Whether two states of the connection are told in the same words. */
export function isSameStatus(one: ConnectionStatus, other: ConnectionStatus): boolean {
  return (
    one.text === other.text &&
    one.detail === other.detail &&
    one.transport === other.transport &&
    one.problem?.message === other.problem?.message
  );
}
