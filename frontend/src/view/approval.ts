/** A tool call that waits for a person: what will run, in full, and the answer. */

import type { Highlight } from "../markdown";
import { removeHidden, showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import { DiffView } from "./diff_view";
import { make, makeButton, setText } from "./element";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { ApprovalAnswer, OutgoingRequest, ToolCallState } from "./types";
import { waitsForAnswer } from "./waits";

/** What an approval needs of the chat around it. */
export interface ApprovalSurroundings {
  readonly signal: AbortSignal;
  readonly highlight: Highlight;
  answer(turn: string, approval: string, answer: ApprovalAnswer): void;
  /** The answer that is on its way, or was refused. */
  answering(approval: string): OutgoingRequest | undefined;
}

/** The input as a person reads it: its code where it is nothing but code. */
function readable(input: ToolCallState["input"]): { text: string; language: string } {
  const entries = Object.entries(input);
  const only = entries.length === 1 ? entries[0] : undefined;
  if (only?.[0] === "code" && typeof only[1] === "string") {
    return { text: only[1], language: "python" };
  }
  return { text: JSON.stringify(input, null, 2), language: "json" };
}

/** The input that a text stands for; null when it is no JSON object. */
function inputOf(text: string, language: string): Record<string, unknown> | null {
  if (language === "python") return { code: text };
  try {
    const input: unknown = JSON.parse(text);
    return typeof input === "object" && input !== null && !Array.isArray(input)
      ? (input as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export class ApprovalView {
  readonly #surroundings: ApprovalSurroundings;
  readonly element = make("section", "approval");
  readonly #prompt = make("p", "approval-prompt");
  readonly #code = make("pre", "approval-input");
  readonly #field = make("textarea", "approval-field");
  /** What the reader's change makes of what was to run. */
  readonly #diff = new DiffView();
  readonly #problem = make("p", "approval-problem");
  readonly #buttons = make("div", "approval-buttons");
  readonly #remember: HTMLButtonElement;
  readonly #edit: HTMLButtonElement;
  readonly #leave: HTMLButtonElement;
  #call: ToolCallState | null = null;
  #shown = "";
  #language = "json";
  /** An answer is on its way: no button does anything more, or loses the focus. */
  #isAnswered = false;

  constructor(surroundings: ApprovalSurroundings) {
    this.#surroundings = surroundings;
    const { signal } = surroundings;
    this.#code.tabIndex = 0;
    this.#field.hidden = true;
    this.#field.spellcheck = false;
    this.#field.setAttribute("aria-label", more.approvalEditLabel);
    this.#field.addEventListener("input", () => this.#noteEdit(), { signal });
    this.#diff.element.hidden = true;
    this.#problem.setAttribute("role", "alert");
    this.#problem.hidden = true;
    const allow = makeButton(
      "approval-allow",
      more.allow,
      () => this.#approve("once"),
      signal,
    );
    this.#remember = makeButton(
      "quiet-button",
      more.allowInConversation,
      () => this.#approve("conversation"),
      signal,
    );
    this.#edit = makeButton("quiet-button", more.edit, () => this.#beginEdit(), signal);
    this.#leave = makeButton(
      "quiet-button",
      more.leaveEdit,
      () => this.#leaveEdit(),
      signal,
    );
    this.#leave.hidden = true;
    const deny = makeButton(
      "quiet-button",
      more.deny,
      () => this.#answer({ decision: "denied" }),
      signal,
    );
    this.#buttons.append(allow, this.#remember, this.#edit, this.#leave, deny);
    this.#buttons.addEventListener(
      "click",
      (event) => {
        if (this.#isAnswered) event.stopPropagation();
      },
      { signal, capture: true },
    );
    this.element.append(
      this.#prompt,
      this.#code,
      this.#field,
      this.#diff.element,
      this.#problem,
      this.#buttons,
    );
    this.element.setAttribute("aria-label", strings.approval);
  }

  /** @param turnRuns Whether the turn that the call belongs to goes on. */
  update(call: ToolCallState, turnRuns: boolean): void {
    const { approval } = call;
    this.element.hidden = !waitsForAnswer(call, turnRuns);
    if (this.element.hidden || approval === null) return;
    this.#call = call;
    setText(this.#prompt, removeHidden(approval.prompt));
    this.#remember.hidden = !approval.may_remember;
    this.element.dataset["risk"] = approval.risk;
    this.#showInput(call);
    const request = this.#surroundings.answering(approval.approval);
    this.#showProblem(
      request?.status === "failed" ? (request.error?.message ?? "") : "",
    );
    this.#isAnswered = request?.status === "sending";
    for (const button of this.#buttons.children)
      button.setAttribute("aria-disabled", String(this.#isAnswered));
  }

  #showInput(call: ToolCallState): void {
    const { text, language } = readable(call.input);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#language = language;
    this.#code.replaceChildren();
    appendVisible(this.#code, showControls(text));
    void this.#colour(text, language);
  }

  async #colour(text: string, language: string): Promise<void> {
    const runs = await this.#surroundings.highlight(text, language);
    // Hidden characters stay visible: then the code is not coloured.
    if (runs === null || this.#shown !== text || removeHidden(text) !== text) return;
    this.#code.replaceChildren(
      ...runs.map((run) =>
        make("span", run.scope === "" ? "" : `code-${run.scope}`, run.text),
      ),
    );
  }

  #beginEdit(): void {
    this.#field.value = this.#shown;
    this.#field.rows = Math.min(20, this.#shown.split("\n").length + 1);
    this.#showEditor(true);
    this.#field.focus();
  }

  #noteEdit(): void {
    this.#showProblem("");
    this.#showChange();
  }

  #showChange(): void {
    const isChanged = !this.#field.hidden && this.#field.value !== this.#shown;
    if (isChanged) this.#diff.update(this.#shown, this.#field.value);
    this.#diff.element.hidden = !isChanged;
  }

  #leaveEdit(): void {
    this.#showEditor(false);
    this.#showProblem("");
    this.#edit.focus();
  }

  #showEditor(isEditing: boolean): void {
    this.#field.hidden = !isEditing;
    this.#leave.hidden = !isEditing;
    this.#code.hidden = isEditing;
    this.#edit.hidden = isEditing;
    this.#showChange();
  }

  #approve(remember: "once" | "conversation"): void {
    if (this.#field.hidden || this.#field.value === this.#shown) {
      this.#answer({ decision: "approved", remember });
      return;
    }
    const editedInput = inputOf(this.#field.value, this.#language);
    if (editedInput === null) this.#showProblem(more.approvalNotJson);
    else this.#answer({ decision: "approved", remember, editedInput });
  }

  #answer(answer: ApprovalAnswer): void {
    const call = this.#call;
    if (call?.approval == null || call.turn == null) return;
    this.#surroundings.answer(call.turn, call.approval.approval, answer);
  }

  #showProblem(text: string): void {
    setText(this.#problem, text);
    this.#problem.hidden = text === "";
  }
}
