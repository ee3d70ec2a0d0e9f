/** Where the time of one answer went: a table whose rows are bars on one line of time. */

import { removeHidden } from "../markdown/hidden";
import type { TraceSpan, TurnTrace } from "../protocol";
import { arrange, make, setText } from "./element";
import { formatNumber } from "./formats";
import { more } from "./more_strings";
import { NoticeView } from "./notice";
import { strings } from "./strings";
import { formatTime, TimeAxis } from "./time_axis";
import { tokensIn } from "./token_counts";
import { RequestsView } from "./trace_requests";
import type { ServerAccess } from "./types";

/** A turn that goes on is asked about again after this time. */
const AGAIN_MS = 1_000;
/** A part of a tool call that is nearly all of it says nothing. */
const TELLING_PARTS = new Set(["approval", "kernel"]);
const FAILED = new Set(["error", "timeout", "unknown", "failed", "discarded", "lost"]);

export interface WaterfallOptions {
  readonly server: ServerAccess;
  readonly signal: AbortSignal;
}

export class WaterfallView {
  readonly #options: WaterfallOptions;
  readonly element = make("section", "timing");
  readonly #summary = make("p", "timing-summary");
  readonly #table = make("table", "timing-table");
  readonly #rows = make("tbody", "");
  readonly #axis = make("td", "timing-axis");
  readonly #requests: RequestsView;
  readonly #notice: NoticeView;
  #turn = "";
  #isOpen = false;
  #isAsking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WaterfallOptions) {
    this.#options = options;
    const { signal } = options;
    this.element.setAttribute("aria-label", more.timing);
    this.#notice = new NoticeView(signal);
    this.#requests = new RequestsView(signal);
    const columns = ["timing-names", "", "timing-times"].map((name) =>
      make("col", name),
    );
    this.#table.append(
      make("colgroup", "", ...columns),
      makeHead(),
      this.#rows,
      make("tfoot", "", this.#foot()),
    );
    this.element.append(
      this.#notice.element,
      this.#summary,
      this.#table,
      this.#requests.element,
    );
    this.#table.hidden = true;
    setText(this.#summary, strings.loading);
    signal.addEventListener("abort", () => clearTimeout(this.#timer), { once: true });
  }

  /** Show a turn, which may have come further since. */
  update(turn: string, isOpen: boolean): void {
    this.#turn = turn;
    this.#isOpen = isOpen;
    clearTimeout(this.#timer);
    if (isOpen) void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || this.#options.signal.aborted) return;
    this.#isAsking = true;
    const { server, signal } = this.#options;
    const turn = encodeURIComponent(this.#turn);
    const came = await server.ask(
      (id) => `conversations/${encodeURIComponent(id)}/turns/${turn}/trace`,
      { signal },
    );
    this.#isAsking = false;
    if (signal.aborted) return;
    if ("problem" in came) {
      this.#showProblem(came.problem.message);
    } else {
      this.#show(came.answer as TurnTrace);
    }
  }

  #showProblem(detail: string): void {
    const act = (): void => void this.#ask();
    const remedies = [{ label: strings.tryAgain, act }];
    this.#notice.update({ tone: "error", what: more.noTiming, detail, remedies });
    this.#summary.hidden = true;
  }

  #show(trace: TurnTrace): void {
    this.#notice.update(null);
    this.#summary.hidden = false;
    this.#table.hidden = false;
    const spans = shownSpans(trace.spans ?? []);
    const axis = new TimeAxis(spans, trace.now_ms);
    setText(this.#summary, summaryOf(trace, axis));
    const rows = spans.map((span) => makeRow(span, axis, trace.now_ms));
    arrange(this.#rows, rows);
    this.#axis.replaceChildren(...makeTicks(axis));
    this.#requests.update(trace);
    const goesOn = trace.status === "running" || trace.status === "queued";
    if (goesOn && this.#isOpen) {
      this.#timer = setTimeout(() => void this.#ask(), AGAIN_MS);
    }
  }

  #foot(): HTMLElement {
    const row = make("tr", "", make("td", ""), this.#axis, make("td", ""));
    row.setAttribute("aria-hidden", "true");
    return row;
  }
}

/** Without the parts of tool calls that say nothing beside the call. */
function shownSpans(spans: readonly TraceSpan[]): readonly TraceSpan[] {
  const telling = new Set<string>();
  for (const { parent, kind, status } of spans) {
    if (parent != null && (TELLING_PARTS.has(kind) || status === "lost")) {
      telling.add(parent);
    }
  }
  return spans.filter(({ parent }) => parent == null || telling.has(parent));
}

function summaryOf({ spans = [], requests = [] }: TurnTrace, axis: TimeAxis): string {
  const first = spans.find(({ first_ms }) => first_ms != null)?.first_ms;
  const words = [more.timingTotal(formatTime(axis.length_ms))];
  if (first != null) words.push(more.timingFirst(formatTime(first)));
  if (requests.length > 0) words.push(more.requests(requests.length));
  return words.join(" · ");
}

function makeHead(): HTMLElement {
  const cells = [more.timingWhat, more.timingWhen, more.timingTook].map((name) => {
    const cell = make("th", "", name);
    cell.scope = "col";
    return cell;
  });
  return make("thead", "unseen", make("tr", "", ...cells));
}

function makeRow(span: TraceSpan, axis: TimeAxis, now_ms: number): HTMLElement {
  const end_ms = span.end_ms ?? now_ms;
  const name = make("th", "timing-name", removeHidden(nameOf(span)));
  name.scope = "row";
  const facts = factsOf(span);
  if (facts !== "") name.append(make("span", "timing-facts", removeHidden(facts)));
  const bar = makeBar(span, end_ms, axis);
  const from = more.timingFrom(formatTime(span.start_ms));
  const where = make("td", "timing-line", make("span", "unseen", from), bar);
  const took = make("td", "timing-took", formatTime(end_ms - span.start_ms));
  if (span.end_ms == null) took.append("…");
  const row = make("tr", "timing-row", name, where, took);
  row.dataset["kind"] = span.kind;
  if (span.parent != null) row.dataset["part"] = "";
  if (span.end_ms == null) row.dataset["running"] = "";
  if (FAILED.has(span.status ?? "")) row.dataset["failed"] = "";
  return row;
}

function makeBar(span: TraceSpan, end_ms: number, axis: TimeAxis): HTMLElement {
  const from = axis.place(span.start_ms);
  const bar = make("span", "timing-bar");
  bar.style.insetInlineStart = percent(from);
  bar.style.inlineSize = percent(axis.place(end_ms) - from);
  bar.title = `${formatTime(span.start_ms)} – ${formatTime(end_ms)}`;
  const { first_ms } = span;
  if (first_ms != null && end_ms > span.start_ms) {
    const share = (first_ms - span.start_ms) / (end_ms - span.start_ms);
    const mark = make("span", "timing-first");
    mark.style.insetInlineStart = percent(share);
    mark.title = more.timingFirst(formatTime(first_ms));
    bar.append(mark);
  }
  return bar;
}

function makeTicks(axis: TimeAxis): HTMLElement[] {
  return axis.ticks_ms.map((moment) => {
    const tick = make("span", "timing-tick", formatTime(moment));
    tick.style.insetInlineStart = percent(axis.place(moment));
    return tick;
  });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}

function nameOf({ kind, name }: TraceSpan): string {
  return kind === "tool" ? name : more.spans[kind];
}

/** What else there is to say of a span, in a line. */
function factsOf({ usage, detail, status, first_ms, start_ms }: TraceSpan): string {
  const words: string[] = [];
  if (first_ms != null) words.push(more.timingWaited(formatTime(first_ms - start_ms)));
  const into = usage == null ? null : tokensIn(usage);
  if (into !== null) words.push(more.tokensInto(formatNumber(into)));
  const out = usage?.output_tokens;
  if (out != null) words.push(more.tokensOutOf(formatNumber(out)));
  if (FAILED.has(status ?? "") && detail) words.push(detail);
  return words.join(" · ");
}
