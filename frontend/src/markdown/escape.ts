/** Backslash escapes and character references. */

const ENTITY = /&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});/y;
const ESCAPE_OR_ENTITY =
  /\\([!-/:-@[-`{-~])|(&(?:#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});)/g;
const REPLACEMENT = "\uFFFD";

/** Names that were looked up and found: bounded by the names that HTML has. */
const named = new Map<string, string>();

function decodeNumber(digits: string): string {
  const hexadecimal = /^[xX]/.test(digits);
  const code = Number.parseInt(
    hexadecimal ? digits.slice(1) : digits,
    hexadecimal ? 16 : 10,
  );
  const invalid = code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return invalid ? REPLACEMENT : String.fromCodePoint(code);
}

/**
 * Ask the browser's own table of names. The name holds letters and digits only, the
 * document that is parsed is inert, and only its text is read.
 */
function decodeName(entity: string): string {
  const known = named.get(entity);
  if (known !== undefined) return known;
  const parsed = new DOMParser().parseFromString(entity, "text/html");
  const text = parsed.body.textContent ?? entity;
  if (text !== entity) named.set(entity, text);
  return text;
}

/** The text of one character reference; itself when HTML does not know it. */
export function decodeEntity(entity: string): string {
  return entity[1] === "#" ? decodeNumber(entity.slice(2, -1)) : decodeName(entity);
}

/** The character reference at `at`, or null. */
export function readEntity(source: string, at: number): string | null {
  ENTITY.lastIndex = at;
  return ENTITY.exec(source)?.[0] ?? null;
}

/** Undo all backslash escapes and character references. */
export function unescapeText(source: string): string {
  if (!/[\\&]/.test(source)) return source;
  return source.replace(ESCAPE_OR_ENTITY, (_whole, escaped, entity) =>
    entity === undefined ? String(escaped) : decodeEntity(String(entity)),
  );
}
