"""The waterfall of an answer, on a real screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import ANSWER_TIMEOUT_MS, IMAGES, open_page, say

if TYPE_CHECKING:
    from collections.abc import Iterator

SEARCH = 'search_contacts {{"query": "{}"}}'
TWO_TOOLS = f"call {SEARCH.format('Ada')} and {SEARCH.format('Grace')}"


@pytest.fixture(scope="module")
def slow_tools() -> Iterator[ServerProcess]:
    """A server whose demo tool takes its time, so that two of them overlap."""
    with ServerProcess(
        ["--StreamchatExtension.offline_pace_s=0.01"],
        environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.6"},
    ) as server:
        yield server


def test_two_tools_side_by_side_and_the_request_that_went_out(
    quiet: Page, slow_tools: ServerProcess
) -> None:
    page = quiet
    open_page(page, slow_tools)
    say(page, TWO_TOOLS)
    button = page.get_by_role("button", name="Timing")
    expect(button).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    button.focus()
    page.keyboard.press("Enter")
    timing = page.get_by_role("region", name="Timing")
    tools = timing.get_by_role("row", name="search_contacts")
    expect(timing.get_by_role("row", name="Model")).to_have_count(
        2, timeout=ANSWER_TIMEOUT_MS
    )
    expect(tools).to_have_count(2)
    expect(timing.get_by_text("2 requests")).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(timing.locator("[data-running]")).to_have_count(0, timeout=ANSWER_TIMEOUT_MS)
    first, second = (bar_of(tools.nth(number)) for number in (0, 1))
    assert second["x"] < first["x"] + first["width"]
    assert first["x"] < second["x"] + second["width"]
    if IMAGES.is_dir():
        timing.screenshot(path=IMAGES / "timing-bars.png")
    request = timing.locator("summary", has_text="Request 2")
    request.focus()
    page.keyboard.press("Enter")
    sent = timing.locator("details.streamchat-request[open]")
    expect(sent).to_contain_text("/v1/messages")
    expect(sent).to_contain_text("[hidden]")
    sent.locator("summary", has_text="user").last.click()
    sent.locator("summary", has_text="content").last.click()
    expect(sent).to_contain_text("tool_result")
    if IMAGES.is_dir():
        timing.screenshot(path=IMAGES / "timing.png")
    page.set_viewport_size({"width": 380, "height": 800})
    box = timing.bounding_box()
    assert box is not None
    assert box["width"] <= 380
    assert timing.evaluate("(one) => one.scrollWidth <= one.clientWidth + 1")
    button.press("Enter")
    expect(timing).to_be_hidden()


def bar_of(row: Any) -> Any:
    box = row.locator(".streamchat-timing-bar").bounding_box()
    assert box is not None
    return box
