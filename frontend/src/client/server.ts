/** A Jupyter server with the chat, as a program sees it. */

import { xsrfToken } from "../credentials";
import { Requests } from "../transport/requests";
import {
  Conversation,
  type ConversationOptions,
  type OpenSocket,
} from "./conversation";
import { Credential, type CredentialOptions } from "./credential";
import { errorOf } from "./errors";

export interface ConnectOptions extends CredentialOptions {
  /** The Jupyter server's base URL, for example `http://localhost:8888/`. */
  readonly url: string;
  /** What this client calls itself to others who follow the same conversation. */
  readonly name?: string | undefined;
  /** Opens sockets, where the platform's own cannot send the token: see the docs. */
  readonly openSocket?: OpenSocket | undefined;
}

/** One line of the list of conversations. */
export interface ConversationSummary {
  readonly id: string;
  readonly title: string;
  readonly created_ms: number;
  readonly updated_ms: number;
}

export interface ConversationPage {
  readonly conversations: readonly ConversationSummary[];
  /** Goes into `before` for the next page; `null`: this was the last. */
  readonly next: string | null;
}

export interface ListOptions {
  /** Part of the title. */
  readonly search?: string | undefined;
  /** 50 when absent, at most 200. */
  readonly limit?: number | undefined;
  readonly before?: string | undefined;
}

/** An agent that can be chosen by `configure({agent: name})`. */
export interface AgentDescription {
  readonly name: string;
  readonly model: string;
  readonly offline: boolean;
  readonly tools: readonly { readonly name: string; readonly description: string }[];
}

/** A server. It is asked nothing before one of its methods is called. */
export class Server {
  readonly #requests: Requests;
  readonly #credential: Credential;
  readonly #options: ConnectOptions;
  readonly #apiUrl: string;

  constructor(options: ConnectOptions) {
    const base = new URL(options.url, globalThis.location?.href);
    base.pathname = base.pathname.replace(/\/?$/, "/");
    this.#options = options;
    this.#credential = new Credential(options);
    this.#apiUrl = new URL("streamchat/api/", base).href;
    this.#requests = new Requests({
      url: this.#apiUrl,
      pageToken: null,
      // A token needs no proof that a page of the server asks.
      xsrfToken: () => (this.#credential.isToken ? "" : xsrfToken(document)),
      fetch: this.#credential.fetch,
    });
  }

  /**
   * Begin to connect to a conversation, at once and without waiting.
   *
   * @param id which one; absent or `null`: a new one, made with its first message
   */
  openConversation(
    id: string | null = null,
    options: ConversationOptions = {},
  ): Conversation {
    const seat = {
      ...{ requests: this.#requests, apiUrl: this.#apiUrl },
      ...{ credential: this.#credential, name: this.#options.name },
      openSocket: this.#options.openSocket,
    };
    return new Conversation(id, seat, options);
  }

  /**
   * List conversations, the last updated first.
   *
   * @throws {StreamchatError}
   */
  async listConversations(options: ListOptions = {}): Promise<ConversationPage> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) {
      if (value !== undefined) query.set(name, String(value));
    }
    const page = (await this.#ask(`conversations?${query}`)) as ConversationPage;
    return { conversations: page.conversations, next: page.next ?? null };
  }

  /**
   * The agents that can be talked to.
   *
   * @throws {StreamchatError}
   */
  async listAgents(): Promise<readonly AgentDescription[]> {
    const answer = (await this.#ask("agents")) as {
      readonly agents: readonly AgentDescription[];
    };
    return answer.agents;
  }

  async #ask(path: string): Promise<unknown> {
    try {
      const { signal } = new AbortController();
      return await this.#requests.json(path, { signal });
    } catch (error) {
      throw errorOf(error);
    }
  }
}

/** A server to talk to. Nothing is asked of it yet. */
export function connect(options: ConnectOptions): Server {
  return new Server(options);
}

/** Begin to connect to one conversation of a server; a new one without an id. */
export function openConversation(
  options: ConnectOptions &
    ConversationOptions & { readonly conversation?: string | null },
): Conversation {
  return connect(options).openConversation(options.conversation ?? null, options);
}
