/** What one answer used and cost, folded. */

import { arrange, make } from "./element";
import { makeFold } from "./fold";
import { formatDuration } from "./formats";
import { more } from "./more_strings";
import { strings } from "./strings";
import type { TurnState } from "./types";
import { costWords, makeRows, totalTokens, usageRows } from "./usage_words";

export class UsageView {
  readonly element = make("details", "usage");
  readonly #words = make("span", "usage-summary");
  readonly #summary = makeFold(this.#words);
  #shown = "";

  constructor() {
    this.#summary.title = strings.usageTitle;
    this.element.append(this.#summary);
  }

  update({ usage, cost, offline, started_ts, finished_ts }: TurnState): void {
    this.element.hidden = usage == null;
    if (usage == null) return;
    const price = costWords(cost, offline || cost != null ? 0 : 1);
    const took = (finished_ts ?? 0) - (started_ts ?? 0);
    const time = took > 0 ? formatDuration(took) : "";
    const words = [totalTokens(usage), price, time].filter((part) => part !== "");
    const rows = [...usageRows(usage)];
    if (price !== "") rows.push([more.usageCost, price]);
    if (time !== "") rows.push([more.usageTime, time]);
    const shown = JSON.stringify([words, rows]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#words.textContent = words.join(" · ");
    arrange(this.element, [this.#summary, makeRows(rows)]); // it keeps the focus
  }
}
