/** The place of a view whose code may have to be loaded first. */

import { make } from "./element";
import { NoticeView, type Remedy } from "./notice";
import type { Part } from "./part";
import { strings } from "./strings";

/** Loading that takes longer is said. */
const SLOW_AFTER_MS = 400;

export interface SlotOptions<Module, View> {
  readonly part: Part<Module>;
  readonly make: (module: Module) => View;
  /** What it is, for the reader when it cannot be loaded. */
  readonly name: string;
  readonly signal: AbortSignal;
  /** Told when it could not be loaded. */
  readonly failed?: () => void;
  /** Does without what it was to show. */
  readonly giveUp?: () => void;
}

/**
 * Holds the place of a view until its code is there, then the view takes the place.
 *
 * Where the code is there already, that is at once. Where it cannot be loaded, a
 * notice says so and can try again; nothing that is to be shown is lost meanwhile.
 * What is in the document depends on what is shown now, not on what was before.
 */
export class Slot<Module, View extends { readonly element: HTMLElement }> {
  readonly #options: SlotOptions<Module, View>;
  readonly #place = make("div", "slot");
  #view: View | null = null;
  readonly #notice: NoticeView;
  readonly #remedies: Remedy[];
  #isNeeded = false;
  #isLoading = false;
  #isSlow = false;
  #hasFailed = false;
  #update: (view: View) => void = () => undefined;

  constructor(options: SlotOptions<Module, View>) {
    this.#options = options;
    const { giveUp } = options;
    this.#remedies = [{ label: strings.tryAgain, act: () => void this.#load() }];
    if (giveUp !== undefined)
      this.#remedies.push({ label: strings.remove, act: giveUp });
    this.#notice = new NoticeView(options.signal);
    this.#place.hidden = true;
    this.#place.setAttribute("role", "status");
  }

  /** What to put into the document at first; later the view may be in its place. */
  get element(): HTMLElement {
    return this.#place;
  }

  /** Whether its code could not be loaded; `show` does not try again. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** The view; `null` until its code is there. */
  get view(): View | null {
    return this.#view;
  }

  /**
   * Bring the view up to date, now or once it is there: the last one counts.
   *
   * @param isNeeded whether there is anything to show; nothing is loaded for nothing
   */
  show(isNeeded: boolean, update: (view: View) => void): void {
    this.#update = update;
    if (!isNeeded && !this.#isNeeded && this.#view === null) return; // as it was
    this.#isNeeded = isNeeded;
    const { module } = this.#options.part;
    if (this.#view === null && isNeeded && module !== null) this.#make(module);
    // A view may take the focus, or give it away: it is in the document then.
    if (isNeeded) this.#refresh();
    if (this.#view !== null) update(this.#view);
    else if (isNeeded && !this.#isLoading && !this.#hasFailed) void this.#load();
    if (!isNeeded) this.#refresh();
  }

  async #load(): Promise<void> {
    const { part, signal } = this.#options;
    this.#isLoading = true;
    this.#hasFailed = false;
    this.#isSlow = false;
    const slow = setTimeout(() => {
      this.#isSlow = true;
      this.#refresh();
    }, SLOW_AFTER_MS);
    this.#refresh();
    try {
      const module = await part.load();
      if (!signal.aborted && this.#view === null) {
        const view = this.#make(module);
        this.#refresh();
        this.#update(view);
      }
    } catch {
      this.#hasFailed = true;
      this.#options.failed?.();
    } finally {
      clearTimeout(slow);
      this.#isLoading = false;
      this.#refresh();
    }
  }

  #make(module: Module): View {
    const view = this.#options.make(module);
    this.#view = view;
    this.#isSlow = false;
    return view;
  }

  /** Show the view while it is needed; else its place, which says what keeps it. */
  #refresh(): void {
    const view = this.#view?.element;
    if (view !== undefined) {
      this.#place.hidden = true;
      if (this.#isNeeded) this.#place.replaceWith(view);
      else view.replaceWith(this.#place);
      return;
    }
    const { name } = this.#options;
    const isShown = this.#isNeeded && (this.#isSlow || this.#hasFailed);
    this.#place.hidden = !isShown;
    this.#place.replaceChildren(...(isShown ? [this.#notice.element] : []));
    this.#notice.update(
      this.#hasFailed
        ? { tone: "error", what: strings.notLoaded(name), remedies: this.#remedies }
        : { tone: "note", what: strings.loading },
    );
  }
}
