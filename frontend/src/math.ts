/**
 * TeX to MathML: a file of its own, fetched when a page first shows a formula.
 *
 * The typesetter's tree becomes elements and attributes of closed sets; no HTML, no
 * address and no style of a formula leaves this file.
 */

import temml from "temml";

export { build } from "./build";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const LONGEST_TEX = 8_000;
const MOST_ELEMENTS = 4_000;
const DEEPEST_NESTING = 100;
/** How often abbreviations of the typesetter itself may be written out. */
const MOST_EXPANSIONS = 500;
/** Greatest size that a formula may ask for: em, pixels. */
const LARGEST: [number, number] = [20, 300];
/** A formula that makes abbreviations of its own, or wants an address or a look. */
const REFUSED =
  /\\(?:[egx]?def|(?:future)?let|global|long|(?:re|provide)?newcommand|newenvironment|DeclareMathOperator|includegraphics|href|url|(?:text|f?color)?color(?:box)?|class|id|style|data|htmlmathml)(?![A-Za-z])/;
const NUMBER = /^([+-]?\d{1,3})$/;
const LENGTH = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:em|ex|pt|px|mu|%)?$/;
/** In whatever unit. */
const LARGEST_LENGTH = 1_000;
const WORD = /^[a-z][a-z -]{0,40}$/;

const ELEMENTS = new Set(
  (
    "math mrow mi mn mo mtext mspace ms mfrac msqrt mroot mstyle mpadded mphantom msub " +
    "msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd"
  ).split(" "),
);
/** What an attribute may be: a word, a number, or lengths. */
const ATTRIBUTES: Readonly<Record<string, RegExp>> = {
  ...{ display: WORD, mathvariant: WORD, form: WORD, columnalign: WORD },
  ...{ stretchy: WORD, fence: WORD, separator: WORD, symmetric: WORD },
  ...{ largeop: WORD, movablelimits: WORD, accent: WORD, accentunder: WORD },
  ...{ displaystyle: WORD, scriptlevel: NUMBER, rowspan: NUMBER, columnspan: NUMBER },
  ...{ width: LENGTH, height: LENGTH, depth: LENGTH, voffset: LENGTH },
  ...{ lspace: LENGTH, rspace: LENGTH, minsize: LENGTH, maxsize: LENGTH },
  ...{ linethickness: LENGTH, rowspacing: LENGTH },
};
/** What the typesetter says by classes, and the chat draws. */
const CLASSES: Readonly<Record<string, string>> = {
  "tml-left": "streamchat-math-left",
  "tml-right": "streamchat-math-right",
  "tml-cancel": "streamchat-math-struck",
};

/** A node of the typesetter's tree; a text has no type. */
interface TreeNode {
  readonly type?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly classes?: readonly string[];
  readonly style?: Readonly<Record<string, unknown>>;
  readonly children?: readonly TreeNode[];
}

class Refusal extends Error {}

/**
 * Typeset a formula.
 *
 * @param tex without its dollars or brackets
 * @param display whether it stands by itself
 * @returns a `math` element, or `null` for what cannot be typeset: show its source
 */
export function typeset(tex: string, display: boolean): Element | null {
  if (tex.length > LONGEST_TEX || REFUSED.test(tex) || tex.trim() === "") return null;
  try {
    const tree: TreeNode = temml.__renderToMathMLTree(tex, {
      ...{ displayMode: display, throwOnError: true, trust: false, strict: false },
      ...{ maxSize: LARGEST, maxExpand: MOST_EXPANSIONS, wrap: "none" },
    });
    return new Builder().build(tree);
  } catch {
    return null; // Whatever the typesetter stumbles over: the source is still right.
  }
}

class Builder {
  #elements = 0;

  build(node: TreeNode): Element {
    const math = this.#make(node, 0);
    if (!(math instanceof Element) || math.localName !== "math") throw new Refusal();
    return math;
  }

  #make(node: TreeNode, depth: number): Node {
    if (node.type === undefined) return this.#makeBare(node, depth);
    this.#elements += 1;
    if (this.#elements > MOST_ELEMENTS || depth > DEEPEST_NESTING) throw new Refusal();
    // Browsers draw no enclosures: a group stands for one, and the chat draws it.
    const name = node.type === "menclose" ? "mrow" : node.type;
    if (!ELEMENTS.has(name)) throw new Refusal();
    const element = document.createElementNS(MATHML, name);
    copyAttributes(node, element);
    for (const child of node.children ?? []) {
      element.append(this.#make(child, depth + 1));
    }
    return element;
  }

  #makeBare(node: TreeNode, depth: number): Node {
    if (node.text !== undefined) return document.createTextNode(node.text);
    const fragment = document.createDocumentFragment();
    for (const child of node.children ?? []) {
      fragment.append(this.#make(child, depth + 1));
    }
    return fragment;
  }
}

function copyAttributes(node: TreeNode, element: Element): void {
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    if (isAllowed(name, String(value))) element.setAttribute(name, String(value));
  }
  const classes = (node.classes ?? []).flatMap((one) => CLASSES[one] ?? []);
  if (node.style?.["border"] !== undefined) classes.push("streamchat-math-boxed");
  if (classes.length > 0) element.setAttribute("class", classes.join(" "));
}

function isAllowed(name: string, value: string): boolean {
  if (!Object.hasOwn(ATTRIBUTES, name)) return false;
  const found = (ATTRIBUTES[name] as RegExp).exec(value);
  return found !== null && !(Math.abs(Number(found[1])) > LARGEST_LENGTH);
}
