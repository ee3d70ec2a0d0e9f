import "reflect-metadata";
import type { Server } from "node:http";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { JwtModule } from "@nestjs/jwt";
import { AgentGateway } from "./agent.gateway.js";
import { AgentService } from "./agent.service.js";
import { settings } from "./settings.js";

@Module({
  imports: [JwtModule.register({ secret: settings.secret })],
  providers: [AgentGateway, AgentService],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
await app.init();
// In its favour: room for many who connect at once.
const server: Server = app.getHttpServer();
server.listen({ host: "127.0.0.1", port: settings.port, backlog: 4096 }, () =>
  console.log("ready"),
);
