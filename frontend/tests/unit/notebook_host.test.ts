import { expect, test } from "vitest";
import {
  type NotebookHost,
  notebookHost,
  registerNotebookHost,
} from "../../src/notebook_host";

const host = (): NotebookHost => ({
  hasNotebook: () => true,
  insertCell: async () => {},
  replaceCell: async () => {},
});

test("a page without a notebook has no host", () => {
  expect(notebookHost()).toBeUndefined();
});

test("a host is there until its lifetime ends, under a name that bundles share", () => {
  const lifetime = new AbortController();
  const registered = host();
  registerNotebookHost(registered, lifetime.signal);

  expect(notebookHost()).toBe(registered);
  expect(Reflect.get(globalThis, Symbol.for("streamchat_nb.notebook_host"))).toBe(
    registered,
  );
  lifetime.abort();
  expect(notebookHost()).toBeUndefined();
});

test("a host that ends late does not take its successor away", () => {
  const first = new AbortController();
  const second = new AbortController();
  registerNotebookHost(host(), first.signal);
  const successor = host();
  registerNotebookHost(successor, second.signal);

  first.abort();

  expect(notebookHost()).toBe(successor);
  second.abort();
});
