/** Keys: how they are written in tables, and those that a first answer needs. */

/**
 * What keys do: each action with its keys. `Mod` is Ctrl, or ⌘ on a Mac; a letter is
 * written small, also with Shift; another character is whatever types it.
 */
export type Shortcuts = Readonly<Record<string, readonly string[]>>;

/** The keys of the message field that need nothing to be loaded. */
export const FIELD_SHORTCUTS = {
  send: ["Enter", "Mod+Enter"],
  newLine: ["Shift+Enter"],
  waitWithSending: ["Escape"],
} as const;

/** The same, anywhere in the chat. */
export const CHAT_SHORTCUTS = { stop: ["Escape"] } as const;

/** What a key does by a table; nothing while a character is composed. */
export function actionIn<Table extends Shortcuts>(
  table: Table,
  event: KeyboardEvent,
): keyof Table | undefined {
  // Safari ends a composition before the key that ends it, but says so by its code.
  if (event.isComposing || event.keyCode === 229) return undefined;
  const key = keyOf(event);
  return Object.keys(table).find((action) => table[action]?.includes(key));
}

/** A key as the table writes it. */
function keyOf(event: KeyboardEvent): string {
  const { key, code, altKey, shiftKey } = event;
  // With letters of another alphabet, the place of the key says which one is meant.
  const place = key > "\x7f" ? /^Key([A-Z])$/.exec(code)?.[1] : undefined;
  const name = key.length === 1 ? (place ?? key).toLowerCase() : key;
  const isLetter = /^[a-z]$/.test(name);
  let keys = name;
  // Which characters take Shift differs between keyboards.
  if (shiftKey && (isLetter || name.length > 1)) keys = `Shift+${keys}`;
  if (altKey) keys = `Alt+${keys}`;
  return event.ctrlKey || event.metaKey ? `Mod+${keys}` : keys;
}
