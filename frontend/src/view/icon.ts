/** Small line drawings, 16 units square, drawn with the colour of the text. */

const SHAPES = {
  arrowUp: "M8 13V3.5M3.8 7.5 8 3.3l4.2 4.2",
  arrowDown: "M8 3v9.5M3.8 8.5 8 12.7l4.2-4.2",
  check: "m3.5 8.5 3 3 6-7",
  cross: "m4.5 4.5 7 7m0-7-7 7",
  stopped: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M5.8 8h4.4",
  chevron: "m6 4 4 4-4 4",
  outward: "M6 3.5H3.5v9h9V10M9 3.5h3.5V7M12.3 3.7 7.5 8.5",
  warning: "M8 2.7 14 13H2L8 2.7Zm0 4v3m0 1.6v.1",
  clip: "m13 7.6-5.2 5.1a3.2 3.2 0 0 1-4.5-4.5l5.6-5.5a2.1 2.1 0 0 1 3 3l-5.5 5.5a1.1 1.1 0 0 1-1.6-1.5L9.4 5",
  file: "M9 2.5H4v11h8v-8L9 2.5Zm0 0v3h3",
  settings: "M2.5 4.5h6m3 0h2m-11 7h2m3 0h6M10 3v3M6 10v3",
  pencil: "m3 13 .8-3.1 7-7 2.3 2.3-7 7L3 13Zm6.3-8.6 2.3 2.3",
  list: "M2.5 3.5h11v9h-11v-9Zm4 0v9",
  plus: "M8 3.2v9.6M3.2 8h9.6",
  dots: "M3.5 8h.1M8 8h.1m4.4 0h.1",
  data: "M2.5 3.5h11v9h-11v-9Zm0 3h11m-11 3h11M6.5 6.5v6",
} as const;

export type IconName = keyof typeof SHAPES | "stop";

const NAMESPACE = "http://www.w3.org/2000/svg";

export function makeIcon(name: IconName): SVGSVGElement {
  const icon = document.createElementNS(NAMESPACE, "svg");
  icon.setAttribute("class", `streamchat-icon streamchat-icon-${name}`);
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  if (name === "stop") {
    const square = document.createElementNS(NAMESPACE, "rect");
    for (const [key, value] of Object.entries({
      x: 4,
      y: 4,
      width: 8,
      height: 8,
      rx: 1.5,
    })) {
      square.setAttribute(key, String(value));
    }
    square.setAttribute("fill", "currentColor");
    icon.append(square);
    return icon;
  }
  const path = document.createElementNS(NAMESPACE, "path");
  path.setAttribute("d", SHAPES[name]);
  icon.append(path);
  return icon;
}
