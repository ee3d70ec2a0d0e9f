/**
 * The npm package `ws` as a client: says one message, is cut off, and reads on from the
 * third event. Prints `{first, resumed}`: the events of both connections.
 *
 * Environment: `API` (ending in `/`), `TOKEN`, `CONVERSATION`.
 */

import WebSocket from "ws";

const { API, TOKEN, CONVERSATION } = process.env;
const headers = { Authorization: `token ${TOKEN}` };

async function newToken() {
  const answer = await fetch(`${API}token`, { method: "POST", headers, body: "{}" });
  return (await answer.json()).token;
}

/** Follow the conversation from `since` until `isEnough` of an event. */
async function follow(since, isEnough, onLive) {
  const token = await newToken();
  const socket = new WebSocket(`${API.replace("http", "ws")}ws`, "streamchat.v1", {
    headers,
  });
  const send = (command) => socket.send(JSON.stringify(command));
  const events = [];
  const commands = {
    hello: () => send({ type: "authenticate", id: 1, token }),
    authenticated: () =>
      send({ type: "subscribe", id: 2, conversation: CONVERSATION, since }),
    live: () => onLive(send),
  };
  return await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
    socket.on("message", (data) => {
      const frame = JSON.parse(data);
      if (frame.type === "error") reject(new Error(frame.message));
      commands[frame.type]?.();
      if ("prev" in frame) {
        events.push(frame);
        if (isEnough(frame)) {
          resolve(events);
          socket.terminate();
        }
      }
    });
  });
}

const isEnd = ({ type }) => type === "turn.finished";
const first = await follow(null, isEnd, (send) =>
  send({
    ...{ type: "send", id: 3, conversation: CONVERSATION },
    ...{ client_message_id: "ws-1", content: [{ type: "text", text: "Who is Ada?" }] },
  }),
);
const { log, seq } = { log: process.env.LOG, seq: first[2].seq };
const resumed = await follow({ log, seq }, isEnd, () => undefined);
process.stdout.write(JSON.stringify({ first, resumed }));
