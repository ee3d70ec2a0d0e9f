/** Who may answer a conversation, as the server tells it, and choosing among them. */

import type { Answered, ChatModel, NoAnswer } from "./types";

/** The agent that takes a model, an effort and whether to think. */
export const BUILT_IN = "assistant";
/** The endpoint is asked for its models. */
const MODELS_TIMEOUT_MS = 30_000;

/** A command that an agent takes as the begin of a message. */
export interface AgentCommand {
  readonly name: string;
  readonly description?: string;
}

/** An agent as `GET api/agents` tells of it. */
export interface AgentChoice {
  readonly name: string;
  readonly description?: string;
  readonly model?: string;
  readonly offline?: boolean;
  readonly where?: "server" | "kernel";
  readonly default?: boolean;
  readonly problem?: string | null;
  readonly commands?: readonly AgentCommand[];
}

/** A model as `GET api/models` tells of it. */
export interface ModelChoice {
  readonly id: string;
  readonly name?: string;
  readonly efforts?: readonly string[];
  readonly thinking?: boolean;
  readonly default?: boolean;
  /** The most tokens of a request and its answer, where it is known. */
  readonly context_tokens?: number | null;
}

export type Settings = { readonly [name: string]: unknown };

/** Ask which agents there are for this conversation; its promise is kept. */
export function askAgents(
  { server, state }: ChatModel,
  signal: AbortSignal,
): Promise<Answered | NoAnswer> {
  const query = state.conversation
    ? `?conversation=${encodeURIComponent(state.conversation)}`
    : "";
  return server.ask(`agents${query}`, { signal });
}

/** Ask which models the endpoint has; its promise is kept. */
export function askModels(
  { server }: ChatModel,
  signal: AbortSignal,
): Promise<Answered | NoAnswer> {
  return server.ask("models", { signal, timeoutMs: MODELS_TIMEOUT_MS });
}

/** The agents of an answer to `askAgents`. */
export function agentsIn(answer: unknown): readonly AgentChoice[] {
  return listIn<AgentChoice>(answer, "agents", "name");
}

/** The models of an answer to `askModels`. */
export function modelsIn(answer: unknown): readonly ModelChoice[] {
  return listIn<ModelChoice>(answer, "models", "id");
}

/** The agent that answers by these settings. */
export function agentNameOf(
  settings: Settings,
  agents: readonly AgentChoice[],
): string {
  const chosen = settings["agent"];
  if (typeof chosen === "string") return chosen;
  return agents.find((agent) => agent.default)?.name ?? BUILT_IN;
}

/** The model that the built-in agent has by these settings. */
export function modelOf(
  settings: Settings,
  models: readonly ModelChoice[],
): ModelChoice | undefined {
  const chosen = settings["model"];
  return models.find(({ id, default: isDefault }) =>
    typeof chosen === "string" ? id === chosen : isDefault,
  );
}

/** The settings to change for another model: what it does not have goes. */
export function settingsForModel(
  id: string,
  models: readonly ModelChoice[],
  { effort, thinking }: Settings,
): Settings {
  const model = models.find((one) => (id === "" ? one.default : one.id === id));
  const keepsEffort =
    typeof effort !== "string" || model?.efforts?.includes(effort) === true;
  return {
    model: id || null,
    ...(keepsEffort ? {} : { effort: null }),
    ...(thinking == null || model?.thinking ? {} : { thinking: null }),
  };
}

/** Change what is said of a conversation; its promise is kept. */
export function changeConversation(
  { server }: ChatModel,
  body: { readonly settings: Settings } | { readonly title: string },
  signal: AbortSignal,
): Promise<Answered | NoAnswer> {
  return server.ask(
    (conversation) => `conversations/${encodeURIComponent(conversation)}`,
    { method: "PATCH", body, signal },
  );
}

/** The objects of a list in an answer that have a text as their `key`. */
function listIn<Item>(answer: unknown, name: string, key: string): readonly Item[] {
  const list = (answer as Readonly<Record<string, unknown>> | null)?.[name];
  if (!Array.isArray(list)) return [];
  return list.filter((item) => typeof item?.[key] === "string") as Item[];
}
