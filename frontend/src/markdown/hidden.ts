/**
 * Characters that a reader cannot see but a machine reads: format and tag characters,
 * bidirectional controls, blanks that look like nothing, private and broken ones, and
 * piles of combining marks. They are shown as what they are.
 */

const HIDDEN =
  /(?<=\p{M}{8})\p{M}+|[\p{DI}\p{Co}\p{Cs}\u2028\u2029\u2800\uFFF9-\uFFFB]+/gu;
const QUICK = /[^\n -~]/;
/** Parts of emoji and of scripts that need them: visible by what they do. */
const JOINED_EMOJI = /^(?:\uFE0F|\uFE0F?\u200D)$/;
const JOINER = /^[\u200C\u200D]$/;
const EMOJI_END = /[\p{Emoji}\p{Emoji_Modifier}]$/u;
const SCRIPT_WITH_JOINERS =
  /[\p{sc=Arabic}\p{sc=Devanagari}\p{sc=Bengali}\p{sc=Tamil}\p{sc=Telugu}\p{sc=Kannada}\p{sc=Malayalam}\p{sc=Sinhala}\p{sc=Gujarati}\p{sc=Gurmukhi}\p{sc=Oriya}\p{sc=Myanmar}\p{sc=Khmer}]$/u;

/** A stretch of text, either to be shown as it is or hidden. */
export interface Stretch {
  readonly hidden: boolean;
  readonly text: string;
}

function isOrdinary(run: string, before: string): boolean {
  if (JOINED_EMOJI.test(run) && EMOJI_END.test(before)) return true;
  return JOINER.test(run) && SCRIPT_WITH_JOINERS.test(before);
}

/** Split text into stretches, at most alternating between shown and hidden. */
export function splitHidden(text: string): Stretch[] {
  if (text === "") return [];
  if (!QUICK.test(text)) return [{ hidden: false, text }];
  const stretches: Stretch[] = [];
  let shownFrom = 0;
  for (const found of text.matchAll(HIDDEN)) {
    const run = found[0];
    if (isOrdinary(run, text.slice(Math.max(0, found.index - 2), found.index)))
      continue;
    if (found.index > shownFrom) {
      stretches.push({ hidden: false, text: text.slice(shownFrom, found.index) });
    }
    stretches.push({ hidden: true, text: run });
    shownFrom = found.index + run.length;
  }
  if (shownFrom < text.length) {
    stretches.push({ hidden: false, text: text.slice(shownFrom) });
  }
  return stretches;
}

/** "U+202E" for each of the first few characters of a run. */
export function nameCharacters(run: string): string {
  const characters = Array.from(run);
  const names = characters.slice(0, 4).map((character) => {
    const code = character.codePointAt(0) ?? 0;
    return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
  return characters.length > names.length ? `${names.join(" ")} …` : names.join(" ");
}

/**
 * Make control characters visible as their pictures (ESC becomes ␛) and line ends
 * uniform. Looks at one character at a time, so pieces of a text give the same.
 * A lone carriage return is a control character like the others.
 */
export function showControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  return text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, (control) => {
    const code = control.charCodeAt(0);
    if (code === 0x7f) return "\u2421";
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\uFFFD";
  });
}

/** Remove everything hidden, for places that can show no mark. */
export function removeHidden(text: string): string {
  return splitHidden(showControls(text))
    .filter((stretch) => !stretch.hidden)
    .map((stretch) => stretch.text)
    .join("");
}
