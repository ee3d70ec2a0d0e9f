/** Whether the server and the endpoint are reached, each way tried, in plain words. */

import { removeHidden } from "../markdown/hidden";
import { type CheckResult, transportTrials } from "../transport_trials";
import { copyText } from "./clipboard";
import { make, makeButton, setText } from "./element";
import { type IconName, makeIcon } from "./icon";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ChatModel } from "./types";

/** The endpoint is asked several questions, and may be slow. */
const CHECK_TIMEOUT_MS = 90_000;
const COPIED_SHOWN_MS = 1_500;
const ICONS: Readonly<Record<CheckResult["status"], IconName>> = {
  ok: "check",
  failed: "cross",
  skipped: "stopped",
};
/** What looks like a credential, wherever it comes from, is not copied. */
const SECRETS =
  /\b(?:sk-|eyJ|gh[pousr]_)[\w.-]{6,}|((?:token|key|secret|password)=)[^&\s]+|\/\/[^/\s@]+@/gi;

export interface CheckViewOptions {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  readonly say: (text: string) => void;
}

export class CheckView {
  readonly #options: CheckViewOptions;
  readonly element = make("div", "check");
  readonly #begin: HTMLButtonElement;
  readonly #copy: HTMLButtonElement;
  readonly #summary = make("p", "check-summary");
  readonly #list = make("ul", "check-list");
  /** What was found, by the order in which it is shown. */
  #found: (readonly CheckResult[])[] = [];

  constructor(options: CheckViewOptions) {
    this.#options = options;
    const { signal } = options;
    this.#begin = makeButton(
      "quiet-button",
      more.check,
      () => void this.#check(),
      signal,
    );
    this.#copy = makeButton(
      "quiet-button",
      more.copyCheck,
      () => void this.#copyResults(),
      signal,
    );
    this.#copy.hidden = true;
    setText(this.#summary, more.checkDetail);
    this.#summary.setAttribute("role", "status");
    this.element.append(
      this.#summary,
      this.#list,
      make("div", "check-buttons", this.#begin, this.#copy),
    );
  }

  get #results(): readonly CheckResult[] {
    return this.#found.flat();
  }

  /** The results as text, without anything that looks like a secret. */
  get text(): string {
    return this.#results
      .map(({ name, status, says, hint }) => {
        const line = `${titleOf(name)}: ${more.checkStates[status]}. ${says}`;
        return hint ? `${line} ${hint}` : line;
      })
      .join("\n")
      .replace(SECRETS, (found, key: string | undefined) =>
        found.startsWith("//") ? "//…@" : `${key ?? ""}…`,
      );
  }

  /** Check, as if somebody had pressed the button. */
  begin(): void {
    this.#begin.scrollIntoView?.({ block: "nearest" });
    this.#begin.focus();
    this.#begin.click();
  }

  async #check(): Promise<void> {
    const { model, say, signal } = this.#options;
    this.#begin.setAttribute("aria-disabled", "true");
    if (this.element.getAttribute("aria-busy") === "true") return;
    this.element.setAttribute("aria-busy", "true");
    this.#found = [];
    this.#list.replaceChildren();
    this.#copy.hidden = true;
    setText(this.#summary, more.checking);
    const { server, state } = model;
    const trials = transportTrials({
      ...{ apiUrl: server.apiUrl, channel: server.channel, signal },
      conversation: state.conversation,
    });
    trials.forEach((trial, at) => {
      void trial.then((result) => this.#show(at, [result]));
    });
    this.#show(trials.length, await this.#askServer());
    await Promise.all(trials);
    if (signal.aborted) return;
    this.element.removeAttribute("aria-busy");
    this.#begin.removeAttribute("aria-disabled");
    setText(this.#begin, more.checkAgain);
    this.#copy.hidden = false;
    const failed = this.#results.filter(({ status }) => status === "failed").length;
    setText(this.#summary, more.checkEnds(failed));
    say(more.checkEnds(failed));
  }

  async #askServer(): Promise<readonly CheckResult[]> {
    const { model, signal } = this.#options;
    const came = await model.server.ask("check", {
      ...{ method: "POST", body: {}, signal, timeoutMs: CHECK_TIMEOUT_MS },
    });
    if ("problem" in came) {
      const { code, message } = came.problem;
      const isOld = code === "not_found";
      const says = isOld ? more.checkOld : message;
      return [{ name: "server", status: isOld ? "skipped" : "failed", says }];
    }
    const { checks } = came.answer as { readonly checks?: unknown };
    return Array.isArray(checks) ? checks.filter(isResult) : [];
  }

  #show(at: number, results: readonly CheckResult[]): void {
    this.#found[at] = results;
    if (!this.#options.signal.aborted) {
      this.#list.replaceChildren(...this.#results.map(makeItem));
    }
  }

  async #copyResults(): Promise<void> {
    const isCopied = await copyText(this.text);
    setText(this.#copy, isCopied ? strings.copied : strings.copyFailed);
    setTimeout(() => setText(this.#copy, more.copyCheck), COPIED_SHOWN_MS);
  }
}

function titleOf(name: string): string {
  return more.checkNames[name] ?? removeHidden(name);
}

function makeItem({ name, status, says, hint }: CheckResult): HTMLElement {
  const words = make(
    "div",
    "check-words",
    make("strong", "", titleOf(name)),
    make("span", "check-state", more.checkStates[status]),
    make("span", "check-says", removeHidden(says)),
  );
  if (hint) words.append(make("span", "check-hint", removeHidden(hint)));
  const item = make("li", "check-item", makeIcon(ICONS[status]), words);
  item.dataset["status"] = status;
  return item;
}

function isResult(value: unknown): value is CheckResult {
  const { name, status, says } = (value ?? {}) as Partial<CheckResult>;
  return (
    typeof name === "string" &&
    typeof says === "string" &&
    (status === "ok" || status === "failed" || status === "skipped")
  );
}
