/** The few words that a cell can say before the chat and its catalogs are there. */

const english = {
  loading: "Loading the chat…",
  notLoaded:
    "The chat could not be loaded: neither the Jupyter server nor the kernel answers. " +
    "What was said is kept on the server. Start the kernel, or run this cell again.",
  tryAgain: "Try again",
};

const german: typeof english = {
  loading: "Der Chat wird geladen…",
  notLoaded:
    "Der Chat ließ sich nicht laden: Weder der Jupyter-Server noch der Kernel antwortet. " +
    "Was gesagt wurde, ist auf dem Server aufbewahrt. Den Kernel starten oder diese " +
    "Zelle erneut ausführen.",
  tryAgain: "Erneut versuchen",
};

/** @param wanted a language's tag, or `auto`: the page's language, else the browser's */
export function widgetWords(wanted: string): typeof english {
  const page = document.documentElement.lang || navigator.language;
  const tag = wanted === "auto" ? page : wanted;
  return /^de\b/i.test(tag) ? german : english;
}
