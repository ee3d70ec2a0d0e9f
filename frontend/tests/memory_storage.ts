/** A browser's storage, with a bound that tests choose. */
export class MemoryStorage implements Storage {
  readonly #values = new Map<string, string>();
  /** Characters that fit in. */
  room: number;

  constructor(room = 5_000_000) {
    this.room = room;
  }

  get length(): number {
    return this.#values.size;
  }

  get keys(): string[] {
    return [...this.#values.keys()];
  }

  key(at: number): string | null {
    return this.keys[at] ?? null;
  }

  getItem(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    const others = [...this.#values].filter(([other]) => other !== key);
    const used = others.reduce((sum, [k, v]) => sum + k.length + v.length, 0);
    if (used + key.length + value.length > this.room) {
      throw new DOMException("full", "QuotaExceededError");
    }
    this.#values.set(key, value);
  }

  removeItem(key: string): void {
    this.#values.delete(key);
  }

  clear(): void {
    this.#values.clear();
  }
}
