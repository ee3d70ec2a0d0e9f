/** A Jupyter server with the chat, as a program sees it. */

import { xsrfToken } from "../credentials";
import { type RequestOptions, Requests } from "../transport/requests";
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
  readonly pinned: boolean;
  readonly archived: boolean;
  /** When it was put into the trash; 0: it is not there. */
  readonly deleted_ms: number;
  /** Whether there is an answer that its owner has not read. */
  readonly unread: boolean;
  /** How many messages are answered or wait. */
  readonly open_turns: number;
  /** Of a search: outside of a hit, a hit, outside, and so on. */
  readonly marked_title: readonly string[];
  /** The same of the message that was found; empty where only the title was. */
  readonly snippet: readonly string[];
  /** That message's id. */
  readonly message: string;
}

export interface ConversationPage {
  readonly conversations: readonly ConversationSummary[];
  /** Goes into `cursor` for the next page; `null`: this was the last. */
  readonly next: string | null;
}

export interface ListOptions {
  /** Words, or parts of words, of the title or of one message. */
  readonly q?: string | undefined;
  /** Whether they are archived; absent: both. */
  readonly archived?: boolean | undefined;
  /** Whether they are in the trash. */
  readonly deleted?: boolean | undefined;
  /** 50 when absent, at most 200. */
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** What can be changed of a conversation beside what is said in it. */
export interface ConversationChanges {
  readonly title?: string | undefined;
  readonly pinned?: boolean | undefined;
  readonly archived?: boolean | undefined;
  /** Up to where it was read: a `seq`. */
  readonly read_seq?: number | undefined;
}

/** What a conversation can be exported as. */
export type ExportFormat = "md" | "html" | "ipynb" | "json" | "txt";

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
   * List or search conversations: the pinned first, then the last updated.
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
   * Rename, pin or archive a conversation, or note up to where it was read.
   *
   * @throws {StreamchatError}
   */
  async updateConversation(id: string, changes: ConversationChanges): Promise<void> {
    await this.#ask(pathOf(id), { method: "PATCH", body: changes });
  }

  /**
   * Put a conversation into the trash, or delete it for good.
   *
   * @throws {StreamchatError}
   */
  async deleteConversation(
    id: string,
    { forever = false }: { readonly forever?: boolean } = {},
  ): Promise<void> {
    const query = forever ? "?forever=true" : "";
    await this.#ask(pathOf(id) + query, { method: "DELETE" });
  }

  /**
   * Take a conversation out of the trash.
   *
   * @throws {StreamchatError}
   */
  async restoreConversation(id: string): Promise<void> {
    await this.#ask(`${pathOf(id)}/restore`, { method: "POST", body: {} });
  }

  /**
   * The text of a conversation as a file.
   *
   * @throws {StreamchatError}
   */
  async exportConversation(id: string, format: ExportFormat = "md"): Promise<string> {
    try {
      const { signal } = new AbortController();
      const path = `${pathOf(id)}/export?format=${format}`;
      return await (await this.#requests.open(path, { signal })).text();
    } catch (error) {
      throw errorOf(error);
    }
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

  async #ask(
    path: string,
    options: Omit<RequestOptions, "signal"> = {},
  ): Promise<unknown> {
    try {
      const { signal } = new AbortController();
      return await this.#requests.json(path, { ...options, signal });
    } catch (error) {
      throw errorOf(error);
    }
  }
}

function pathOf(conversation: string): string {
  return `conversations/${encodeURIComponent(conversation)}`;
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
