"""Versions of messages: edited, answered again and switched, in two tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.screen import (
    answered,
    conversation_of,
    open_page,
    say,
    shoot,
    state_of,
    transcript_elements,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

FIRST, SECOND = "What is 1+1000?", "What is 2+1000?"
REVISED = "What is 7+1000?"


def asked(page: Page) -> Locator:
    return page.locator(".streamchat-user-bubble:visible")


def edit(page: Page, at: int) -> Locator:
    """Open the editor of the message at this place; returns its field."""
    message = page.get_by_role("article", name="You").nth(at)
    message.hover()
    message.get_by_role("button", name="Edit").click()
    return page.get_by_role("textbox", name="Your message in other words")


def test_versions_are_made_switched_and_kept_in_all_tabs(
    quiet: Page, context: BrowserContext, page_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, page_server)
    for text in (FIRST, SECOND):
        say(page, text)
        answered(page)
    other = context.new_page()
    open_page(other, page_server, fragment=f"#{conversation_of(page)}")
    expect(asked(other)).to_have_text([FIRST, SECOND])

    revise_and_regenerate(page, other)
    switch_back(page, other)

    # Nothing is gone, and the agent goes on with what is shown.
    say(page, "What is 3+1000?")
    answered(page)
    state = state_of(page_server, conversation_of(page))
    questions = [m for m in state["messages"] if m["role"] == "user"]
    assert [q["parent"] for q in questions] == [
        "",
        questions[0]["message"],
        "",
        "",
        questions[1]["message"],
    ]


def revise_and_regenerate(page: Page, other: Page) -> None:
    """A draft outlives a reload, Esc leaves all as it was, Enter makes a version."""
    field = edit(page, 0)
    expect(field).to_be_focused()
    field.fill("What is 9+")
    page.reload()
    expect(field).to_have_value("What is 9+")
    field.press("Escape")
    expect(asked(page)).to_have_text([FIRST, SECOND])
    edit(page, 0).fill(REVISED)
    page.keyboard.press("Enter")
    answered(page)
    for tab in (page, other):
        expect(asked(tab)).to_have_text([REVISED])
        expect(tab.get_by_text("1007").last).to_be_visible()
        expect(tab.get_by_role("group", name="Version 2 of 2")).to_be_visible()
        expect(tab.get_by_text("1001")).to_have_count(0)
    shoot(page, "branches")

    # Answered again: a version of its own.
    page.get_by_role("article", name="Assistant").hover()
    page.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_role("group", name="Version 3 of 3")).to_be_visible()
    answered(page)


def switch_back(page: Page, other: Page) -> None:
    """By keys, with the focus and the place kept; the other tab follows."""
    page.get_by_role("button", name="Version before").focus()
    before = page.get_by_role("button", name="Version before").bounding_box()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Version 2 of 3")).to_be_visible()
    expect(page.get_by_role("button", name="Version before")).to_be_focused()
    assert page.get_by_role("button", name="Version before").bounding_box() == before
    page.keyboard.press("Enter")
    for tab in (page, other):
        expect(tab.get_by_role("group", name="Version 1 of 3")).to_be_visible()
        expect(asked(tab)).to_have_text([FIRST, SECOND])
        expect(tab.get_by_text("1002").last).to_be_visible()
    page.reload()
    expect(asked(page)).to_have_text([FIRST, SECOND])
    expect(page.get_by_role("group", name="Version 1 of 3")).to_be_visible()
    expect(other.get_by_role("group", name="Version 1 of 3")).to_be_visible()
    assert transcript_elements(page) == transcript_elements(other)
