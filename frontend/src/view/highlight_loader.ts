/** Fetching the highlighter from the chat's own server when code first needs it. */

import type { CodeRun, Highlight } from "../markdown";

interface Highlighter {
  highlight(code: string, language: string): CodeRun[] | null;
}

/**
 * A highlighter that loads itself on first use.
 *
 * @param staticUrl Folder of `highlight.js`, ending in `/`. Where it cannot be
 *   reached, all code stays plain; it is asked for only once.
 */
export function makeHighlight(staticUrl: string): Highlight {
  let loading: Promise<Highlighter | null> | null = null;
  const load = async (): Promise<Highlighter | null> => {
    try {
      return (await import(`${staticUrl}highlight.js`)) as Highlighter;
    } catch {
      return null;
    }
  };
  return async (code, language) => {
    loading ??= load();
    const highlighter = await loading;
    return highlighter?.highlight(code, language) ?? null;
  };
}
