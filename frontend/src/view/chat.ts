/**
 * The chat: a header, the conversation, and where the reader writes.
 *
 * Changes are gathered and painted in the next animation frame, each only where it
 * happened: a token costs the same in a long conversation as in a new one. Text that
 * keeps coming is painted some twenty times a second, for a frame costs more than it.
 */

import { language } from "../catalog";
import type { Attachment } from "../content";
import { hasAnswer, isBusy, neverStarted, openTurns } from "../turns";
import { Announcer } from "./announcer";
import { BadgeView, ConnectionBadge } from "./badge";
import { ComposerView } from "./composer";
import { makeDropZone } from "./drop_zone";
import { make, makeProse, setText } from "./element";
import { failureWords } from "./failures";
import { formatDuration } from "./formats";
import { labelWords } from "./labels";
import { NoticeView } from "./notice";
import type { Extras } from "./part";
import { PresenceBadge } from "./presence";
import type { QueueView } from "./queue";
import { EndFollower } from "./scroll";
import { SettingsButton } from "./settings_button";
import { actionIn, CHAT_SHORTCUTS } from "./shortcuts";
import { Slot } from "./slot";
import type { Steering } from "./steering";
import { strings } from "./strings";
import { ThemeFollower } from "./theme";
import { Transcript } from "./transcript";
import type { Change, ChatModel, ChatViewOptions, Theme, TurnState } from "./types";

/** How long text waits for more, after some was painted, in milliseconds. */
const TEXT_PAUSE_MS = 50;

/** What changed since the last frame. */
class Changes {
  /** Title, badges, problem, composer. */
  surroundings: boolean;
  /** What waits for its turn. */
  queue: boolean;
  readonly messages = new Set<string>();
  /** Blocks that grew, by message. */
  readonly blocks = new Map<string, Set<string>>();
  readonly toolCalls = new Set<string>();
  readonly turns = new Set<string>();
  outbox = false;
  /** Another branch is shown. */
  branch = false;

  constructor(public everything: boolean) {
    this.surroundings = everything;
    this.queue = everything;
  }

  add(change: Change): void {
    switch (change.kind) {
      case "reset":
        this.everything = true;
        this.surroundings = true;
        this.queue = true;
        break;
      case "message":
        this.messages.add(change.message);
        this.queue = true;
        break;
      case "delta":
        this.#addDelta(change.message, change.block);
        break;
      case "tool_call":
        this.toolCalls.add(change.tool_call);
        break;
      case "turn":
        this.turns.add(change.turn);
        this.surroundings = true;
        this.queue = true;
        break;
      case "outbox":
        this.outbox = true;
        this.queue = true;
        break;
      case "branch":
        this.branch = true;
        this.surroundings = true;
        break;
      case "conversation":
      case "connection":
      case "presence":
        this.surroundings = true;
        break;
    }
  }

  #addDelta(message: string, block: string): void {
    const blocks = this.blocks.get(message);
    if (blocks === undefined) this.blocks.set(message, new Set([block]));
    else blocks.add(block);
  }
}

