/** What was sent to a model for one answer, request by request. */

import { showControls } from "../markdown/hidden";
import { appendVisible } from "../markdown/inline_view";
import type { TracedRequest, TurnTrace } from "../protocol";
import { copyText } from "./clipboard";
import { arrange, make, makeButton, setText } from "./element";
import { makeFold } from "./fold";
import { formatBytes } from "./formats";
import { makeJsonTree } from "./json_tree";
import { more } from "./more_strings";
import { strings } from "./strings";
import { formatTime } from "./time_axis";
import { makeRows } from "./usage_words";

const COPIED_SHOWN_MS = 1_500;

export class RequestsView {
  readonly #signal: AbortSignal;
  readonly element = make("div", "requests");
  readonly #title = make("h2", "requests-title", more.requestsTitle);
  readonly #note = make("p", "requests-note");
  readonly #views: RequestView[] = [];

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.element.append(this.#title, this.#note);
  }

  update({ requests = [], requests_kept = "kept" }: TurnTrace): void {
    const note = requests_kept === "kept" ? more.requestsNote : more[requests_kept];
    setText(this.#note, note);
    requests.forEach((request, at) => {
      this.#views[at] ??= new RequestView(at + 1, this.#signal);
      this.#views[at]?.update(request);
    });
    const views = this.#views.slice(0, requests.length);
    arrange(this.element, [
      this.#title,
      this.#note,
      ...views.map(({ element }) => element),
    ]);
  }
}

/** One request, folded; its body is laid out when somebody looks. */
class RequestView {
  readonly #number: number;
  readonly element = make("details", "request");
  readonly #words = make("span", "request-words");
  readonly #body = make("div", "request-body");
  readonly #copy: HTMLButtonElement;
  #request: TracedRequest | null = null;
  #shown: TracedRequest | null = null;

  constructor(number: number, signal: AbortSignal) {
    this.#number = number;
    const copy = (): void => void this.#copyBody();
    this.#copy = makeButton("quiet-button", more.copyRequest, copy, signal);
    this.element.append(makeFold(this.#words), this.#body);
    this.element.addEventListener("toggle", () => this.#showBody(), { signal });
  }

  update(request: TracedRequest): void {
    const isOver = this.#request?.end_ms != null;
    if (isOver) return; // it does not change any more, and keeps what is unfolded
    this.#request = request;
    this.element.dataset["failed"] = String(request.error != null);
    setText(this.#words, wordsOf(request, this.#number));
    this.#showBody();
  }

  #showBody(): void {
    const request = this.#request;
    if (!this.element.open || request === null || request === this.#shown) return;
    this.#shown = request;
    const children: Element[] = [makeRows(factsOf(request))];
    if (request.error != null) {
      const error = make("p", "request-error");
      appendVisible(error, showControls(request.error.message));
      children.push(error);
    }
    if (request.is_cut) children.push(make("p", "requests-note", more.requestCut));
    if (request.body != null) {
      children.push(makeHeaders(request), this.#copy, makeJsonTree(request.body, 1));
    }
    this.#body.replaceChildren(...children);
  }

  async #copyBody(): Promise<void> {
    const text = JSON.stringify(this.#request?.body, null, 2);
    const copied = await copyText(text);
    setText(this.#copy, copied ? strings.copied : strings.copyFailed);
    setTimeout(() => setText(this.#copy, more.copyRequest), COPIED_SHOWN_MS);
  }
}

function wordsOf(request: TracedRequest, number: number): string {
  const { source, status, body_bytes = 0, start_ms, first_ms, end_ms } = request;
  const words = [more.requestNumber(number), more.sources[source]];
  if (status != null && source === "endpoint") words.push(String(status));
  if (body_bytes > 0) words.push(formatBytes(body_bytes));
  if (first_ms != null) words.push(more.timingWaited(formatTime(first_ms - start_ms)));
  else if (end_ms == null) words.push(more.requestWaits);
  return words.join(" · ");
}

function factsOf(request: TracedRequest): (readonly [string, string])[] {
  const { method, url, request_id, start_ms, end_ms } = request;
  const rows: (readonly [string, string])[] = [];
  if (url) rows.push([method ?? "", url]);
  if (end_ms != null) rows.push([more.timingTook, formatTime(end_ms - start_ms)]);
  if (request_id != null) rows.push([more.requestId, request_id]);
  return rows;
}

function makeHeaders({ headers = {} }: TracedRequest): HTMLElement {
  const rows = Object.entries(headers);
  const fold = make("details", "", makeFold(more.headers(rows.length)), makeRows(rows));
  fold.hidden = rows.length === 0;
  return fold;
}
