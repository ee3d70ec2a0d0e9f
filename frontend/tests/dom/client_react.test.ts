import { act, createElement, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { expect, test, vi } from "vitest";
import { Store } from "../../src/client/store";

class Words extends Store<readonly string[]> {
  add(word: string): void {
    this.publish([...this.getSnapshot(), word]);
  }
}

const words = new Words(["one"]);
let renders = 0;

function Line(): string {
  renders += 1;
  return useSyncExternalStore(words.subscribe, words.getSnapshot).join(" ");
}

test("React renders a store's value now, and once after each change", async () => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  const element = document.createElement("p");
  const root = createRoot(element);
  await act(() => root.render(createElement(Line)));
  expect(element.textContent).toBe("one");
  const before = renders;
  await act(() => words.add("two"));
  await act(() => words.add("three"));
  expect(element.textContent).toBe("one two three");
  expect(renders).toBe(before + 2);
  await act(() => root.unmount());
  words.add("four");
  expect(renders).toBe(before + 2);
  vi.unstubAllGlobals();
});
