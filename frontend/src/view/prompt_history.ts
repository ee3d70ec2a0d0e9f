/** Going back to messages that were sent before, and forth again to what was begun. */

export class PromptHistory {
  readonly #sent: () => readonly string[];
  /** What was sent, oldest first, and last what was being written. */
  #texts: string[] = [];
  #at = 0;
  /** What was written when the reader went back. */
  #draft = "";
  /** The message that is shown, as it was sent. */
  #original: string | null = null;

  /** @param sent the reader's messages, oldest first; asked for when going back */
  constructor(sent: () => readonly string[]) {
    this.#sent = sent;
  }

  /** Whether `text` is an earlier message that nobody has changed. */
  shows(text: string): boolean {
    return this.#original === text;
  }

  /**
   * Go to the message before, or after with `step` 1. What is left is found again on
   * the way back, also where it was changed.
   *
   * @param written what is in the field now
   * @returns the text to show; `null` where there is nothing further
   */
  go(step: -1 | 1, written: string): string | null {
    if (this.#original === null) {
      if (step === 1) return null;
      this.#draft = written;
      const sent = this.#sent().filter((text) => text.trim() !== "");
      const latestFirst = new Set([...sent].reverse()); // each once, where it was last
      this.#texts = [...[...latestFirst].reverse(), written];
      this.#at = this.#texts.length - 1;
    }
    const next = this.#texts[this.#at + step];
    if (next === undefined) return null;
    this.#texts[this.#at] = written;
    this.#at += step;
    this.#original = this.#at === this.#texts.length - 1 ? null : next;
    return next;
  }

  /** Something was sent: return what was begun before the reader went back. */
  end(): string {
    const draft = this.#original === null ? "" : this.#draft;
    this.#original = null;
    this.#texts = [];
    return draft;
  }
}
