/** How full what the model reads at once is. */

import { Branches } from "../branches";
import { askModels, BUILT_IN, modelsIn } from "./choices";
import { make, setText } from "./element";
import { strings } from "./strings";
import { tokensIn } from "./token_counts";
import type { ChatModel } from "./types";

/** From this share on it is shown beside the settings. */
const SHOWN_FROM = 0.75;
/** From this share on it is warned of. */
const WARNED_FROM = 0.9;
/** So few tokens are far from the end of any model that has tools. */
const FEW_TOKENS = 3_000;

export interface ContextUse {
  /** Of the last request, with its answer. */
  readonly tokens: number;
  /** The most that the model takes; `null` where that is not known. */
  readonly limit: number | null;
  readonly isNearlyFull: boolean;
}

/** Knows how much the last request had, and asks seldom how much there is room for. */
export class ContextFollower {
  readonly #model: ChatModel;
  readonly #changed: () => void;
  readonly #signal: AbortSignal;
  readonly #limits = new Map<string, number | null>();
  readonly #asked = new Set<string>();

  /** @param changed called when a limit has become known */
  constructor(model: ChatModel, changed: () => void, signal: AbortSignal) {
    this.#model = model;
    this.#changed = changed;
    this.#signal = signal;
  }

  /**
   * What the last request of the shown branch used; `null` where nothing was counted.
   *
   * @param mayAsk ask for the limit, however far it is
   */
  use(mayAsk = false): ContextUse | null {
    const last = this.#lastRequest();
    if (last === null) return null;
    const { tokens, model } = last;
    if (mayAsk || tokens >= FEW_TOKENS) void this.#ask(model);
    const limit = this.#limits.get(model) ?? null;
    return { tokens, limit, isNearlyFull: shareOf(tokens, limit) >= WARNED_FROM };
  }

  #lastRequest(): { readonly tokens: number; readonly model: string } | null {
    const { state } = this.#model;
    const shown = new Set(new Branches(state).shown);
    const last = [...state.messages]
      .reverse()
      .find(
        ({ role, status, usage, turn }) =>
          role === "assistant" &&
          status !== "discarded" &&
          usage != null &&
          shown.has(this.#model.turn(turn ?? "")?.message ?? ""),
      );
    const turn = this.#model.turn(last?.turn ?? "");
    if (last?.usage == null || turn === undefined || turn.offline) return null;
    const tokens = (tokensIn(last.usage) ?? 0) + (last.usage.output_tokens ?? 0);
    const chosen = state.settings["model"];
    const isChosen = turn.agent === BUILT_IN && typeof chosen === "string";
    return tokens === 0 ? null : { tokens, model: isChosen ? chosen : turn.model };
  }

  async #ask(model: string): Promise<void> {
    if (this.#asked.has(model)) return;
    this.#asked.add(model);
    const came = await askModels(this.#model, this.#signal);
    if (this.#signal.aborted || "problem" in came) return;
    const models = modelsIn(came.answer);
    for (const { id, context_tokens } of models) {
      this.#limits.set(id, context_tokens ?? null);
    }
    this.#changed();
  }
}

/** A mark that is there only when the end comes near. */
export class ContextMark {
  readonly element = make("span", "context-mark");
  readonly #ring = make("span", "context-ring");
  readonly #word = make("span", "context-word");

  constructor() {
    this.#ring.setAttribute("aria-hidden", "true");
    this.element.append(this.#ring, this.#word);
    this.element.hidden = true;
  }

  /** Show how full it is, if it is worth it; returns it in words, or nothing. */
  update(use: ContextUse | null): string {
    const share = use === null ? 0 : shareOf(use.tokens, use.limit);
    this.element.hidden = share < SHOWN_FROM;
    if (use === null || share < SHOWN_FROM) return "";
    this.element.dataset["tone"] = use.isNearlyFull ? "bad" : "fair";
    const filled = `${Math.min(100, Math.round(share * 100))}%`;
    this.#ring.style.setProperty("--streamchat-filled", filled);
    setText(this.#word, use.isNearlyFull ? strings.contextNearlyFull : "");
    this.#word.hidden = !use.isNearlyFull;
    const words = `${strings.context}: ${contextWords(use)}.`;
    return use.isNearlyFull ? `${words} ${strings.contextAdvice}` : words;
  }
}

/** "12,400 of 200,000 tokens, 6 %", or what of it is known. */
export function contextWords({ tokens, limit }: ContextUse): string {
  return strings.contextUse(tokens, limit, Math.round(shareOf(tokens, limit) * 100));
}

function shareOf(tokens: number, limit: number | null): number {
  return limit === null ? 0 : tokens / limit;
}
