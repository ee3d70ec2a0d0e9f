/** Every text can be read on whatever it stands: WCAG's AA, in all colours there are. */

import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";

type Colour = readonly [number, number, number];
type Palette = ReadonlyMap<string, string>;

const styles = resolve(import.meta.dirname, "../../src/styles");
const theme = readFileSync(`${styles}/theme.css`, "utf-8");
const contrast = readFileSync(`${styles}/contrast.css`, "utf-8");

/** Variables of the rule that begins with `selector`. */
function variables(css: string, selector: string): [string, string][] {
  const start = css.indexOf(`${selector} {`);
  expect(start, selector).toBeGreaterThanOrEqual(0);
  const rule = css.slice(start, css.indexOf("}", start));
  return [...rule.matchAll(/--streamchat-([a-z-]+):\s*([^;]+);/g)].map(
    ([, name, value]) => [
      name as string,
      (value as string).replace(/\s+/g, " ").trim(),
    ],
  );
}

const light = variables(theme, ".streamchat");
const dark = [...light, ...variables(theme, '.streamchat[data-tone="dark"]')];
const jupyter = variables(theme, '.streamchat[data-palette="jupyter"]');
const more = variables(contrast, ".streamchat[data-tone]");
const moreLight = variables(contrast, '.streamchat[data-tone="light"]');

/** What JupyterLab's own themes have for the surface. */
const inJupyter = (surface: string): [string, string][] => [
  ...jupyter.filter(([, value]) => value.startsWith("color-mix")),
  ["surface", surface],
  ["raised", surface],
];

const PALETTES: readonly (readonly [string, Palette])[] = [
  ["light", new Map(light)],
  ["dark", new Map(dark)],
  ["light, more contrast", new Map([...light, ...more, ...moreLight])],
  ["dark, more contrast", new Map([...dark, ...more])],
  ["JupyterLab's light theme", new Map([...light, ...inJupyter("#ffffff")])],
  ["JupyterLab's dark theme", new Map([...dark, ...inJupyter("#111111")])],
  ["JupyterLab's high contrast", new Map([...dark, ...inJupyter("#000000")])],
];

function colourOf(palette: Palette, value: string): Colour {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/.exec(value);
  if (hex !== null)
    return [1, 2, 3].map((at) =>
      Number.parseInt(hex[at] ?? "", 16),
    ) as unknown as Colour;
  const variable = /^var\(--streamchat-([a-z-]+)\)$/.exec(value);
  if (variable !== null) return colourOf(palette, palette.get(variable[1] ?? "") ?? "");
  const mix = /^color-mix\( ?in srgb, (.+?) (\d+)%, (.+?) ?\)$/.exec(value);
  if (mix === null) throw new Error(`${value} is no colour that is known here.`);
  const [one, other] = [
    colourOf(palette, mix[1] ?? ""),
    colourOf(palette, mix[3] ?? ""),
  ];
  return blended(one, other, Number(mix[2]) / 100);
}

function blended(one: Colour, other: Colour, share: number): Colour {
  return one.map((part, at) => part * share + (other[at] ?? 0) * (1 - share)) as never;
}

function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as unknown as Colour;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one: Colour, other: Colour): number {
  const [dim, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((bright ?? 0) + 0.05) / ((dim ?? 0) + 0.05);
}

const code = ["keyword", "string", "number", "comment", "title", "name"];

/** What stands on what. Placeholders, hints and disabled buttons are muted. */
const TEXTS: readonly (readonly [string, readonly string[]])[] = [
  ["text", ["surface", "raised", "sunken", "user", "accent-soft", "bad-soft"]],
  ["muted", ["surface", "raised", "sunken", "user", "bad-soft"]],
  ["accent", ["surface", "raised", "sunken", "accent-soft"]],
  ["on-accent", ["accent"]],
  ["surface", ["text"]],
  ["good", ["surface", "raised"]],
  ["fair", ["surface", "raised"]],
  ["bad", ["surface", "raised", "bad-soft"]],
  ["demo", ["demo-soft"]],
  ...code.map((name) => [`code-${name}`, ["surface", "raised", "sunken"]] as const),
];

/** Rules that make something paler than 0.75. */
const PALE = /([^{}]+)\{[^{}]*\bopacity: 0?\.(?:[0-6]\d*|7[0-4]?)\b/g;
/** What cannot be used, what moves, and dots: no text that somebody has to read. */
const NOT_READ = /disabled|\d+%$|-dot$/;

describe.each(PALETTES)("%s", (_, palette) => {
  const colour = (name: string) => colourOf(palette, palette.get(name) ?? "");

  test("has 4.5 : 1 for every text on what it stands on", () => {
    const faint = TEXTS.flatMap(([text, grounds]) =>
      grounds
        .map((ground) => [text, ground, ratio(colour(text), colour(ground))] as const)
        .filter(([, , found]) => found < 4.5),
    );
    expect(faint).toEqual([]);
  });

  test("has 4.5 : 1 for a message that is being sent, which is paler", () => {
    const paler = (name: string) => blended(colour(name), colour("surface"), 0.75);
    expect(ratio(paler("text"), paler("user"))).toBeGreaterThan(4.5);
  });

  test("has 3 : 1 for the edges of what can be used, and for the focus", () => {
    for (const ground of ["surface", "raised"]) {
      expect(ratio(colour("line-strong"), colour(ground))).toBeGreaterThan(3);
      expect(ratio(colour("accent"), colour(ground))).toBeGreaterThan(3);
    }
  });
});

test("nothing to be read is paler than a message that is being sent", () => {
  const files = readdirSync(styles).filter((name) => name.endsWith(".css"));
  const pale = files.flatMap((name) =>
    [...readFileSync(`${styles}/${name}`, "utf-8").matchAll(PALE)]
      .map(([, selector]) => `${name}: ${selector?.trim()}`)
      .filter((rule) => !NOT_READ.test(rule)),
  );
  expect(pale).toEqual([]);
});
