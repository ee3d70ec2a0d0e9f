import { describe, expect, test } from "vitest";
import { nameWithCorpus, readCorpus } from "../corpora";
import { referenceHtml } from "../reference_html";

interface Example {
  readonly markdown: string;
  readonly html: string;
}

const corpus = readCorpus("markdown/commonmark_examples.json");
const examples: Example[] = JSON.parse(corpus ?? "[]");

/** Elements that the specification's own notation makes; others are raw HTML. */
const MADE =
  /<\/?(?:p|h[1-6]|hr|blockquote|pre|code|ul|ol|li|em|strong|a|img|br)(?:(?: \/)?| (?:href|title|src|alt|start|class)="[^"]*")*(?: \/)?>/g;

/** Whether an example passes raw HTML on, which the chat shows as text on purpose. */
function needsRawHtml({ html }: Example): boolean {
  return (
    /<[a-zA-Z/!?]/.test(html.replace(MADE, "")) ||
    /<(?:[a-z]+)[^>]* (?:foo|id|a=)/.test(html)
  );
}

/** Raw tags that happen to look like made ones. */
function hasOwnTags({ markdown, html }: Example): boolean {
  const tags: string[] = markdown.match(/<\/?[a-zA-Z][^<>]*>|<!--[\s\S]*?-->/g) ?? [];
  return tags.some((tag) => html.includes(tag) && !/^<[a-zA-Z.+-]+:/.test(tag));
}

describe("CommonMark examples", () => {
  test.skipIf(corpus === null)(
    nameWithCorpus(
      "of those without raw HTML, above 95 % render as the reference",
      corpus,
    ),
    () => {
      const relevant = examples.filter(
        (example) => !needsRawHtml(example) && !hasOwnTags(example),
      );
      const failed = relevant.filter(
        ({ markdown, html }) => referenceHtml(markdown) !== html,
      );
      const share = 1 - failed.length / relevant.length;
      console.info(
        `CommonMark: ${relevant.length - failed.length} of ${relevant.length} examples ` +
          `without raw HTML (${(100 * share).toFixed(1)} %), ${examples.length} in all`,
      );
      if (process.env["SHOW_FAILURES"]) {
        for (const { markdown, html } of failed) {
          console.info(
            JSON.stringify({ markdown, html, got: referenceHtml(markdown) }),
          );
        }
      }
      expect(relevant.length).toBeGreaterThan(500);
      expect(share).toBeGreaterThan(0.95);
    },
  );
});
