import Anthropic from "@anthropic-ai/sdk";
import { Injectable } from "@nestjs/common";
import { settings } from "./settings.js";

@Injectable()
export class AgentService {
  private readonly client = new Anthropic({
    apiKey: "benchmark",
    baseURL: settings.upstream,
    maxRetries: 0,
  });

  /**
   * Answers a message, a token at a time.
   *
   * In its favour: `create` with `stream` is the cheaper of the SDK's two ways; the
   * other one also builds the message and emits events for it.
   */
  async chat(message: string, onToken: (token: string) => void): Promise<void> {
    const stream = await this.client.messages.create({
      model: "benchmark",
      max_tokens: 1024,
      messages: [{ role: "user", content: message }],
      stream: true,
    });
    for await (const event of stream) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
        onToken(event.delta.text);
      }
    }
  }
}
