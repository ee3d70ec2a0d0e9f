/** Counting what an endpoint counted. */

import type { Usage } from "../protocol";

/** Tokens that went in, with what was read from and written to the endpoint's cache. */
export function tokensIn(usage: Usage): number | null {
  const counts = [
    usage.input_tokens,
    usage.cache_creation_input_tokens,
    usage.cache_read_input_tokens,
  ].filter((count) => count != null);
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0);
}
