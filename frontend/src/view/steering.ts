/** What the chat does when a key or a command asks for it. */

import { Branches } from "../branches";
import { isBusy } from "../turns";
import { actionOf, takesCharacters } from "./all_shortcuts";
import { changeConversation, type Settings } from "./choices";
import type { ConversationsButton } from "./conversations_button";
import { make } from "./element";
import { more } from "./more_strings";
import { ShortcutList } from "./shortcut_list";
import { strings } from "./strings";
import type { ChatModel } from "./types";

/** A button that copies says within this time whether it did. */
const COPIED_WITHIN_MS = 2_000;

/** What is to be done in the settings. */
export type SettingsPlace = "choices" | "check";

export interface SteeringSurroundings {
  readonly signal: AbortSignal;
  readonly model: ChatModel;
  /** The chat, which its dialogs lie over. */
  readonly root: HTMLElement;
  /** Holds the messages, each an element of its own. */
  readonly transcript: HTMLElement;
  readonly openSettings: (place: SettingsPlace) => void;
  /** Shows a fresh conversation in place of this one; absent: not from here. */
  readonly newConversation?: (() => void) | undefined;
  /** The list of conversations, where there is one. */
  readonly conversations?: ConversationsButton | undefined;
  readonly focusField: () => void;
  /** Says what came of it, to eyes and ears. */
  readonly say: (text: string, isProblem?: boolean) => void;
}

export class Steering {
  readonly #surroundings: SteeringSurroundings;
  readonly #shortcuts: ShortcutList;

  constructor(surroundings: SteeringSurroundings) {
    this.#surroundings = surroundings;
    this.#shortcuts = new ShortcutList(surroundings.root, surroundings.signal);
  }

  get model(): ChatModel {
    return this.#surroundings.model;
  }

  get signal(): AbortSignal {
    return this.#surroundings.signal;
  }

  /** Take a key that nobody in the chat took; says whether it was for the chat. */
  takeKey(event: KeyboardEvent): boolean {
    const { target } = event;
    if (target instanceof HTMLSelectElement) return false; // Alt+↓ opens it
    const isFree = !takesCharacters(target);
    const reading = isFree ? actionOf("reading", event) : undefined;
    const action = reading ?? actionOf("chat", event);
    if (action === undefined) return false;
    if (action === "stop" && !isBusy(this.model.state)) return false;
    void this[action]();
    return true;
  }

  /** Whether a fresh conversation can be shown here. */
  get canBegin(): boolean {
    return this.#surroundings.newConversation !== undefined;
  }

  /** Whether other conversations can be shown here. */
  get canList(): boolean {
    return this.#surroundings.conversations !== undefined;
  }

  say(text: string, isProblem = false): void {
    this.#surroundings.say(text, isProblem);
  }

  help(): void {
    this.#shortcuts.open();
  }

  settings(place: SettingsPlace = "choices"): void {
    this.#surroundings.openSettings(place);
  }

  stop(): void {
    if (isBusy(this.model.state)) this.model.cancel();
    else this.say(more.nothingRuns);
  }

  newConversation(): void {
    this.#surroundings.newConversation?.();
  }

  /** Open the list of conversations, or close it. */
  conversations(): void {
    this.#surroundings.conversations?.button.click();
  }

  /** Look for words in all conversations. */
  search(words: string): void {
    this.#surroundings.conversations?.search(words);
  }

  /** Answer the last message again, beside the answer that it has. */
  regenerate(): void {
    const { state } = this.model;
    const last = new Branches(state).shown.at(-1);
    if (last === undefined) this.say(more.nothingToRegenerate);
    else if (isBusy(state)) this.say(more.stopFirst);
    else this.model.regenerate(last);
  }