export class ChatView {
  readonly #model: ChatModel;
  readonly element = make("section", "");
  readonly #title = makeProse("h2", "title");
  readonly #offline: BadgeView;
  readonly #connection: ConnectionBadge;
  readonly #presence: PresenceBadge;
  readonly #settings: SettingsButton;
  readonly #problem: NoticeView;
  readonly #announcer = new Announcer();
  readonly #transcript: Transcript;
  readonly #follower: EndFollower;
  readonly #queue: Slot<Extras, QueueView>;
  /** How many waited when everything was shown anew: that is not announced. */
  #waited = 0;
  readonly #composer: ComposerView;
  readonly #theme: ThemeFollower;
  readonly #options: ChatViewOptions;
  #steering: Steering | null = null;
  #changes = new Changes(true);
  readonly #tryNow = {
    label: strings.tryNow,
    act: () => this.#model.reconnect(),
  };
  #frame: number | null = null;
  /** Asks for the frame of text that waits for more. */
  #textTimer: ReturnType<typeof setTimeout> | undefined;
  #textPaintedMs = Number.NEGATIVE_INFINITY;
  #announcedLabel = "";
  #problemShown = false;

  /**
   * @param container Gets the chat appended; loses it when `options.signal` aborts.
   */
  constructor(container: HTMLElement, model: ChatModel, options: ChatViewOptions) {
    this.#model = model;
    this.#options = options;
    const { signal, parts } = options;
    this.#offline = new BadgeView(signal);
    this.#connection = new ConnectionBadge(() => model.reconnect(), signal);
    this.#presence = new PresenceBadge(signal);
    this.#settings = new SettingsButton({
      ...{ signal, model, part: parts.panel },
      say: (text) => this.#announcer.say(text),
      help: () => this.#steering?.help(),
    });
    this.#problem = new NoticeView(signal);
    this.#transcript = new Transcript(model, this.#announcer, {
      ...{ signal, parts, newConversation: options.newConversation },
      sent: () => {
        this.#noteSent();
        this.#composer.focus();
      },
      settled: () => this.#follower.settle(),
      growAbove: (change) => this.#follower.growAbove(change),
    });
    const scroller = this.#makeScroller();
    this.#follower = new EndFollower(scroller, this.#transcript.element, signal);
    this.#composer = new ComposerView({
      ...{ signal, model, parts, dataSource: options.dataSource ?? null },
      send: (text, attachments) => this.#send(text, attachments),
      steering: (extras) => this.#steeringOf(extras),
      announce: (text) => this.#announcer.say(text),
    });
    this.#queue = new Slot({
      ...{ part: parts.extras, name: strings.queue, signal },
      make: ({ QueueView }) => this.#makeQueue(QueueView, signal),
    });
    this.#assemble(scroller, options);
    this.#theme = new ThemeFollower(this.element, signal);
    this.#theme.setTheme(options.theme ?? "auto");
    container.append(this.element);
    this.#listen(signal);
    this.element.append(
      makeDropZone(this.element, (files) => this.#composer.attach(files), signal),
    );
    options.conversations?.attach({
      ...{ model, root: this.element },
      say: (text) => this.#announcer.say(text),
    });
    this.#paint();
  }

  setTheme(theme: Theme): void {
    this.#theme.setTheme(theme);
  }

  focus(): void {
    this.#composer.focus();
  }

  /** Put a text before what the reader is writing, and say why; they send it. */
  write(text: string, why: string): void {
    this.#giveBack(text, [], why);
    this.focus();
  }

  #makeQueue(Queue: typeof QueueView, signal: AbortSignal): QueueView {
    return new Queue({
      ...{ signal, model: this.#model, announced: this.#waited },
      say: (text) => this.#announcer.say(text),
      giveBack: (text, attachments, why) => this.#giveBack(text, attachments, why),
      focusComposer: () => this.#composer.focus(),
    });
  }

  #makeScroller(): HTMLElement {
    const scroller = make("div", "scroller", this.#transcript.element);
    scroller.tabIndex = 0;
    scroller.setAttribute("role", "log");
    scroller.setAttribute("aria-label", strings.transcript);
    // Tokens are not announced; sentences are, elsewhere.
    scroller.setAttribute("aria-live", "off");
    return scroller;
  }

  #assemble(
    scroller: HTMLElement,
    { layout = "widget", direction = "auto", conversations }: ChatViewOptions,
  ): void {
    this.element.className = "streamchat";
    this.element.dataset["layout"] = layout;
    this.element.lang = language();
    if (direction !== "auto") this.element.dir = direction;
    if (layout === "page") {
      this.element.setAttribute("role", "main");
      this.#title.setAttribute("aria-level", "1");
    }
    this.element.setAttribute("aria-label", strings.chat);
    // Lumino looks for this before it takes a key for one of its shortcuts.
    this.element.dataset["lmSuppressShortcuts"] = "true";
    this.#offline.update(
      "demo",
      strings.offlineDemo,
      strings.offlineDemoDetail,
      strings.offlineDemo,
    );
    const badges = make("div", "badges");
    badges.append(
      this.#offline.element,
      this.#presence.element,
      this.#connection.element,
      this.#settings.button,
    );
    const header = make("header", "header", this.#title, badges);
    const bottom = make("footer", "bottom");
    bottom.append(
      this.#follower.button,
      this.#problem.element,
      this.#queue.element,
      this.#composer.element,
    );
    if (conversations !== undefined) header.prepend(conversations.button);
    this.element.append(
      header,
      this.#settings.element,
      scroller,
      bottom,
      this.#announcer.element,
    );
  }

  #listen(signal: AbortSignal): void {
    this.#model.subscribe((change) => this.#note(change), signal);
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.element.addEventListener("focusin", () => this.#prepare(), { signal });
    for (const name of ["keyup", "keypress"]) {
      this.element.addEventListener(name, (event) => event.stopPropagation(), {
        signal,
      });
    }
    signal.addEventListener("abort", () => this.#remove(), { once: true });
  }

  #remove(): void {
    clearTimeout(this.#textTimer);
    if (this.#frame !== null) cancelAnimationFrame(this.#frame);
    this.element.remove();
  }

  #onKey(event: KeyboardEvent): void {
    // The notebook around must not take what is typed here for commands.
    event.stopPropagation();
    const isTaken = this.#steering?.takeKey(event);
    if (!isTaken) {
      const isStop = actionIn(CHAT_SHORTCUTS, event) === "stop";
      if (!isStop || !isBusy(this.#model.state)) return;
      this.#model.cancel();
    }
    event.preventDefault();
  }

  /** Get what helps writing and steering before it is needed: nobody misses it yet. */
  #prepare(): void {
    const { parts, signal } = this.#options;
    void parts.extras.load().then(
      (extras) => {
        if (signal.aborted) return;
        if (this.#steering === null)
          extras.noteReading(this.#model, this.element, signal);
        this.#steeringOf(extras);
        this.#composer.prepare();
      },
      () => undefined,
    );
  }

  #steeringOf({ Steering }: Extras): Steering {
    const { signal, newConversation, conversations } = this.#options;
    this.#steering ??= new Steering({
      ...{ signal, newConversation, conversations, model: this.#model },
      ...{ root: this.element, transcript: this.#transcript.element },
      openSettings: (place) => this.#settings.open(place),
      focusField: () => this.focus(),
      say: (text, isProblem = false) => {
        this.#composer.say(text, isProblem);
        if (!isProblem) this.#announcer.say(text);
      },
    });
    return this.#steering;
  }

  #send(text: string, attachments: readonly Attachment[]): void {
    this.#model.send(text, attachments);
    this.#noteSent();
  }

  #noteSent(): void {
    this.#announcer.say(strings.announceSent);
    this.#follower.jump();
  }

  #giveBack(text: string, attachments: readonly Attachment[], why: string): void {
    this.#composer.giveBack(text, attachments, why);
    this.#announcer.say(why);
  }

  #note(change: Change): void {
    this.#changes.add(change);
    const waitMs =
      change.kind === "delta"
        ? this.#textPaintedMs + TEXT_PAUSE_MS - performance.now()
        : 0;
    if (waitMs <= 0) this.#askForFrame();
    else this.#textTimer ??= setTimeout(() => this.#askForFrame(), waitMs);
  }

  #askForFrame(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#paint();
    });
  }

  #paint(): void {
    const changes = this.#changes;
    this.#changes = new Changes(false);
    clearTimeout(this.#textTimer);
    this.#textTimer = undefined;
    if (changes.blocks.size > 0) this.#textPaintedMs = performance.now();
    this.#paintTranscript(changes);
    if (changes.queue) this.#paintQueue(changes);
    if (changes.surroundings) this.#paintSurroundings();
    this.#follower.followEnd();
  }

  #paintQueue({ everything }: Changes): void {
    const { state, outbox, requests, draftTurns } = this.#model;
    const { running, waiting } = openTurns(state);
    if (everything) this.#waited = waiting.length;
    const isAsked = requests.length > 0 || draftTurns.length > 0;
    const isHeldUp = running !== undefined && outbox.length > 0;
    this.#queue.show(isAsked || isHeldUp || waiting.length > 0, (queue) =>
      queue.update(),
    );
  }

  #paintTranscript(changes: Changes): void {
    const transcript = this.#transcript;
    if (changes.everything) {
      transcript.reset();
      return;
    }
    if (changes.outbox) transcript.updateOutbox();
    if (changes.branch) transcript.updateBranch();
    for (const id of changes.messages) transcript.updateMessage(id);
    for (const [message, blocks] of changes.blocks) {
      if (changes.messages.has(message)) continue;
      for (const block of blocks) transcript.updateBlock(message, block);
    }
    for (const id of changes.toolCalls) transcript.updateToolCall(id);
    for (const id of changes.turns) transcript.updateTurn(id);
    this.#announceEnds(changes);
  }

  #paintSurroundings(): void {
    const model = this.#model;
    setText(this.#title, model.state.title || strings.untitled);
    this.#offline.element.hidden = !model.isOffline;
    this.#presence.updatePresence(model.presence);
    this.#settings.update();
    this.#connection.updateConnection(model.connection);
    const { problem } = model.connection;
    const what = strings.connectionProblem(problem?.code ?? "");
    if (problem && !this.#problemShown) this.#announcer.say(what);
    this.#problemShown = problem != null;
    this.#problem.update(
      problem
        ? {
            tone: "error",
            what,
            detail: problem.message,
            kept: strings.keptDraft,
            remedies: problem.retryable ? [this.#tryNow] : [],
          }
        : null,
    );
    const { running, waiting } = openTurns(model.state);
    this.#composer.setBusy({
      running: running !== undefined,
      waiting: waiting.length > 0,
    });
    this.#announceLabel(labelWords(running?.label ?? ""));
  }

  #announceLabel(label: string): void {
    if (label !== "" && label !== this.#announcedLabel) this.#announcer.say(label);
    this.#announcedLabel = label;
  }

  #announceEnds(changes: Changes): void {
    for (const id of changes.toolCalls) {
      const call = this.#model.toolCall(id);
      if (
        call === undefined ||
        call.status === "requested" ||
        call.status === "running"
      ) {
        continue;
      }
      const duration =
        call.duration_ms == null ? "" : `, ${formatDuration(call.duration_ms)}`;
      this.#announcer.say(`${strings.toolEnds[call.status](call.name)}${duration}.`);
    }
    for (const id of changes.turns) this.#announceEnd(this.#model.turn(id));
  }

  #announceEnd(turn: TurnState | undefined): void {
    // What never began is said as the queue shrinks.
    if (turn === undefined || neverStarted(turn)) return;
    if (turn.status === "completed") this.#announcer.say(strings.announceAnswer);
    if (turn.status === "failed") {
      const began = hasAnswer(this.#model.state, turn.turn);
      this.#announcer.say(failureWords(turn, began));
    }
    if (turn.status === "interrupted") this.#announcer.say(strings.turnInterrupted);
    if (turn.status === "cancelled") this.#announcer.say(strings.stopped);
  }
}
