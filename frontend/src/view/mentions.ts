/** `@name` in what is being written. */

const NAME = "[\\p{XIDS}_]\\p{XIDC}*";
/** Not within a word, an address or a path. */
const BEFORE = "(?<![\\p{L}\\p{N}_.@/:-])";
const MENTION = new RegExp(`${BEFORE}@(${NAME})`, "gu");
const MENTION_AT_END = new RegExp(`${BEFORE}@((?:${NAME})?)$`, "u");

/** The names that a text mentions, each once. */
export function mentionsIn(text: string): readonly string[] {
  return [...new Set(Array.from(text.matchAll(MENTION), ([, name]) => name ?? ""))];
}

/** The names that nobody is typing: the caret is neither in them nor at their end. */
export function finishedMentionsIn(text: string, caret: number): readonly string[] {
  const finished = Array.from(text.matchAll(MENTION)).filter(
    ({ 0: mention, index }) => caret <= index || caret > index + mention.length,
  );
  return [...new Set(finished.map(([, name]) => name ?? ""))];
}

/** The beginning of a name that ends at the caret, and where its `@` is. */
export function mentionAt(
  text: string,
  caret: number,
): { readonly start: number; readonly prefix: string } | null {
  const found = MENTION_AT_END.exec(text.slice(0, caret));
  return found === null ? null : { start: found.index, prefix: found[1] ?? "" };
}

/** The text with a name that is mentioned no more: its `@` is gone. */
export function withoutMention(text: string, name: string): string {
  return text.replace(MENTION, (mention, one) => (one === name ? name : mention));
}
