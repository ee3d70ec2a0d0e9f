/** Which build a file of the front end is of: those of one chat are all of the same. */

declare const STREAMCHAT_BUILD: string;

/** A hash of the sources; empty where they were not bundled. */
export const build = typeof STREAMCHAT_BUILD === "string" ? STREAMCHAT_BUILD : "";
