"""The page on a phone: a small screen, fingers, and a keyboard over the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    composer,
    open_page,
    shoot,
    stop_button,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from streamchat_nb.testing.server_process import ServerProcess

# What a finger can press, and how wide and high that is.
TARGETS = """() => [...document.querySelectorAll(
  ".streamchat :is(button, summary, select, .streamchat-action)")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}))
  .map((one) => [one.getAttribute("aria-label") || one.textContent || one.className,
    one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 43.5 || box.height < 43.5))
  .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
OVERFLOW = """() => document.documentElement.scrollWidth - window.innerWidth"""
# A keyboard that lies over the page makes the visual viewport smaller, and only that.
KEYBOARD = """(height) => {
  const described = {get: () => height, configurable: true};
  Object.defineProperty(visualViewport, "height", described);
  visualViewport.dispatchEvent(new Event("resize"));
}"""


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 390, "height": 780},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def test_page_fits_a_phone(phone: Page, page_server: ServerProcess) -> None:
    page = phone
    open_page(page, page_server)
    field = composer(page)
    field.tap()
    field.fill("Who is Ada?")
    page.get_by_role("button", name="Send").tap()
    actions = page.get_by_role("button", name="Draft a mail to Ada Lovelace")
    expect(actions.last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(stop_button(page)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    field.fill("Show me code")
    page.get_by_role("button", name="Send").tap()
    expect(page.locator("pre").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(stop_button(page)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    shoot(page, "phone")

    assert page.evaluate(TARGETS) == []
    assert page.evaluate(OVERFLOW) <= 0
    size = field.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 16, "a phone would zoom in"

    page.evaluate(KEYBOARD, 400)
    expect(page.locator(".streamchat").first).to_have_css("height", "400px")
    box = field.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 400
    page.evaluate(KEYBOARD, 780)
    expect(page.locator(".streamchat").first).to_have_css("height", "780px")
