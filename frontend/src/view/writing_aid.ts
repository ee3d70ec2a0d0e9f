/** What helps while a message is written: names, commands, and earlier messages. */

import { excessBytes, writtenText } from "../content";
import { writtenTextOf } from "../turns";
import { actionOf } from "./all_shortcuts";
import {
  type Asked,
  agentCommands,
  COMMANDS,
  type Command,
  commandIn,
  commandNamed,
} from "./commands";
import { type Choice, type Completing, Completion } from "./completion";
import { bestFits, misfit } from "./fuzzy";
import { mentionAt } from "./mentions";
import { more } from "./more_strings";
import { PromptHistory } from "./prompt_history";
import type { Steering } from "./steering";
import { strings } from "./strings";
import type { DataSource, Variable } from "./types";

export interface WritingAidOptions {
  readonly signal: AbortSignal;
  readonly field: HTMLTextAreaElement;
  readonly steering: Steering;
  /** `null` where there is no notebook. */
  readonly dataSource: DataSource | null;
  /** Told that the field has another text. */
  readonly written: () => void;
  readonly attach: (file: File) => void;
  /** Share a variable that was chosen. */
  readonly share: (variable: Variable) => void;
  /** Says something to a screen reader. */
  readonly announce: (text: string) => void;
}

export class WritingAid {
  readonly #options: WritingAidOptions;
  readonly #completion: Completion;
  readonly #history: PromptHistory;
  #isWriting = false;
  /** What the agent takes, as far as it is known. */
  #agentCommands: readonly Choice[] = [];

