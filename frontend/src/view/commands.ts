/** What can be asked of the chat itself by a word after a slash. */

import {
  agentNameOf,
  agentsIn,
  askAgents,
  askModels,
  modelOf,
  modelsIn,
  type Settings,
  settingsForModel,
} from "./choices";
import type { Choice, Offers } from "./completion";
import { more } from "./more_strings";
import type { Steering } from "./steering";

type CommandName = keyof typeof more.commandWords & string;

export interface Command {
  readonly name: CommandName;
  /** Other words that mean it. */
  readonly also: readonly string[];
  /** Whether something follows the word; absent: then it is no command. */
  readonly argument?: "may" | "must";
  /** What may follow, where that is a choice. */
  readonly choices?: (steering: Steering) => Promise<Offers> | Offers;
  readonly canRun?: (steering: Steering) => boolean;
  readonly run: (steering: Steering, argument: string) => void;
}

/** All of them, in the order in which they are offered. */
export const COMMANDS: readonly Command[] = [
  {
    name: "new",
    also: ["clear"],
    canRun: (steering) => steering.canBegin,
    run: (steering) => steering.newConversation(),
  },
  { name: "stop", also: ["cancel"], run: (steering) => steering.stop() },
  {
    name: "regenerate",
    also: ["retry", "again"],
    run: (steering) => steering.regenerate(),
  },
  { name: "copy", also: [], run: (steering) => void steering.copyAnswer() },
  {
    name: "rename",
    also: ["title"],
    argument: "must",
    run: (steering, title) => void steering.rename(title),
  },
  {
    name: "search",
    also: ["find", "conversations"],
    argument: "may",
    canRun: (steering) => steering.canList,
    run: (steering, words) => steering.search(words),
  },
  {
    name: "export",
    also: ["save", "download"],
    argument: "may",
    choices: () =>
      Object.entries(more.exportFormats).map(([name, note]) => ({ name, note })),
    run: (steering, format) => {
      if (format === "") steering.exportAs("md");
      else if (format in more.exportFormats) steering.exportAs(format);
      else
        steering.say(more.noFormat(Object.keys(more.exportFormats).join(", ")), true);
    },
  },
  {
    name: "model",
    also: [],
    argument: "may",
    choices: offeredModels,
    run: (steering, id) => void choose(steering, id, () => chooseModel(steering, id)),
  },
  {
    name: "agent",
    also: [],
    argument: "may",
    choices: offeredAgents,
    run: (steering, name) =>
      void choose(steering, name, () => steering.choose({ agent: name }, more.saved)),
  },
  {
    name: "effort",
    also: [],
    argument: "may",
    choices: offeredEfforts,
    run: (steering, effort) =>
      void choose(steering, effort, () => steering.choose({ effort }, more.saved)),
  },
  { name: "settings", also: ["config"], run: (steering) => steering.settings() },
  { name: "check", also: ["status"], run: (steering) => steering.settings("check") },
  { name: "help", also: ["keys", "shortcuts"], run: (steering) => steering.help() },
];

/** A command with what follows it. */
export interface Asked {
  readonly command: Command;
  readonly argument: string;
}

/** The command that a text is; `null` where it is a text like any other. */
export function commandIn(text: string, steering: Steering): Asked | null {
  const [, word = "", argument = ""] = /^\/(\S+)(?:[ \t]+(.*))?$/.exec(text) ?? [];
  const command = commandNamed(word, steering);
  if (command === null) return null;
  const isWhole = command.argument !== undefined || argument.trim() === "";
  return isWhole ? { command, argument: argument.trim() } : null;
}

/** The command of this name, in whatever case. */
export function commandNamed(word: string, steering: Steering): Command | null {
  const wanted = word.toLowerCase();
  const command = COMMANDS.find(
    ({ name, also }) => name === wanted || also.includes(wanted),
  );
  return command !== undefined && (command.canRun?.(steering) ?? true) ? command : null;
}

/** Without a choice, let the reader choose in the settings. */
function choose(
  steering: Steering,
  argument: string,
  change: () => Promise<void>,
): void {
  if (argument === "") steering.settings();
  else void change();
}

async function chooseModel(steering: Steering, id: string): Promise<void> {
  const came = await askModels(steering.model, steering.signal);
  const models = "answer" in came ? modelsIn(came.answer) : [];
  const { settings } = steering.model.state;
  await steering.choose(settingsForModel(id, models, settings), more.saved);
}

async function offeredModels(steering: Steering): Promise<Offers> {
  const came = await askModels(steering.model, steering.signal);
  if ("problem" in came) return came;
  return modelsIn(came.answer).map(({ id, name = "" }) => ({
    name: id,
    note: name === id ? "" : name,
  }));
}

async function offeredAgents(steering: Steering): Promise<Offers> {
  const came = await askAgents(steering.model, steering.signal);
  if ("problem" in came) return came;
  return agentsIn(came.answer)
    .filter(({ problem }) => problem == null)
    .map(({ name, description = "" }) => ({ name, note: description }));
}

async function offeredEfforts(steering: Steering): Promise<Offers> {
  const { model, signal } = steering;
  const came = await askModels(model, signal);
  if ("problem" in came) return came;
  const efforts = modelOf(model.state.settings, modelsIn(came.answer))?.efforts ?? [];
  return efforts.map((name) => ({ name, note: "" }));
}

/** The commands that the agent of this conversation takes as messages. */
export async function agentCommands(steering: Steering): Promise<readonly Choice[]> {
  const came = await askAgents(steering.model, steering.signal);
  if ("problem" in came) return [];
  const agents = agentsIn(came.answer);
  const settings: Settings = steering.model.state.settings;
  const agent = agents.find(({ name }) => name === agentNameOf(settings, agents));
  return (agent?.commands ?? [])
    .filter(({ name }) => typeof name === "string")
    .map(({ name, description = "" }) => ({ name, note: description }));
}
