import { expect, test, vi } from "vitest";
import { followVisibleHeight } from "../../src/visible_height";

class Viewport extends EventTarget {
  height = 800;
  scale = 1;

  becomes(height: number, scale = 1): void {
    Object.assign(this, { height, scale });
    this.dispatchEvent(new Event("resize"));
  }
}

function phone(): { viewport: Viewport; height: () => string; scrollTo: unknown } {
  const viewport = new Viewport();
  const scrollTo = vi.fn();
  const window = { visualViewport: viewport, innerHeight: 800, document, scrollTo };
  followVisibleHeight(window as unknown as Window);
  const { style } = document.documentElement;
  const height = () => style.getPropertyValue("--streamchat-visible-height");
  return { viewport, height, scrollTo };
}

test("a keyboard over the page leaves the height above it", () => {
  const { viewport, height, scrollTo } = phone();
  expect(height()).toBe("");

  viewport.becomes(420.4);
  expect(height()).toBe("420px");
  expect(scrollTo).toHaveBeenCalledWith(0, 0);

  viewport.becomes(800);
  expect(height()).toBe("");
});

test("zooming in covers nothing", () => {
  const { viewport, height } = phone();
  viewport.becomes(300, 2.5);
  expect(height()).toBe("");
});

test("a browser that does not tell is left alone", () => {
  followVisibleHeight({ visualViewport: null, document } as unknown as Window);
});