  constructor(options: WritingAidOptions) {
    this.#options = options;
    const { signal, field, announce } = options;
    this.#completion = new Completion({
      ...{ signal, field },
      find: () => this.#completing(),
      say: announce,
    });
    this.#history = new PromptHistory(() => this.#sentTexts());
  }

  get element(): HTMLElement {
    return this.#completion.element;
  }

  /** Something to know of what is typed; empty when there is nothing. */
  get hint(): string {
    const isName = this.#options.dataSource === null && this.#mention !== null;
    return isName ? more.noDataHere : "";
  }

  /** Whether the field shows an earlier message that nobody has changed. */
  get showsEarlier(): boolean {
    return this.#history.shows(this.#options.field.value);
  }

  /** Whether what the field is given now is not typed by the reader. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Look at what is typed, after every change. */
  refresh(): void {
    this.#completion.refresh();
  }

  /** Take a key before the field does; says whether it was taken. */
  takeKey(event: KeyboardEvent): boolean {
    if (this.#completion.takeKey(event)) return true;
    const action = actionOf("field", event);
    if (action === "earlier") return this.#go(-1);
    if (action === "later") return this.#go(1);
    return false;
  }

  /** Do what a text asks for, if it is a command; says whether it was one. */
  run(text: string): boolean {
    const asked = commandIn(text, this.#options.steering);
    if (asked === null) return false;
    this.#run(asked);
    return true;
  }

  /** Something was sent: return what was begun before an earlier message was shown. */
  end(): string {
    this.#completion.close();
    return this.#history.end();
  }

  /** Attach a text that is too long for a message; says whether it was one. */
  takePaste(event: ClipboardEvent): boolean {
    const { attach, field, steering } = this.#options;
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const limit = steering.model.messageBytesLimit;
    const isTooLong = (written: string): boolean =>
      excessBytes([{ type: "text", text: written }], limit) !== null;
    if (isTooLong(field.value) || !isTooLong(field.value + text)) return false;
    event.preventDefault();
    attach(new File([text], more.pastedFile, { type: "text/plain" }));
    steering.say(more.pastedAsFile);
    return true;
  }

  /** Put `text` in the place of what is from `start` to `end`, so that it can be undone. */
  rewrite(text: string, start = 0, end = this.#options.field.value.length): void {
    const { field, written } = this.#options;
    const { activeElement } = field.getRootNode() as Document | ShadowRoot;
    this.#isWriting = true;
    const isDone = activeElement === field && replaceTyped(field, text, start, end);
    this.#isWriting = false;
    if (!isDone) field.setRangeText(text, start, end, "end");
    written();
  }

  /** Earlier messages begin where the text ends, so that the arrows stay the text's. */
  #go(step: -1 | 1): boolean {
    const { value, selectionStart: caret, selectionEnd } = this.#options.field;
    if (caret !== selectionEnd) return false;
    const isAtEdge = caret === (step === -1 ? 0 : value.length);
    if (!isAtEdge && !(this.showsEarlier && caret === value.length)) return false;
    const text = this.#history.go(step, value);
    if (text === null) return false;
    this.rewrite(text);
    return true;
  }

  #sentTexts(): readonly string[] {
    const { state, outbox } = this.#options.steering.model;
    const users = state.messages.filter(({ role }) => role === "user");
    const sending = outbox.map(({ content }) => writtenText(content));
    return [...users.map((message) => writtenTextOf(message)), ...sending];
  }

  get #mention(): ReturnType<typeof mentionAt> {
    const { value, selectionStart, selectionEnd } = this.#options.field;
    return selectionStart === selectionEnd ? mentionAt(value, selectionStart) : null;
  }

  #completing(): Completing | null {
    const { value, selectionStart, selectionEnd } = this.#options.field;
    if (selectionStart !== selectionEnd) return null;
    const isAtEnd = value.slice(selectionStart).trim() === "";
    const [, word, gap, argument = ""] =
      (isAtEnd && /^\/(\S*)(?:( +)(\S*))?$/.exec(value.slice(0, selectionStart))) || [];
    if (word === undefined) return this.#completingName();
    if (gap === undefined) return this.#completingCommand(word);
    const command = commandNamed(word, this.#options.steering);
    return command?.choices === undefined
      ? this.#completingName()
      : this.#completingArgument(command, argument);
  }

  #completingName(): Completing | null {
    const { dataSource, share } = this.#options;
    const typed = this.#mention;
    if (dataSource === null || typed === null) return null;
    let found: readonly Variable[] = [];
    return {
      ...{ label: more.variables, busy: more.kernelBusy, typed },
      offers: async (signal) => {
        const names = await dataSource.names(typed.prefix, signal);
        if ("problem" in names) return names;
        found = names;
        return names.length === 0 && typed.prefix === ""
          ? { problem: { code: "none", message: more.noVariables } }
          : names.map(({ name, kind, shape }) => ({
              ...{ name, note: `${kind} ${shape}`.trim(), icon: "data" },
            }));
      },
      take: ({ name }) => {
        this.#write(`@${name}`, typed.start);
        const variable = found.find((one) => one.name === name);
        if (variable !== undefined) share(variable);
      },
    };
  }

  #completingCommand(prefix: string): Completing {
    const { steering } = this.#options;
    if (prefix === "") void this.#askAgentCommands();
    const commands = COMMANDS.filter(({ canRun }) => canRun?.(steering) ?? true);
    const found = bestFits(prefix, commands, ({ name, also }) =>
      least([name, ...also].map((word) => misfit(prefix, word))),
    );
    const own = found.map(({ name }) => ({ name, note: more.commandWords[name] }));
    // One that is typed to its end is a message to be sent.
    const others = bestFits(prefix, this.#agentCommands, ({ name }) =>
      name === prefix ? null : misfit(prefix, name),
    );
    return {
      ...{ label: more.commandsTitle, busy: strings.loading },
      typed: { start: 0, prefix },
      offers: () =>
        [...own, ...others].map(({ name, note }) => ({ name: `/${name}`, note })),
      take: ({ name }, how) => this.#takeCommand(name.slice(1), how),
    };
  }

  async #askAgentCommands(): Promise<void> {
    const known = this.#agentCommands;
    this.#agentCommands = await agentCommands(this.#options.steering);
    if (this.#completion.isOpen && this.#agentCommands.length > known.length)
      this.#completion.refresh();
  }

  #takeCommand(name: string, how: "choose" | "complete"): void {
    const command = commandNamed(name, this.#options.steering);
    const isReady = command !== null && command.argument === undefined;
    if (how === "choose" && isReady) {
      this.#run({ command, argument: "" });
      return;
    }
    this.#write(`/${name}`, 0);
    this.#completion.refresh(); // what may follow
  }

  #completingArgument(command: Command, prefix: string): Completing {
    const { steering, field } = this.#options;
    const start = field.selectionStart - prefix.length;
    return {
      ...{ label: more.commandWords[command.name], busy: strings.loading },
      typed: { start, prefix },
      offers: async () => {
        const offers = (await command.choices?.(steering)) ?? [];
        return "problem" in offers
          ? offers
          : bestFits(prefix, offers, ({ name }) => misfit(prefix, name));
      },
      take: ({ name }, how) => {
        if (how === "choose") this.#run({ command, argument: name });
        else this.#write(name, start);
      },
    };
  }

  /** A command is gone from the field once it is done; one that lacks something stays. */
  #run({ command, argument }: Asked): void {
    const { steering } = this.#options;
    if (command.argument === "must" && argument === "") {
      steering.say(more.commandNeeds(command.name), true);
      return;
    }
    this.#completion.close();
    this.rewrite("");
    command.run(steering, argument);
  }

  /** Write a name up to the caret, with room for what comes next. */
  #write(name: string, start: number): void {
    const { field } = this.#options;
    const caret = field.selectionStart;
    const text = field.value.startsWith(" ", caret) ? name : `${name} `;
    this.rewrite(text, start, caret);
  }
}

/** Replace a part of a field as if it was typed; says whether the browser could. */
function replaceTyped(
  field: HTMLTextAreaElement,
  text: string,
  start: number,
  end: number,
): boolean {
  field.setSelectionRange(start, end);
  if (text === "" && start === end) return true;
  // The one way that leaves the browser's own undo as it is.
  return text === ""
    ? (document.execCommand?.("delete") ?? false)
    : (document.execCommand?.("insertText", false, text) ?? false);
}

function least(misfits: readonly (number | null)[]): number | null {
  const found = misfits.filter((one) => one !== null);
  return found.length === 0 ? null : Math.min(...found);
}
