/**
 * The npm package `eventsource` as a client: reads a conversation, is cut off after the
 * first delta, and goes on by itself. Prints `{events, cursors}`: all events, and the
 * `Last-Event-ID` of each connection.
 *
 * Environment: `API` (ending in `/`), `TOKEN`, `CONVERSATION`.
 */

import { EventSource } from "eventsource";

const { API, TOKEN, CONVERSATION } = process.env;
const EVENTS = [
  ...["conversation.created", "conversation.updated"],
  ...["message.created", "message.completed"],
  ...["block.started", "block.delta", "block.completed"],
  ...["turn.queued", "turn.started", "turn.status", "turn.finished"],
  ...["tool.requested", "tool.started", "tool.progress", "tool.completed"],
];
const cursors = [];

/** End a body with the chunk that holds the first delta. */
function cutShort(response) {
  const decoder = new TextDecoder();
  const cut = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      if (decoder.decode(chunk).includes("event: block.delta")) controller.terminate();
    },
  });
  const { headers, url } = response;
  const cutResponse = new Response(response.body.pipeThrough(cut), { headers });
  return Object.defineProperty(cutResponse, "url", { value: url });
}

async function authorizedFetch(url, init) {
  const headers = { ...init.headers, Authorization: `token ${TOKEN}` };
  cursors.push(headers["Last-Event-ID"] ?? null);
  const response = await fetch(url, { ...init, headers });
  return cursors.length === 1 ? cutShort(response) : response;
}

const source = new EventSource(`${API}conversations/${CONVERSATION}/events`, {
  fetch: authorizedFetch,
});
const events = [];
await new Promise((resolve) => {
  for (const type of EVENTS) {
    source.addEventListener(type, ({ data }) => {
      events.push(JSON.parse(data));
      if (type === "turn.finished") resolve();
    });
  }
  source.addEventListener("live", () => {
    if (cursors.length > 1) return;
    fetch(`${API}conversations/${CONVERSATION}/messages`, {
      method: "POST",
      headers: { Authorization: `token ${TOKEN}`, Prefer: "respond-async" },
      body: JSON.stringify({ text: "Who is Ada?" }),
    });
  });
});
source.close();
process.stdout.write(JSON.stringify({ events, cursors }));