  /** Let the browser save the conversation; `format` is one of `more.exportFormats`. */
  exportAs(format: string): void {
    const { server, state } = this.model;
    const { conversation } = state;
    if (conversation === "") {
      this.say(more.nothingToExport);
      return;
    }
    if (!server.isInReach) {
      this.say(more.outOfReach, true);
      return;
    }
    const path = `conversations/${encodeURIComponent(conversation)}/export`;
    const link = make("a", "");
    link.href = `${server.apiUrl}${path}?format=${format}`;
    link.download = "";
    link.click();
    this.say(more.exporting);
  }

  focusField(): void {
    this.#surroundings.focusField();
  }

  previousMessage(): void {
    const messages = this.#messages;
    const at = this.#focusedAt(messages);
    // One that is being read is left by its beginning.
    focusMessage(messages[at < 0 ? messages.length - 1 : Math.max(0, at - 1)]);
  }

  /** After the last message comes the field. */
  nextMessage(): void {
    const messages = this.#messages;
    const at = this.#focusedAt(messages);
    const next = at < 0 ? undefined : messages[at + 1];
    if (next === undefined) this.focusField();
    else focusMessage(next);
  }

  /** Copy the answer that has the focus, else the last one. */
  async copyAnswer(): Promise<void> {
    const button = ".streamchat-answer-foot > .streamchat-copy";
    await this.#copy(`${button}:not(.streamchat-regenerate)`, more.noAnswerToCopy);
  }

  /** Copy the last code of the message that has the focus, else of all. */
  async copyCode(): Promise<void> {
    await this.#copy(".streamchat-code-header .streamchat-copy", more.noCodeToCopy);
  }

  async rename(title: string): Promise<void> {
    const came = await changeConversation(this.model, { title }, this.signal);
    this.#sayOutcome("problem" in came ? came.problem.message : null, more.renamed);
  }

  /** Change who answers from the next message on. */
  async choose(settings: Settings, done: string): Promise<void> {
    const came = await changeConversation(this.model, { settings }, this.signal);
    this.#sayOutcome("problem" in came ? came.problem.message : null, done);
  }

  #sayOutcome(problem: string | null, done: string): void {
    if (this.signal.aborted) return;
    if (problem === null) this.say(done);
    else this.say(more.notSaved(problem), true);
  }

  get #messages(): readonly HTMLElement[] {
    const found =
      this.#surroundings.transcript.querySelectorAll<HTMLElement>(":scope > article");
    return [...found].filter((message) => !message.hidden);
  }

  #focusedAt(messages: readonly HTMLElement[]): number {
    return messages.findIndex((message) => message.contains(focusedIn(message)));
  }

  async #copy(selector: string, none: string): Promise<void> {
    const messages = this.#messages;
    const focused = messages[this.#focusedAt(messages)];
    const places = focused === undefined ? messages : [focused];
    const buttons = places
      .flatMap((place) => [...place.querySelectorAll<HTMLButtonElement>(selector)])
      .filter((button) => button.closest("[hidden]") === null);
    const button = buttons.at(-1);
    if (button === undefined) {
      this.say(none);
      return;
    }
    const saying = changedText(button);
    button.click();
    const said = await saying;
    if (!this.signal.aborted) this.say(said, said === strings.copyFailed);
  }
}

function focusedIn(place: HTMLElement): Element | null {
  return (place.getRootNode() as Document | ShadowRoot).activeElement;
}

/** Let a message be read from its beginning, also by those who hear it. */
function focusMessage(message: HTMLElement | undefined): void {
  if (message === undefined) return;
  message.tabIndex = -1;
  message.focus({ preventScroll: true });
  message.scrollIntoView?.({ block: "start" });
}

/** What a button says once that changes, or after a while. */
function changedText(button: HTMLElement): Promise<string> {
  return new Promise((resolve) => {
    const end = (): void => {
      observer.disconnect();
      clearTimeout(timer);
      resolve(button.textContent || button.title);
    };
    const observer = new MutationObserver(end);
    const what = { childList: true, characterData: true, attributes: true };
    observer.observe(button, { ...what, subtree: true });
    const timer = setTimeout(end, COPIED_WITHIN_MS);
  });
}
