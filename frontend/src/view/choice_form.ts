/** Choosing the agent, its model, the effort and whether it thinks. */

import { removeHidden } from "../markdown/hidden";
import {
  type AgentChoice,
  agentNameOf,
  agentsIn,
  askAgents,
  askModels,
  BUILT_IN,
  changeConversation,
  type ModelChoice,
  modelOf,
  modelsIn,
  type Settings,
  settingsForModel,
} from "./choices";
import { make, makeButton, setText } from "./element";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ChatModel } from "./types";

interface ModelsAnswer {
  /** Where the models are from; of `settings` the endpoint lists none. */
  readonly source?: string;
  /** Why the endpoint gave no list. */
  readonly problem?: string | { readonly message?: string } | null;
}

interface Option {
  readonly value: string;
  readonly label: string;
  readonly disabled?: boolean;
}

export interface ChoiceFormOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly say: (text: string) => void;
}

/** A labelled list to choose one of. */
class Picker {
  readonly element: HTMLElement;
  readonly #select = make("select", "choice");
  readonly #detail = make("span", "choice-detail");
  #shown = "";

  constructor(label: string, choose: (value: string) => void, signal: AbortSignal) {
    this.element = make(
      "label",
      "choice-line",
      make("span", "choice-name", label),
      this.#select,
      this.#detail,
    );
    this.#select.addEventListener("change", () => choose(this.#select.value), {
      signal,
    });
  }

  /** Offer `options`; one that is chosen and not among them is offered too. */
  show(options: readonly Option[], value: string, detail = ""): void {
    const isKnown = options.some((option) => option.value === value);
    const all = isKnown ? options : [...options, { value, label: value }];
    const next = JSON.stringify(all);
    if (next !== this.#shown) {
      this.#shown = next;
      this.#select.replaceChildren(...all.map(makeOption));
    }
    this.#select.value = value;
    setText(this.#detail, removeHidden(detail));
    this.#detail.hidden = detail === "";
  }
}

function makeOption({ value, label, disabled = false }: Option): HTMLOptionElement {
  const option = make("option", "", removeHidden(label));
  option.value = value;
  option.disabled = disabled;
  return option;
}

export class ChoiceForm {
  readonly #options: ChoiceFormOptions;
  readonly element = make("div", "choices");
  readonly #agent: Picker;
  readonly #model: Picker;
  readonly #effort: Picker;
  readonly #thinking: Picker;
  readonly #note = make("p", "choice-note");
  readonly #problem = make("p", "choice-problem");
  readonly #again: HTMLButtonElement;
  #agents: readonly AgentChoice[] = [];
  #models: readonly ModelChoice[] = [];
  #modelsDetail = "";
  #loading: AbortController | null = null;

