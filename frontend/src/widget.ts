/**
 * The notebook widget: what anywidget loads, and every saved widget carries. So it is
 * small: it fetches the chat (`cell.ts`) and its looks, once for all widgets of a page,
 * from the server or, where there is no way to that, from the kernel.
 */

import type { CellFile, RenderContext } from "./cell";
import { discoverSite } from "./credentials";
import { KernelChannel } from "./kernel_channel";
import { fileLoader } from "./lazy_files";
import { widgetWords } from "./widget_words";

/** Loading that takes longer is said. */
const SLOW_AFTER_MS = 1_000;

/** Show the chat of a model in `el` until `signal` aborts or the result is called. */
function render({ model, el, signal }: RenderContext): () => void {
  const lifetime = new AbortController();
  const end = (): void => lifetime.abort();
  if (signal?.aborted) return end;
  signal?.addEventListener("abort", end, { once: true });
  const site = discoverSite({ document, location }, model.get("base_url"));
  const loadFile = fileLoader(new URL("streamchat/static/", site.baseUrl).href, {
    channel: new KernelChannel(model),
    isOnly: model.get("through_kernel") === true,
  });
  const words = widgetWords(model.get("language") ?? "auto");
  const open = async (): Promise<void> => {
    const slow = setTimeout(() => {
      if (!lifetime.signal.aborted) el.replaceChildren(words.loading);
    }, SLOW_AFTER_MS);
    try {
      const { mountCell } = (await loadFile("cell")) as CellFile;
      clearTimeout(slow);
      el.replaceChildren();
      if (!lifetime.signal.aborted) {
        mountCell({ model, el, loadFile, signal: lifetime.signal });
      }
    } catch {
      clearTimeout(slow);
      if (lifetime.signal.aborted) return;
      const again = document.createElement("button");
      again.textContent = words.tryAgain;
      again.addEventListener("click", () => void open(), { once: true });
      el.replaceChildren(words.notLoaded, " ", again);
    }
  };
  lifetime.signal.addEventListener("abort", () => el.replaceChildren(), { once: true });
  void open();
  return end;
}

export default { render };
