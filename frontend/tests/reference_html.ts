/** The HTML that the CommonMark specification writes for a tree, for comparison only. */

import type { Block } from "../src/markdown/block";
import { BlockParser } from "../src/markdown/blocks";
import type { Inline } from "../src/markdown/inline";
import { parseInlines } from "../src/markdown/inlines";
import type { References } from "../src/markdown/reference";

const escapes: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character] as string);
}

function encodeAddress(address: string): string {
  const encoded = address.replace(
    /%(?![0-9a-fA-F]{2})|[^\w\-.!~*'();/?:@&=+$,#%]/gu,
    (part) => (part === "%" ? "%25" : encodeURIComponent(part)),
  );
  return escapeText(encoded);
}

function inlineHtml(inline: Inline): string {
  switch (inline.kind) {
    case "text":
    case "hidden":
    case "math":
      return escapeText(inline.text);
    case "note":
      return `<sup>${escapeText(inline.text)}</sup>`;
    case "code":
      return `<code>${escapeText(inline.text)}</code>`;
    case "break":
      return "<br />";
    case "emphasis":
      return `<em>${inline.children.map(inlineHtml).join("")}</em>`;
    case "strong":
      return `<strong>${inline.children.map(inlineHtml).join("")}</strong>`;
    case "strike":
      return `<del>${inline.children.map(inlineHtml).join("")}</del>`;
    case "link": {
      const title = inline.title === "" ? "" : ` title="${escapeText(inline.title)}"`;
      const text = inline.children.map(inlineHtml).join("");
      return `<a href="${encodeAddress(inline.href)}"${title}>${text}</a>`;
    }
    case "image": {
      const title = inline.title === "" ? "" : ` title="${escapeText(inline.title)}"`;
      const alternative = escapeText(inline.alternative);
      return `<img src="${encodeAddress(inline.source)}" alt="${alternative}"${title} />`;
    }
  }
}

class HtmlWriter {
  constructor(private readonly references: References) {}

  private text(source: string): string {
    const { inlines } = parseInlines(source, this.references, { bareAddresses: false });
    return inlines.map(inlineHtml).join("");
  }

  children(block: Block, tight = false): string {
    return block.children.map((child) => this.block(child, tight)).join("");
  }

  block(block: Block, tight: boolean): string {
    switch (block.kind) {
      case "paragraph":
        return tight ? this.text(block.text) : `<p>${this.text(block.text)}</p>\n`;
      case "heading":
        return `<h${block.level}>${this.text(block.text)}</h${block.level}>\n`;
      case "rule":
        return "<hr />\n";
      case "quote":
        return `<blockquote>\n${this.children(block)}</blockquote>\n`;
      case "code": {
        const language = block.info.split(/\s/)[0] ?? "";
        const attribute =
          language === "" ? "" : ` class="language-${escapeText(language)}"`;
        return `<pre><code${attribute}>${escapeText(block.codeGroups.join(""))}</code></pre>\n`;
      }
      case "list": {
        const start = block.marker?.start;
        const name = block.marker?.ordered ? "ol" : "ul";
        const attribute = name === "ol" && start !== 1 ? ` start="${start}"` : "";
        const items = block.children
          .map((item) => this.item(item, !block.loose))
          .join("");
        return `<${name}${attribute}>\n${items}</${name}>\n`;
      }
      default:
        return "";
    }
  }

  private item(item: Block, tight: boolean): string {
    const parts = item.children.map((child) => ({
      text: this.block(child, tight),
      bare: tight && child.kind === "paragraph",
    }));
    let html = "";
    parts.forEach((part, at) => {
      if (!part.bare && (at === 0 || parts[at - 1]?.bare)) html += "\n";
      html += part.text;
    });
    return `<li>${html}</li>\n`;
  }
}

/** Parse a whole text. */
export function parseText(markdown: string): BlockParser {
  const parser = new BlockParser();
  const lines = markdown.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (const line of lines) parser.addLine(line);
  parser.finish();
  return parser;
}

/** The HTML of a whole text, as the specification writes it. */
export function referenceHtml(markdown: string): string {
  const parser = parseText(markdown);
  return new HtmlWriter(parser.references).children(parser.root);
}
