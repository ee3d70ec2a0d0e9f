/** Finding names by some of their letters. */

/** How well a name fits what was typed: the less the better; `null`: not at all. */
export function misfit(typed: string, name: string): number | null {
  const [wanted, text] = [typed.toLowerCase(), name.toLowerCase()];
  if (text.startsWith(wanted)) return text.length === wanted.length ? 0 : 1;
  if (text.includes(wanted)) return 2;
  let at = -1;
  for (const letter of wanted) {
    at = text.indexOf(letter, at + 1);
    if (at < 0) return null;
  }
  return 3;
}

/** Those that fit, the best first; of those that fit alike, the first stays first. */
export function bestFits<Item>(
  typed: string,
  items: readonly Item[],
  misfitOf: (item: Item) => number | null,
): readonly Item[] {
  const found = items.flatMap((item) => {
    const by = typed === "" ? 0 : misfitOf(item);
    return by === null ? [] : [{ item, by }];
  });
  return found.sort((one, other) => one.by - other.by).map(({ item }) => item);
}
