/** The inline tree: what the text of a leaf block makes. */

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  /** Characters that cannot be seen; shown as a mark. */
  | { readonly kind: "hidden"; readonly text: string }
  | { readonly kind: "code"; readonly text: string }
  /** TeX as it was written, with its dollars or brackets. */
  | { readonly kind: "math"; readonly text: string }
  /** A footnote's label, where the text refers to it. */
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "break" }
  | {
      readonly kind: "emphasis" | "strong" | "strike";
      readonly children: readonly Inline[];
    }
  | {
      readonly kind: "link";
      readonly href: string;
      readonly title: string;
      /** The text is the address itself. */
      readonly bare: boolean;
      readonly children: readonly Inline[];
    }
  | {
      readonly kind: "image";
      readonly source: string;
      readonly title: string;
      readonly alternative: string;
    };

/** The text of inlines without any markup. */
export function plainText(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      switch (inline.kind) {
        case "break":
          return "\n";
        case "image":
          return inline.alternative;
        case "text":
        case "hidden":
        case "code":
        case "math":
          return inline.text;
        case "note":
          return `[^${inline.text}]`;
        default:
          return plainText(inline.children);
      }
    })
    .join("");
}
