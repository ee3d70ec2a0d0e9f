/**
 * A value that changes, in the shapes that others watch values in: a function that is
 * called, an observer (RxJS, Angular), a snapshot with a subscription (React).
 */

declare global {
  interface SymbolConstructor {
    readonly observable: symbol;
  }
}

/** What is told of each value. */
export interface Observer<Value> {
  next?: ((value: Value) => void) | undefined;
  /** There will be no more. */
  complete?: (() => void) | undefined;
}

export interface Subscription {
  unsubscribe(): void;
}

/**
 * A value that is the same object until it changes, and another one after.
 *
 * Its methods may be passed on by themselves: they know their store.
 */
export class Store<Value> {
  /** For RxJS, whose `from` takes a store as it is. */
  declare readonly [Symbol.observable]: () => this;
  readonly #observers = new Set<Observer<Value>>();
  #value: Value;
  #isComplete = false;

  constructor(value: Value) {
    this.#value = value;
    // RxJS looks for one of these, depending on what was loaded before it.
    for (const key of ["@@observable", Symbol.observable ?? "@@observable"]) {
      Object.defineProperty(this, key, { value: () => this, configurable: true });
    }
  }

  /** The value now: the same object until it changes. */
  readonly getSnapshot = (): Value => this.#value;

  /** The same as `getSnapshot`. */
  readonly getState = this.getSnapshot;

  /**
   * Tell the value now, at once, and every one after.
   *
   * @returns what ends it: for a function a function, for an observer a subscription
   */
  readonly subscribe: {
    (listener: (value: Value) => void): () => void;
    (observer: Observer<Value>): Subscription;
  } = (watcher: Observer<Value> | ((value: Value) => void)): never => {
    const isFunction = typeof watcher === "function";
    const observer: Observer<Value> = isFunction
      ? { next: watcher }
      : {
          next: (value) => watcher.next?.(value),
          complete: () => watcher.complete?.(),
        };
    const end = (): void => {
      this.#observers.delete(observer);
    };
    if (!this.#isComplete) {
      this.#observers.add(observer);
    }
    tell(() => observer.next?.(this.#value));
    if (this.#isComplete) {
      tell(() => observer.complete?.());
    }
    return (isFunction ? end : { unsubscribe: end }) as never;
  };

  /** Put another value in place of this one. */
  protected publish(value: Value): void {
    if (value === this.#value || this.#isComplete) {
      return;
    }
    this.#value = value;
    for (const observer of [...this.#observers]) {
      if (this.#observers.has(observer)) {
        tell(() => observer.next?.(value));
      }
    }
  }

  /** There will be no more values; the last one stays. */
  protected complete(): void {
    this.#isComplete = true;
    const observers = [...this.#observers];
    this.#observers.clear();
    for (const observer of observers) {
      tell(() => observer.complete?.());
    }
  }
}

/** Call a watcher; its failure is told to the page and keeps nobody else from hearing. */
function tell(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
