import { describe, expect, test } from "vitest";
import { discoverSite, type PageFacts, xsrfToken } from "../../src/credentials";

function page(
  href: string,
  parts: { config?: string; dataset?: Record<string, string> } = {},
): PageFacts {
  const { origin, pathname } = new URL(href);
  const { config } = parts;
  const document = {
    body: { dataset: parts.dataset ?? {} },
    cookie: "",
    getElementById: (id: string) =>
      id === "jupyter-config-data" && config !== undefined
        ? { textContent: config }
        : null,
  };
  return { document: document as never, location: { href, origin, pathname } };
}

describe("the server of a page", () => {
  test.each([
    [
      "JupyterLab's configuration",
      page("http://h:1/x/lab", { config: '{"baseUrl": "/user/ada/"}' }),
      "",
      "http://h:1/user/ada/",
    ],
    [
      "the configuration before hint and attribute",
      page("http://h:1/x/lab", {
        config: '{"baseUrl": "/a"}',
        dataset: { baseUrl: "/b" },
      }),
      "/c/",
      "http://h:1/a/",
    ],
    [
      "the hint before the attribute",
      page("http://h:1/voila/render/x.ipynb", { dataset: { baseUrl: "/voila/" } }),
      "/user/ada/",
      "http://h:1/user/ada/",
    ],
    [
      "the page's own attribute",
      page("http://h:1/a/streamchat", { dataset: { baseUrl: "/a/" } }),
      "",
      "http://h:1/a/",
    ],
    [
      "the path of the page",
      page("https://h/hub/a/lab/tree/lab.ipynb"),
      "",
      "https://h/hub/a/",
    ],
    ["the path of the classic page", page("https://h/tree"), "", "https://h/"],
    [
      "a path that only looks like one",
      page("https://h/labs/treehouse"),
      "",
      "https://h/labs/treehouse/",
    ],
    ["the root", page("https://h/"), "", "https://h/"],
    [
      "an absolute URL of this origin",
      page("https://h/x", { config: '{"baseUrl": "https://h/y/"}' }),
      "",
      "https://h/y/",
    ],
    [
      "no URL of another origin",
      page("https://h/lab", { dataset: { baseUrl: "//evil.example/" } }),
      "http://127.0.0.1:8888/z/",
      "https://h/",
    ],
    [
      "no configuration that is broken",
      page("https://h/lab", { config: "{" }),
      "http://[",
      "https://h/",
    ],
  ])("is found by %s", (_, facts, hint, expected) => {
    expect(discoverSite(facts, hint).baseUrl).toBe(expected);
  });

  test("has a token only where the page has one", () => {
    const config = '{"baseUrl": "/", "token": "t0"}';

    expect(discoverSite(page("http://h/lab", { config })).pageToken).toBe("t0");
    expect(discoverSite(page("http://h/lab")).pageToken).toBeNull();
  });
});

describe("the XSRF token", () => {
  test.each([
    ["_xsrf=2|a|b", "2|a|b"],
    ["other=1; _xsrf=first; _xsrf=second", "first"],
    ["x_xsrf=1", null],
    ["_xsrf=", null],
    ["", null],
  ])("of %j is %j", (cookie, expected) => {
    expect(xsrfToken({ cookie })).toBe(expected);
  });
});
