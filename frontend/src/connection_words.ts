/** What the connection says by itself, in one place for translation. */

import type { ErrorBody } from "./protocol";
import type { Obstacle, Transport } from "./transport/values";
import type { ConnectionStatus } from "./view/types";

/** Where the chat is shown: some advice differs. */
export type ClientKind = "widget" | "page" | "tool";

/** What a seat calls itself. */
export const CLIENT_NAMES: Readonly<Record<ClientKind, string>> = {
  widget: "Notebook cell",
  page: "Chat page",
  tool: "Another program",
};

const START_ANEW: Readonly<Record<ClientKind, string>> = {
  widget: "Run the cell with Chat() again to start a new one.",
  page: "Open this page without the part after # to start a new one.",
  tool: "Start a new one.",
};

const NO_SOCKET: Readonly<Record<Obstacle, string>> = {
  network: "this network blocks WebSockets",
  token: "the server does not accept this page's token",
};

const LIVE: Readonly<Record<Transport, string>> = {
  websocket: "Live over WebSocket",
  sse: "Live over HTTP stream",
  rest: "Live over HTTP requests",
  relay: "Live through the kernel",
};

const LOST: Readonly<Record<WaitReason, string>> = {
  unreachable: "The server is not running or cannot be reached.",
  broken: "The connection was lost.",
  restarting: "The server restarts or is busy.",
  blocked: "Connecting to the server.",
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
        text: LIVE[transport],
        detail: liveDetail(transport, obstacle),
      };
    case "ready":
      return {
        transport: "ready",
        text: "Ready",
        detail: "A conversation begins with your first message.",
      };
    case "creating":
      return status("connecting", "Connecting…", "Starting a conversation.");
    case "connecting":
      return transport === "relay"
        ? askingKernel
        : status("connecting", "Connecting…", "Connecting to the server.");
    case "waiting": {
      if (phase.reason === "blocked") {
        return status("connecting", "Connecting…", LOST.blocked);
      }
      const seconds = Math.max(1, Math.ceil((phase.until - now) / 1000));
      const kept = "What you write is kept and sent when it is back.";
      const text = `Reconnecting in ${seconds} s…`;
      return status("offline", text, `${LOST[phase.reason]} ${kept}`);
    }
    case "stopped": {
      const { problem } = phase;
      const text = problem.code === "signed_out" ? "Signed out" : "Not connected";
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
      return "An open WebSocket brings every word as it comes.";
    case "sse":
      return `An HTTP stream brings every word as it comes: ${NO_SOCKET[obstacle]}.`;
    case "rest":
      return `The server is asked for news again and again: ${NO_SOCKET[obstacle]}, and HTTP streams do not get through.`;
    case "relay":
      return "The kernel passes everything on, because this page cannot reach the server itself. While a cell runs, what you send may wait.";
  }
}

/** The kernel is asked to pass frames on. */
export const askingKernel: ConnectionStatus = status(
  "connecting",
  "Connecting…",
  "Connecting through the kernel, once no cell runs. If it was restarted, run the cell with Chat() again.",
);

/** The kernel passes frames on, and what was sent has not reached it. */
export const waitingForCell: ConnectionStatus = {
  transport: "relay",
  text: "Waiting for the kernel",
  detail: "A cell runs: what you sent goes out when it has ended.",
};

/** Nobody is signed in at the server, or somebody else is. */
export const signedOut: ErrorBody = {
  code: "signed_out",
  message:
    "You are signed out. Sign in to Jupyter again (reload the page); the chat then goes on by itself.",
  retryable: true,
};

/** The server has no chat. */
export const notInstalled: ErrorBody = {
  code: "not_installed",
  message:
    "The chat's server extension is not running on this server. Install streamchat_nb where Jupyter runs and restart it; `jupyter server extension list` has to show streamchat_nb.",
};

/** A good answer that our server cannot have given. */
export const interference: ErrorBody = {
  code: "unexpected_answer",
  message:
    "Something on the way answered in place of the server, perhaps a sign-in page. Reload this page and sign in.",
  retryable: true,
};

/** The conversation is not there. */
export function conversationMissing(kind: ClientKind): ErrorBody {
  return {
    code: "conversation_not_found",
    message: `This conversation is not on this server: it was deleted, or it belongs to somebody else. ${START_ANEW[kind]}`,
  };
}

/** A socket was closed for good. */
export function closedForGood(code: number, meaning: string): ErrorBody {
  return {
    code: `closed_${code}`,
    message: `The server ended the connection: ${meaning}. Reload the page to connect again.`,
  };
}

/** A request had no answer (`null`), or one that is not our server's. */
export function requestProblem(status: number | null): ErrorBody {
  return status === null
    ? { code: "server_unreachable", message: LOST.unreachable, retryable: true }
    : {
        code: `http_${status}`,
        message: `The server answered with status ${status}.`,
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
