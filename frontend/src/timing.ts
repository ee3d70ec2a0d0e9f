/** Where the time of an answer went: a file of its own, fetched when somebody asks. */

export { build } from "./build";
export { WaterfallView } from "./view/waterfall";
