/** One tool call: what is used while it is used, how it went, and its details. */

import { removeHidden } from "../markdown/hidden";
import { make, setText } from "./element";
import { formatDuration } from "./formats";
import { type IconName, makeIcon } from "./icon";
import { labelWords } from "./labels";
import type { Extras, Parts } from "./part";
import { Slot } from "./slot";
import { strings } from "./strings";
import type { ToolDetails } from "./tool_details";
import type { ToolCallState } from "./types";
import { waitsForAnswer } from "./waits";

const LONGEST_BRIEF = 120;
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

function endOf(call: ToolCallState, turnRuns: boolean): End | null {
  if (call.status !== "requested" && call.status !== "running") return call.status;
  // A call that never ended in a turn that did: nobody knows how far it came.
  return turnRuns ? null : "unknown";
}

function labelOf({ name, label }: ToolCallState, state: Shown): string {
  const shownName = removeHidden(name);
  if (state === "waiting") return strings.toolWaiting(shownName);
  if (state === "running") return labelWords(label) || strings.toolRunning(shownName);
  return strings.toolEnds[state](shownName);
}

export class ToolCard {
  readonly element = make("details", "tool");
  readonly #summary = make("summary", "tool-summary");
  readonly #icon = make("span", "tool-icon");
  readonly #label = make("span", "tool-label");
  readonly #duration = make("span", "tool-duration");
  /** What it is made with; while it runs, what it says. */
  readonly #brief = make("span", "tool-brief");
  readonly #bar = make("progress", "tool-bar");
  readonly #error = make("div", "tool-error");
  readonly #details: Slot<Extras, ToolDetails>;
  #shownIcon = "";
  #call: ToolCallState | null = null;
  /** Its input as far as the model has written it. */
  #written = "";
  /** When it began, by the clock of this page. */
  #since: number | null = null;
  #clock: ReturnType<typeof setInterval> | undefined;

  constructor({
    parts,
    signal,
  }: { readonly parts: Parts; readonly signal: AbortSignal }) {
    this.#details = new Slot({
      ...{ part: parts.extras, name: strings.toolInput, signal },
      make: ({ ToolDetails }) => new ToolDetails(signal),
    });
    this.#bar.max = 1;
    const words = make("span", "tool-words", this.#label, this.#brief, this.#duration);
    const chevron = makeIcon("chevron");
    this.#summary.append(this.#icon, words, chevron, this.#bar, this.#error);
    const body = make("div", "tool-body", this.#details.element);
    this.element.append(this.#summary, body);
    this.#bar.hidden = true;
    this.#error.hidden = true;
    signal.addEventListener("abort", () => clearInterval(this.#clock), { once: true });
    this.#showIcon("running");
    setText(this.#label, strings.preparingTool);
    this.element.addEventListener("toggle", () => this.#showDetails(), { signal });
  }

  /**
   * Before the call is known.
   *
   * @param name the tool's, once the model has said it
   * @param written its input as far as the model has written it
   */
  announce(name: string | null, written: string): void {
    if (this.#call !== null) return;
    this.#written = written;
    setText(this.#brief, removeHidden(written.slice(-LONGEST_BRIEF)));
    if (this.element.open) this.#showDetails();
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
    this.#showDuration(call, state === "running" && call.status === "running");
    this.#showProgress(call, end === null);
    this.#showError(call, end);
    if (this.element.open) this.#showDetails();
  }

  focus(): void {
    this.#summary.focus({ preventScroll: true });
  }

  #showIcon(state: Shown): void {
    if (this.#shownIcon === state) return;
    this.#shownIcon = state;
    this.#icon.replaceChildren(
      state === "running" ? make("span", "spinner") : makeIcon(ICONS[state]),
    );
  }

  #showProgress(call: ToolCallState, running: boolean): void {
    const said = running ? call.progress_message : null;
    setText(this.#brief, removeHidden(said ?? briefly(call.input)));
    const fraction = running ? (call.progress_fraction ?? null) : null;
    this.#bar.hidden = fraction === null;
    this.#bar.setAttribute("aria-label", strings.toolProgress(removeHidden(call.name)));
    // What was is not left in the document: it depends on the state alone.
    if (fraction === null) this.#bar.removeAttribute("value");
    else this.#bar.value = Math.min(1, Math.max(0, fraction));
  }

  #showError(call: ToolCallState, end: End | null): void {
    const failed = end === "error" || end === "timeout" || end === "unknown";
    const line = failed ? (call.output ?? "").trim().split("\n", 1)[0] : "";
    setText(this.#error, removeHidden((line ?? "").slice(0, LONGEST_ERROR_LINE)));
    this.#error.hidden = this.#error.textContent === "";
  }

  /** Input and output, made when somebody looks. */
  #showDetails(): void {
    const call = this.#call;
    this.#details.show(this.element.open, (view) => {
      if (call === null) view.announce(this.#written);
      else view.update(call);
    });
  }

  /** Count the seconds while it runs, and none once it has ended. */
  #showDuration(call: ToolCallState, runs: boolean): void {
    if (!runs) {
      clearInterval(this.#clock);
      const { duration_ms } = call;
      setText(this.#duration, duration_ms == null ? "" : formatDuration(duration_ms));
    } else if (this.#since === null) {
      const began = call.started_ts ?? 0;
      const now = Date.now();
      this.#since = began > 0 && began < now ? began : now;
      this.#clock = setInterval(() => this.#tick(), 1_000);
    }
  }

  #tick(): void {
    const seconds = Math.floor((Date.now() - (this.#since ?? Date.now())) / 1_000);
    setText(this.#duration, formatDuration(seconds * 1_000).replace(/[.,]0/, ""));
  }
}

/** The values that a call is made with, in a line. */
function briefly(input: ToolCallState["input"]): string {
  return Object.values(input)
    .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
    .join(", ")
    .slice(0, LONGEST_BRIEF);
}
