/**
 * A chat for Node without a framework: a socket, a token, the SDK.
 *
 * In its favour: no compression; what goes to a room is made into bytes once; `create`
 * with `stream` is the cheaper of the SDK's two ways. It keeps nothing: no history, no
 * numbers, no store; who comes late or comes back gets what is said from then on.
 */

import Anthropic from "@anthropic-ai/sdk";
import jsonwebtoken from "jsonwebtoken";
import { WebSocket, WebSocketServer } from "ws";

const AUTHENTICATE_MS = 30_000;
const { PORT, JWT_SECRET, ANTHROPIC_BASE_URL } = process.env;
if (!PORT || !JWT_SECRET || !ANTHROPIC_BASE_URL) {
  throw new Error(
    "Set PORT, JWT_SECRET and ANTHROPIC_BASE_URL: the benchmark does it.",
  );
}

const model = new Anthropic({
  apiKey: "benchmark",
  baseURL: ANTHROPIC_BASE_URL,
  maxRetries: 0,
});
/** Who follows each conversation. */
const rooms = new Map();

function say(socket, message) {
  socket.send(JSON.stringify(message));
}

function sayTo(room, message) {
  const bytes = Buffer.from(JSON.stringify(message));
  for (const socket of room) {
    if (socket.readyState === WebSocket.OPEN) socket.send(bytes, { binary: false });
  }
}

async function answer(text, emit) {
  const stream = await model.messages.create({
    model: "benchmark",
    max_tokens: 1024,
    messages: [{ role: "user", content: text }],
    stream: true,
  });
  for await (const event of stream) {
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
      emit({ type: "token", text: event.delta.text });
    }
  }
  emit({ type: "done" });
}

class Client {
  constructor(socket) {
    this.socket = socket;
    this.user = undefined;
    this.followed = new Set();
    this.deadline = setTimeout(() => socket.close(), AUTHENTICATE_MS);
  }

  async receive(message) {
    if (message.type === "authenticate") this.authenticate(message.token);
    else if (this.user === undefined) this.socket.close();
    else if (message.type === "subscribe") this.subscribe(message.conversation);
    else if (message.type === "chat") await this.chat(message);
  }

  authenticate(token) {
    this.user = jsonwebtoken.verify(token, JWT_SECRET).sub;
    clearTimeout(this.deadline);
    say(this.socket, { type: "authenticated", user: this.user });
  }

  subscribe(conversation) {
    const room = rooms.get(conversation) ?? new Set();
    rooms.set(conversation, room.add(this.socket));
    this.followed.add(conversation);
    say(this.socket, { type: "subscribed", conversation });
  }

  chat({ text, conversation }) {
    const room = rooms.get(conversation);
    return answer(text, (message) =>
      room === undefined ? say(this.socket, message) : sayTo(room, message),
    );
  }

  leave() {
    clearTimeout(this.deadline);
    for (const conversation of this.followed) {
      const room = rooms.get(conversation);
      room.delete(this.socket);
      if (room.size === 0) rooms.delete(conversation);
    }
  }
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(PORT),
  path: "/ws",
  perMessageDeflate: false,
  backlog: 4096,
});
server.on("connection", (socket) => {
  const client = new Client(socket);
  socket.on("message", (raw) => {
    client.receive(JSON.parse(raw)).catch((error) => {
      say(socket, { type: "error", message: String(error) });
    });
  });
  socket.on("close", () => client.leave());
});
server.on("listening", () => console.log("ready"));
