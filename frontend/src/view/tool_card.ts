/** One tool call: what is used while it is used, how it went, and its details. */

import { removeHidden, showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { ActionsView } from "./actions";
import { make, setText } from "./element";
import { formatDuration } from "./formats";
import { type IconName, makeIcon } from "./icon";
import { strings } from "./strings";
import type { ToolCallState } from "./types";
import { waitsForAnswer } from "./waits";

const LONGEST_SHOWN = 20_000;
const LONGEST_ERROR_LINE = 300;

type End = Exclude<ToolCallState["status"], "requested" | "running">;
/** A call that waits for a person does not run yet. */
type Shown = End | "waiting" | "running";

const ICONS: Readonly<Record<End | "waiting", IconName>> = {
  waiting: "warning",
  ok: "check",
  error: "cross",
  denied: "stopped",
  cancelled: "stopped",
  timeout: "cross",
  unknown: "warning",
};

/** JSON laid out to be read; other text as it is. */
function layOut(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function endOf(call: ToolCallState, turnRuns: boolean): End | null {
  if (call.status !== "requested" && call.status !== "running") return call.status;
  // A call that never ended in a turn that did: nobody knows how far it came.
  return turnRuns ? null : "unknown";
}

function labelOf({ name, label }: ToolCallState, state: Shown): string {
  const shownName = removeHidden(name);
  if (state === "waiting") return strings.toolWaiting(shownName);
  if (state === "running") return removeHidden(label) || strings.toolRunning(shownName);
  return strings.toolEnds[state](shownName);
}

export class ToolCard {
  readonly element = make("details", "tool");
  readonly #summary = make("summary", "tool-summary");
  readonly #icon = make("span", "tool-icon");
  readonly #label = make("span", "tool-label");
  readonly #duration = make("span", "tool-duration");
  readonly #progress = make("div", "tool-progress");
  readonly #progressText = make("span", "tool-progress-text");
  readonly #bar = make("progress", "tool-bar");
  readonly #error = make("div", "tool-error");
  readonly #body = make("div", "tool-body");
  readonly #signal: AbortSignal;
  #shownIcon = "";
  #call: ToolCallState | null = null;
  /** What the details show, so that they are made once. */
  #shownBody: string | null = null;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.#bar.max = 1;
    this.#progress.append(this.#progressText, this.#bar);
    const words = make("span", "tool-words", this.#label, this.#duration);
    const chevron = makeIcon("chevron");
    this.#summary.append(this.#icon, words, chevron, this.#progress, this.#error);
    this.element.append(this.#summary, this.#body);
    this.#progress.hidden = true;
    this.#error.hidden = true;
    this.#showIcon("running");
    setText(this.#label, strings.preparingTool);
    this.element.addEventListener("toggle", () => this.#showBody(), { signal });
  }

  /** Before the call is known: the tool's name, once the model has said it. */
  announce(name: string | null): void {
    if (this.#call !== null) return;
    setText(
      this.#label,
      name === null ? strings.preparingTool : strings.toolRunning(removeHidden(name)),
    );
  }

  /** @param turnRuns Whether the turn that the call belongs to goes on. */
  update(call: ToolCallState, turnRuns: boolean): void {
    this.#call = call;
    const end = endOf(call, turnRuns);
    const waits = waitsForAnswer(call, turnRuns);
    const state = waits ? "waiting" : (end ?? "running");
    this.element.dataset["status"] = state;
    this.#showIcon(state);
    setText(this.#label, labelOf(call, state));
    setText(
      this.#duration,
      call.duration_ms == null ? "" : formatDuration(call.duration_ms),
    );
    this.#showProgress(call, end === null);
    this.#showError(call, end);
    if (this.element.open) this.#showBody();
  }

  #showIcon(state: Shown): void {
    if (this.#shownIcon === state) return;
    this.#shownIcon = state;
    this.#icon.replaceChildren(
      state === "running" ? make("span", "spinner") : makeIcon(ICONS[state]),
    );
  }

  #showProgress(call: ToolCallState, running: boolean): void {
    const text = running ? removeHidden(call.progress_message ?? "") : "";
    const fraction = running ? (call.progress_fraction ?? null) : null;
    setText(this.#progressText, text);
    this.#bar.hidden = fraction === null;
    this.#bar.setAttribute("aria-label", strings.toolProgress(removeHidden(call.name)));
    // What was is not left in the document: it depends on the state alone.
    if (fraction === null) this.#bar.removeAttribute("value");
    else this.#bar.value = Math.min(1, Math.max(0, fraction));
    this.#progress.hidden = text === "" && fraction === null;
  }

  #showError(call: ToolCallState, end: End | null): void {
    const failed = end === "error" || end === "timeout" || end === "unknown";
    const line = failed ? (call.output ?? "").trim().split("\n", 1)[0] : "";
    setText(this.#error, removeHidden((line ?? "").slice(0, LONGEST_ERROR_LINE)));
    this.#error.hidden = this.#error.textContent === "";
  }

  /** Input and output, made when somebody looks. */
  #showBody(): void {
    const call = this.#call;
    if (!this.element.open || call === null) return;
    const input = JSON.stringify(call.input, null, 2);
    const output = call.output ?? null;
    const shown = `${input}\n${output}`;
    if (shown === this.#shownBody) return;
    this.#shownBody = shown;
    this.#body.replaceChildren(makeDetail(strings.toolInput, input));
    if (call.where === "provider" && call.actions.length > 0) {
      // Its links are of no action's bar: they are what was found.
      const found = new ActionsView(() => undefined, this.#signal);
      found.update(call.actions.filter(({ kind }) => kind === "link"));
      this.#body.append(found.element);
    }
    if (output === null) return;
    this.#body.append(
      makeDetail(strings.toolOutput, layOut(output) || strings.toolNoOutput),
    );
    if (call.truncated || output.length > LONGEST_SHOWN) {
      this.#body.append(make("p", "tool-truncated", strings.toolTruncated));
    }
  }
}

function makeDetail(title: string, text: string): HTMLElement {
  const pre = make("pre", "tool-text");
  pre.tabIndex = 0;
  appendVisible(pre, showControls(text.slice(0, LONGEST_SHOWN)));
  const name = make("div", "tool-detail-title", title);
  return make("div", "tool-detail", name, pre);
}
