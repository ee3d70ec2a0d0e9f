/**
 * The notebook widget: what anywidget loads, and every saved widget carries. So it is
 * small: it fetches the chat (`cell.ts`) and its looks, once for all widgets of a page,
 * from the server or, where there is no way to that, from the kernel.
 */

import type { CellFile, RenderContext } from "./cell";
import { discoverSite } from "./credentials";
import { KernelChannel } from "./kernel_channel";
import { fileLoader } from "./lazy_files";

/** Loading that takes longer is said. */
const SLOW_AFTER_MS = 1_000;

/** Show the chat of a model in `el` until `signal` aborts or the result is called. */
function render({ model, el, signal }: RenderContext): () => void {
  const lifetime = new AbortController();
  const end = (): void => lifetime.abort();
  if (signal?.aborted) end();
  signal?.addEventListener("abort", end, { once: true });
  const site = discoverSite({ document, location }, model.get("base_url"));
  const loadFile = fileLoader(new URL("streamchat/static/", site.baseUrl).href, {
    channel: new KernelChannel(model),
    isOnly: model.get("through_kernel") === true,
  });
  const open = async (): Promise<void> => {
    const slow = setTimeout(
      () => el.replaceChildren("Loading the chat…"),
      SLOW_AFTER_MS,
    );
    try {
      const { mountCell } = (await loadFile("cell")) as CellFile;
      clearTimeout(slow);
      el.replaceChildren();
      if (!lifetime.signal.aborted) {
        mountCell({ model, el, loadFile, signal: lifetime.signal });
      }
    } catch {
      clearTimeout(slow);
      if (!lifetime.signal.aborted) el.replaceChildren(...notLoaded(() => void open()));
    }
  };
  lifetime.signal.addEventListener("abort", () => el.replaceChildren(), { once: true });
  void open();
  return end;
}

/** What is said where neither the server nor the kernel has the chat; in English, as no words came. */
function notLoaded(again: () => void): (Node | string)[] {
  const button = document.createElement("button");
  button.textContent = "Try again";
  button.addEventListener("click", again, { once: true });
  return [
    "The chat could not be loaded: neither the Jupyter server nor the kernel answers. " +
      "What was said is kept on the server. Start the kernel or run this cell again. ",
    button,
  ];
}

export default { render };
