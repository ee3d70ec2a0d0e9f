import { describe, expect, test } from "vitest";
import {
  finishedMentionsIn,
  mentionAt,
  mentionsIn,
  withoutMention,
} from "../../src/view/mentions";

describe("names that a text mentions", () => {
  test.each([
    ["What is in @df?", ["df"]],
    ["@a, (@b) and @a again", ["a", "b"]],
    ["@größe_2 und @_x", ["größe_2", "_x"]],
    ["@x\u0304 and @é2", ["x\u0304", "é2"]],
    ["to ada@example.com, a/@b, x.@y, @@z and @ alone", []],
    ["", []],
  ])("of %j are %j", (text, names) => {
    expect(mentionsIn(text)).toEqual(names);
  });

  test("end where they are no more", () => {
    expect(withoutMention("@df, @df2 and a@df: @df", "df")).toBe(
      "df, @df2 and a@df: df",
    );
  });
});

describe("names that nobody is typing", () => {
  test.each([
    ["@df", 3, []],
    ["@df ", 4, ["df"]],
    ["@df", 0, ["df"]],
    ["@dfmean of @x", 3, ["x"]],
    ["@df, then @df", 13, ["df"]],
    ["@df, then @dfx", 13, ["df"]],
  ])("of %j with the caret at %i are %j", (text, caret, names) => {
    expect(finishedMentionsIn(text, caret)).toEqual(names);
  });
});

describe("the name at the caret", () => {
  test.each([
    ["Look at @d", 10, { start: 8, prefix: "d" }],
    ["@", 1, { start: 0, prefix: "" }],
    ["@df is", 2, { start: 0, prefix: "d" }],
    ["@df is", 6, null],
    ["a@d", 3, null],
    ["no name", 4, null],
  ])("of %j at %i is %j", (text, caret, mention) => {
    expect(mentionAt(text, caret)).toEqual(mention);
  });
});
