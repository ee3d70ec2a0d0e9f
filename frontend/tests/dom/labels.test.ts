/** The server's own labels are shown in the reader's language; others stay. */

import { readdirSync, readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import "./browser_parts";
import { showLanguage } from "../../src/catalog";
import { catalogs } from "../../src/language_de";
import { labelWords } from "../../src/view/labels";

afterEach(() => showLanguage("en", {}));

const GERMAN: Readonly<Record<string, string>> = {
  "Agent is thinking…": "Der Agent denkt nach…",
  "Agent is writing…": "Der Agent schreibt…",
  "Asking you…": "Eine Frage kommt…",
  "Searching the web…": "Sucht im Web…",
  "Reading a web page…": "Liest eine Webseite…",
  "Running code…": "Führt Code aus…",
  "Working on a file…": "Arbeitet an einer Datei…",
  "Waiting for the application…": "Wartet auf die Anwendung…",
  "Using search_contacts…": "Nutzt search_contacts…",
  "Using a, b, c and 2 more…": "Nutzt a, b, c und 2 weitere…",
  "Waiting for your approval of a, b…": "Wartet auf die Erlaubnis für a, b…",
  "Waiting for the kernel that lends planner…":
    "Wartet auf den Kernel, der planner verleiht…",
  "Waiting for the kernel (busy for 12 s)…":
    "Wartet auf den Kernel (seit 12 s beschäftigt)…",
};

test.each(Object.entries(GERMAN))("%s", (label, german) => {
  expect(labelWords(label)).toBe(label);
  showLanguage("de", { ...catalogs });
  expect(labelWords(label)).toBe(german);
});

test("what an agent or a tool says itself stays as it is", () => {
  showLanguage("de", { ...catalogs });
  for (const label of ["", "Lese die Tabelle…", "Using", "constructor"]) {
    expect(labelWords(label)).toBe(label);
  }
});

test("the server says what is looked for", () => {
  const sources = ["agent", "server", "tools"].flatMap((folder) => {
    const place = `../streamchat_nb/${folder}`; // beside this package
    return readdirSync(place)
      .filter((name) => name.endsWith(".py"))
      .map((name) => readFileSync(`${place}/${name}`, "utf8"));
  });
  const all = sources.join("\n");
  for (const label of Object.keys(GERMAN).slice(0, 8)) expect(all).toContain(label);
  for (const begin of [
    "Using {",
    "Waiting for your approval of {",
    "Waiting for the kernel that lends {",
    "Waiting for the kernel (busy for {",
  ]) {
    expect(all).toContain(begin);
  }
});
