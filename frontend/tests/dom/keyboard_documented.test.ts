/** The reference of keys says what the chat's own list says, and that what is handled. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import "./browser_parts";
import { actionOf, type Scope, SHORTCUTS } from "../../src/view/all_shortcuts";
import { COMMANDS } from "../../src/view/commands";
import { more } from "../../src/view/more_strings";
import { rowsOf } from "../../src/view/shortcut_list";

const PAGE = resolve(import.meta.dirname, "../../../docs/reference/keyboard.md");
const scopes = Object.keys(SHORTCUTS) as Scope[];

function tableOf(title: string, rows: readonly (readonly [string, string])[]): string {
  const lines = rows.map(([keys, does]) => `| ${keys} | ${does} |`);
  return [`## ${title}`, "", "| | |", "|---|---|", ...lines].join("\n");
}

test("the reference has every key and command, in the words of the chat", () => {
  const tables = scopes.map((scope) => {
    const rows = rowsOf(scope).map(({ keys, does }) => {
      return [keys.map((key) => `\`${key}\``).join(" "), does] as const;
    });
    return tableOf(more.shortcutScopes[scope], rows);
  });
  const commands = COMMANDS.map(
    ({ name }) => [`\`/${name}\``, more.commandWords[name]] as const,
  );
  const list = [...tables, tableOf(more.commandsTitle, commands)].join("\n\n");
  const [, documented] =
    /<!-- list -->\n([\s\S]*)<!-- end of list -->/.exec(readFileSync(PAGE, "utf-8")) ??
    [];

  expect(documented?.trim()).toBe(list);
});

test("each key of the list does in its place what the list says", () => {
  for (const scope of scopes) {
    const seen = new Set<string>();
    for (const [action, keys] of Object.entries<readonly string[]>(SHORTCUTS[scope])) {
      for (const key of keys) {
        expect(seen.has(key)).toBe(false);
        seen.add(key);
        expect([key, actionOf(scope, eventOf(key))]).toEqual([key, action]);
      }
    }
  }
});

test("keys are those of the letters on them, whatever the alphabet, and of no others", () => {
  const cyrillic = { key: "С", code: "KeyC", ctrlKey: true, shiftKey: true };
  expect(actionOf("chat", new KeyboardEvent("keydown", cyrillic))).toBe("copyAnswer");
  const german = { key: "/", code: "Digit7", ctrlKey: true, shiftKey: true };
  expect(actionOf("chat", new KeyboardEvent("keydown", german))).toBe("help");
  const apple = { key: "/", metaKey: true };
  expect(actionOf("chat", new KeyboardEvent("keydown", apple))).toBe("help");
  const altGr = { key: "c", ctrlKey: true, altKey: true, shiftKey: true };
  expect(actionOf("chat", new KeyboardEvent("keydown", altGr))).toBeUndefined();
  const shifted = { key: "J", shiftKey: true };
  expect(actionOf("reading", new KeyboardEvent("keydown", shifted))).toBeUndefined();
});

function eventOf(keys: string): KeyboardEvent {
  const names = keys.split("+");
  const key = names.at(-1) ?? "";
  return new KeyboardEvent("keydown", {
    key: names.includes("Shift") && key.length === 1 ? key.toUpperCase() : key,
    ctrlKey: names.includes("Mod"),
    altKey: names.includes("Alt"),
    shiftKey: names.includes("Shift"),
  });
}
