import { Inject } from "@nestjs/common";
import { JwtService } from "@nestjs/jwt";
import {
  ConnectedSocket,
  MessageBody,
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from "@nestjs/websockets";
import type { DefaultEventsMap, Server, Socket } from "socket.io";
import { AgentService } from "./agent.service.js";

const AUTHENTICATE_MS = 30_000;

type User = { sub: string };
type Client = Socket<
  DefaultEventsMap,
  DefaultEventsMap,
  DefaultEventsMap,
  { user?: User; deadline?: NodeJS.Timeout }
>;

/**
 * In its favour: sockets only, so that nothing is long-polled first and no connection
 * is made twice; no compression; a room is sent to by one `emit`, which Socket.IO
 * encodes once for all. It keeps nothing: no history, no numbers, no store; who comes
 * late or comes back gets what is said from then on.
 */
@WebSocketGateway({ transports: ["websocket"], perMessageDeflate: false })
export class AgentGateway implements OnGatewayConnection, OnGatewayDisconnect {
  @WebSocketServer() private readonly server!: Server;

  constructor(
    @Inject(JwtService) private readonly jwt: JwtService,
    @Inject(AgentService) private readonly agent: AgentService,
  ) {}

  handleConnection(client: Client): void {
    client.data.deadline = setTimeout(() => client.disconnect(true), AUTHENTICATE_MS);
  }

  handleDisconnect(client: Client): void {
    clearTimeout(client.data.deadline);
  }

  @SubscribeMessage("authenticate")
  authenticate(
    @ConnectedSocket() client: Client,
    @MessageBody() body: { token: string },
  ): void {
    try {
      const user = this.jwt.verify<User>(body.token);
      client.data.user = user;
      clearTimeout(client.data.deadline);
      client.emit("authenticated", { user: user.sub });
    } catch {
      client.emit("error", { message: "The token is wrong or has expired." });
      client.disconnect(true);
    }
  }

  @SubscribeMessage("subscribe")
  async subscribe(
    @ConnectedSocket() client: Client,
    @MessageBody() body: { conversation: string },
  ): Promise<void> {
    if (client.data.user === undefined) {
      client.emit("error", { message: "Authenticate first." });
      return;
    }
    await client.join(body.conversation);
    client.emit("subscribed", { conversation: body.conversation });
  }

  @SubscribeMessage("chat")
  async chat(
    @ConnectedSocket() client: Client,
    @MessageBody() body: { message: string; conversation?: string },
  ): Promise<void> {
    if (client.data.user === undefined) {
      client.emit("error", { message: "Authenticate first." });
      return;
    }
    const readers =
      body.conversation === undefined ? client : this.server.to(body.conversation);
    readers.emit("thinking", { message: "Agent is thinking…" });
    try {
      await this.agent.chat(body.message, (token) => readers.emit("token", { token }));
      readers.emit("complete", {});
    } catch (error) {
      client.emit("error", { message: String(error) });
    }
  }
}
