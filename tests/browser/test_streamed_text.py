"""A streamed text stays still: nothing above its end moves, whatever becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    open_page,
    say,
    shoot,
    stop_button,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT = "--StreamchatExtension.agent=tests.browser.streamed_texts:streamed"
# Notes, for each frame, where what has been shown stands in the content, and every
# shift of the layout that the browser itself sees.
WATCH = """() => {
  const scroller = document.querySelector('.streamchat-scroller');
  const seen = new Map();
  window.streamchatMoves = [];
  window.streamchatShifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      for (const {node, previousRect, currentRect} of entry.sources) {
        const element = node?.nodeType === 1 ? node : node?.parentElement;
        if (!element?.closest('.streamchat-markdown')) continue;
        if (element.closest('.streamchat-code-header')) continue;
        window.streamchatShifts.push(
          `${element.className || element.localName} ` +
            `${previousRect.y} -> ${currentRect.y}`);
      }
    }
  }).observe({type: 'layout-shift', buffered: false});
  const note = () => {
    const blocks = document.querySelectorAll('.streamchat-section > *');
    const settled = [...blocks].slice(0, -2);
    const base = scroller.getBoundingClientRect().top - scroller.scrollTop;
    for (const block of settled) {
      const top = Math.round(block.getBoundingClientRect().top - base);
      const before = seen.get(block);
      if (before !== undefined && Math.abs(before - top) > 1) {
        window.streamchatMoves.push(
          `${block.className || block.localName} ${before} -> ${top}`);
      }
      seen.set(block, top);
    }
    window.streamchatFrame = requestAnimationFrame(note);
  };
  note();
}"""
SELECT = """() => {
  const text = document.querySelector('.streamchat-section p').firstChild;
  document.getSelection().setBaseAndExtent(text, 0, text, 9);
}"""
SELECTED = "() => document.getSelection().toString()"
SCROLLER = ".streamchat-scroller"
TOP = "() => document.querySelector('.streamchat-scroller').scrollTop"
FROM_END = """() => {
  const one = document.querySelector('.streamchat-scroller');
  return one.scrollHeight - one.clientHeight - one.scrollTop;
}"""


@pytest.fixture(scope="module")
def text_server() -> Iterator[ServerProcess]:
    with ServerProcess([AGENT], environment={"PYTHONPATH": str(ROOT)}) as server:
        yield server


def answered(page: Page) -> None:
    expect(stop_button(page)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def found(page: Page, name: str) -> list[Any]:
    return page.evaluate(f"() => window.{name}")


def test_text_stays_still_while_it_streams(
    quiet: Page, text_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 900, "height": 700})
    page.emulate_media(reduced_motion="reduce")
    open_page(page, text_server)
    # The first answer brings what is loaded when it is first needed.
    say(page, "first")
    answered(page)
    expect(page.locator("math").first).to_be_attached()
    expect(page.locator(".streamchat-code-added")).to_have_text("+new line")
    assert page.evaluate(FROM_END) <= 1

    page.reload()
    expect(page.locator(".streamchat-code-string").first).to_be_attached()
    page.evaluate(WATCH)
    say(page, "more")
    expect(page.locator(".streamchat-answer")).to_have_count(2)
    page.evaluate(SELECT)
    last = page.locator(".streamchat-answer").last
    expect(last.locator("table")).to_have_count(1, timeout=ANSWER_TIMEOUT_MS)
    assert page.evaluate(FROM_END) <= 1

    # The reader goes up: the view stays, and a button says that more has come.
    page.locator(SCROLLER).hover()
    page.mouse.wheel(0, -250)
    jump = page.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    held = page.evaluate(TOP)
    expect(jump).to_have_attribute("data-new", "", timeout=ANSWER_TIMEOUT_MS)
    assert page.evaluate(TOP) == held
    shoot(page, "jump-to-latest")
    jump.click()
    assert page.evaluate(FROM_END) <= 1
    answered(page)
    assert page.evaluate(FROM_END) <= 1
    expect(jump).not_to_be_visible()
    expect(last.locator("math")).to_have_count(4)
    assert page.evaluate(SELECTED) == "It begins"
    assert found(page, "streamchatMoves") == []
    assert found(page, "streamchatShifts") == []

    # A footnote's number leads to its text, and back.
    last.locator(".streamchat-note-mark").first.click()
    expect(last.locator(".streamchat-note-back").first).to_be_focused()

    # What is copied of a formula is its TeX.
    copied = last.locator("p", has=page.locator("math")).first.evaluate(
        """(paragraph) => {
          document.getSelection().selectAllChildren(paragraph);
          return document.getSelection().toString();
        }"""
    )
    assert "$a^2 + b^2 = c^2$" in copied
    assert "a2+b2" not in copied
