/** The line that opens and closes what is folded. */

import { make } from "./element";
import { makeIcon } from "./icon";

/** A summary for a `details`: the chevron that all of them have, and words. */
export function makeFold(...words: (Node | string)[]): HTMLElement {
  return make("summary", "fold", makeIcon("chevron"), ...words);
}
