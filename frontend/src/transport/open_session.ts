/** Beginning to connect by one of the transports. */

import { PollSession } from "./poll_session";
import type { Session } from "./session";
import { type SocketHost, SocketSession } from "./socket_session";
import { StreamSession } from "./stream_session";
import type { Transport } from "./values";

/** Begin a session; `id` is to be a fresh one. */
export function openSession(
  transport: Transport,
  id: number,
  host: SocketHost,
  now: number,
): Session {
  switch (transport) {
    case "websocket":
    case "relay":
      return new SocketSession(id, host, now, transport);
    case "sse":
      return new StreamSession(id, host, now);
    case "rest":
      return new PollSession(id, host, now);
  }
}
