import { describe, expect, test } from "vitest";
import {
  attachmentNames,
  attachmentsOf,
  contentOf,
  excessBytes,
  writtenText,
} from "../../src/content";

const data = { type: "data", name: "df", text: "öö" } as const;
const image = {
  type: "image",
  artifact: "a1",
  media_type: "image/png",
  alt: "plot.png",
} as const;

describe("a content", () => {
  test("has its text first, and none where only something is attached", () => {
    expect(contentOf("Hi", [data])).toEqual([{ type: "text", text: "Hi" }, data]);
    expect(contentOf("", [image])).toEqual([image]);
    expect(contentOf("", [])).toEqual([{ type: "text", text: "" }]);
  });

  test("is taken apart again", () => {
    const content = contentOf("Hi", [data, image]);
    expect(writtenText(content)).toBe("Hi");
    expect(attachmentsOf([...content, null, undefined])).toEqual([data, image]);
    expect(attachmentNames([data, image])).toBe("@df, plot.png");
  });

  test("counts its text and shared data in bytes", () => {
    const content = contentOf("Hä", [data, image]);
    expect(excessBytes(content, 7)).toBeNull();
    expect(excessBytes(content, 6)).toBe(7);
  });
});