  constructor(options: ChoiceFormOptions) {
    this.#options = options;
    const { signal } = options;
    const set = (name: string) => (value: string) =>
      void this.#set({ [name]: value || null });
    this.#agent = new Picker(more.agent, (name) => this.#chooseAgent(name), signal);
    this.#model = new Picker(more.model, (id) => this.#chooseModel(id), signal);
    this.#effort = new Picker(more.effort, set("effort"), signal);
    this.#thinking = new Picker(
      more.thinkingChoice,
      (value) => void this.#set({ thinking: value === "" ? null : value === "on" }),
      signal,
    );
    this.#again = makeButton(
      "quiet-button",
      strings.tryAgain,
      () => this.refresh(),
      signal,
    );
    this.#problem.setAttribute("role", "alert");
    this.#note.setAttribute("role", "status");
    setText(this.#note, more.fromNextTurn);
    this.element.append(
      this.#agent.element,
      this.#model.element,
      this.#effort.element,
      this.#thinking.element,
      this.#note,
      this.#problem,
      this.#again,
    );
    this.#showProblem("");
    signal.addEventListener("abort", () => this.#loading?.abort(), { once: true });
  }

  /** Ask the server what can be chosen. */
  refresh(): void {
    this.#loading?.abort();
    this.#loading = new AbortController();
    this.element.setAttribute("aria-busy", "true");
    setText(this.#note, more.fromNextTurn);
    this.#showProblem("");
    void this.#load(this.#loading.signal);
  }

  /** Show what is chosen now, whoever chose it. */
  update(): void {
    this.#showAgents();
    const isBuiltIn = this.#agentName === BUILT_IN;
    const model = this.#effectiveModel;
    const efforts = model?.efforts ?? [];
    this.#showModels();
    this.#model.element.hidden = !isBuiltIn || this.#models.length === 0;
    this.#showEfforts(efforts);
    this.#effort.element.hidden = !isBuiltIn || efforts.length === 0;
    this.#showThinking();
    this.#thinking.element.hidden = !isBuiltIn || model?.thinking !== true;
  }

  get #settings(): Settings {
    return this.#options.model.state.settings;
  }

  get #agentName(): string {
    return agentNameOf(this.#settings, this.#agents);
  }

  get #effectiveModel(): ModelChoice | undefined {
    return modelOf(this.#settings, this.#models);
  }

  async #load(signal: AbortSignal): Promise<void> {
    const { model } = this.#options;
    const [agents, models] = await Promise.all([
      askAgents(model, signal),
      askModels(model, signal),
    ]);
    if (signal.aborted) return;
    this.element.removeAttribute("aria-busy");
    if ("problem" in agents) this.#showProblem(agents.problem.message, true);
    else this.#agents = agentsIn(agents.answer);
    if ("problem" in models) {
      this.#modelsDetail = "";
      if (models.problem.code !== "not_found") {
        this.#showProblem(models.problem.message, true);
      }
    } else {
      this.#models = modelsIn(models.answer);
      this.#modelsDetail = remarkOf(models.answer as ModelsAnswer);
    }
    this.update();
  }

  #showAgents(): void {
    const found = this.#agents.find(({ name }) => name === this.#agentName);
    const options = this.#agents.map((agent) => ({
      value: agent.name,
      label: agent.default === true ? more.byDefault(agent.name) : agent.name,
      disabled: agent.problem != null,
    }));
    this.#agent.show(options, this.#agentName, found && describe(found));
  }

  #showModels(): void {
    const chosen = this.#settings["model"];
    const byDefault = this.#models.find((model) => model.default);
    const options = this.#models.map(({ id, name }) => ({
      value: id === byDefault?.id ? "" : id,
      label: id === byDefault?.id ? more.byDefault(name || id) : name || id,
    }));
    if (byDefault === undefined) options.unshift({ value: "", label: more.asServer });
    const isChosen = typeof chosen === "string" && chosen !== byDefault?.id;
    // No endpoint is missed where the demo answers.
    const detail = this.#options.model.isOffline ? "" : this.#modelsDetail;
    this.#model.show(options, isChosen ? chosen : "", detail);
  }

  #showEfforts(efforts: readonly string[]): void {
    const options = efforts.map((value) => ({ value, label: value }));
    const chosen = this.#settings["effort"];
    this.#effort.show(
      [{ value: "", label: more.asServer }, ...options],
      typeof chosen === "string" ? chosen : "",
      more.effortDetail,
    );
  }

  #showThinking(): void {
    const chosen = this.#settings["thinking"];
    const options = [
      { value: "", label: more.asServer },
      { value: "on", label: more.on },
      { value: "off", label: more.off },
    ];
    const value = chosen === true ? "on" : chosen === false ? "off" : "";
    this.#thinking.show(options, value);
  }

  #chooseAgent(name: string): void {
    const isDefault = this.#agents.some((one) => one.default && one.name === name);
    void this.#set({ agent: isDefault ? null : name });
  }

  /** With another model goes what that one does not have. */
  #chooseModel(id: string): void {
    void this.#set(settingsForModel(id, this.#models, this.#settings));
  }

  async #set(settings: Settings): Promise<void> {
    const { model, say, signal } = this.#options;
    setText(this.#note, more.saving);
    this.#showProblem("");
    const came = await changeConversation(model, { settings }, signal);
    if (signal.aborted) return;
    const hasFailed = "problem" in came;
    setText(this.#note, hasFailed ? more.fromNextTurn : more.saved);
    if (hasFailed) this.#showProblem(more.notSaved(came.problem.message));
    else say(more.saved);
    this.update(); // what was not saved is not shown as chosen
  }

  #showProblem(text: string, canRetry = false): void {
    setText(this.#problem, text);
    this.#problem.hidden = text === "";
    this.#again.hidden = !canRetry;
  }
}

/** What there is to know of an agent before it is chosen. */
function describe(agent: AgentChoice): string {
  if (agent.problem != null) return agent.problem;
  const notes = [
    agent.description ?? "",
    agent.offline === true ? more.offlineAgent : "",
    agent.where === "kernel" ? more.kernelAgent : "",
    agent.name === BUILT_IN || agent.offline === true ? "" : (agent.model ?? ""),
  ];
  return notes.filter((note) => note !== "").join(" · ");
}

function remarkOf({ source, problem }: ModelsAnswer): string {
  const why = typeof problem === "string" ? problem : problem?.message;
  if (why) return why;
  return source === "settings" ? more.fromSettings : "";
}
