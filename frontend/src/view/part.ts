/** Code that is loaded when it is first needed, from a file of its own. */

import type { Language } from "../catalog";
import type { CodeRun, Highlight } from "../markdown";

/** What the file of seldom-needed views gives. */
export type Extras = typeof import("../extras");

/** What the file of the waterfall gives. */
export type Timing = typeof import("../timing");

/** What the file of the typesetter gives. */
export type MathFile = typeof import("../math");

/** What the file of the list of conversations gives. */
export type Conversations = typeof import("../conversations");

/** What the file of the settings gives. */
export type Panel = typeof import("../panel");

interface Highlighter {
  highlight(code: string, language: string): CodeRun[] | null;
}

/** The files that are loaded when they are needed. */
export type FileName =
  | "cell"
  | "extras"
  | "panel"
  | "timing"
  | "conversations"
  | "highlight"
  | "math"
  | `language_${Exclude<Language, "en">}`;

/** Loads one of the files; rejects where it cannot be had. */
export type LoadFile = (name: FileName) => Promise<unknown>;

/** One such file: asked for at most once at a time, and again after a failure. */
export class Part<Module> {
  readonly #load: () => Promise<Module>;
  #loading: Promise<Module> | null = null;
  #module: Module | null = null;

  constructor(load: () => Promise<Module>) {
    this.#load = load;
  }

  /** What it gives; `null` until it was loaded. */
  get module(): Module | null {
    return this.#module;
  }

  /** @throws whatever kept it from being loaded; the next call tries again */
  load(): Promise<Module> {
    this.#loading ??= this.#load().then(
      (module) => {
        this.#module = module;
        return module;
      },
      (error) => {
        this.#loading = null;
        throw error;
      },
    );
    return this.#loading;
  }
}

/** What the views load when they need it. */
export class Parts {
  /** Views that no first answer needs. */
  readonly extras: Part<Extras>;
  /** The settings. */
  readonly panel: Part<Panel>;
  /** The list of conversations. */
  readonly conversations: Part<Conversations>;
  /** Where the time of an answer went. */
  readonly timing: Part<Timing>;
  /** Formulas; where the typesetter cannot be had, they stay as they were written. */
  readonly math: Part<MathFile>;
  /** Colours code; where the highlighter cannot be had, code stays plain. */
  readonly highlight: Highlight;

  constructor(load: LoadFile) {
    this.extras = new Part(async () => (await load("extras")) as Extras);
    this.panel = new Part(async () => (await load("panel")) as Panel);
    this.conversations = new Part(
      async () => (await load("conversations")) as Conversations,
    );
    this.timing = new Part(async () => (await load("timing")) as Timing);
    this.math = new Part(async () => (await load("math")) as MathFile);
    this.highlight = makeHighlight(load);
  }
}

function makeHighlight(load: LoadFile): Highlight {
  // One failure is enough: colours are not worth asking for again with each block.
  let loading: Promise<Highlighter | null> | null = null;
  return async (code, language) => {
    loading ??= load("highlight").then(
      (loaded) => loaded as Highlighter,
      () => null,
    );
    const highlighter = await loading;
    return highlighter?.highlight(code, language) ?? null;
  };
}
