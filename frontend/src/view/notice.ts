/** A notice: what happened, what was kept, what to do. */

import { removeHidden } from "../markdown/hidden";
import { make, makeButton, setText } from "./element";
import { makeIcon } from "./icon";

export interface NoticeContent {
  /** `error` where something went wrong, `note` where it was wanted. */
  readonly tone: "error" | "note";
  /** What happened, in one sentence. */
  readonly what: string;
  /** More about it, for example the server's own words. */
  readonly detail?: string | undefined;
  readonly kept?: string | undefined;
  /** What the reader can do: a button's label. */
  readonly remedy?: string | undefined;
}

export class NoticeView {
  readonly element = make("div", "streamchat-notice");
  private readonly what = make("strong", "streamchat-notice-what");
  private readonly detail = make("span", "streamchat-notice-detail");
  private readonly kept = make("span", "streamchat-notice-kept");
  private readonly button: HTMLButtonElement;

  constructor(onRemedy: () => void, signal: AbortSignal) {
    this.button = makeButton("streamchat-quiet-button", "", onRemedy, signal);
    const words = make("div", "streamchat-notice-words");
    words.append(this.what, this.detail, this.kept);
    this.element.append(makeIcon("warning"), words, this.button);
    this.element.hidden = true;
  }

  /** Show a notice, or none. */
  update(content: NoticeContent | null): void {
    this.element.hidden = content === null;
    if (content === null) return;
    this.element.dataset["tone"] = content.tone;
    setText(this.what, content.what);
    this.show(this.detail, content.detail);
    this.show(this.kept, content.kept);
    this.show(this.button, content.remedy);
  }

  private show(element: HTMLElement, text: string | undefined): void {
    element.hidden = !text;
    setText(element, removeHidden(text ?? ""));
  }
}
