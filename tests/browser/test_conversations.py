"""Many conversations: listed, found, renamed, pinned, deleted and brought back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    ask_server,
    conversation_of,
    open_page,
    shoot,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

TITLES = ("Quinces and medlars", "The sea in winter", "Old clocks")


def talk(server: ServerProcess, title: str, text: str) -> str:
    """Make a conversation in which something was said; returns its id."""
    made = ask_server(server, "conversations", {"title": title})
    ask_server(server, f"conversations/{made['id']}/messages", {"text": text})
    return made["id"]


def row(page: Page, title: str) -> Locator:
    """The row of a conversation in the list."""
    rows = page.locator(".streamchat-conversations-row")
    return rows.filter(
        has=page.locator(".streamchat-conversations-title", has_text=title)
    )


def choose(page: Page, title: str, action: str) -> None:
    """Do something by the menu of a row."""
    row(page, title).hover()
    row(page, title).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def listed(server: ServerProcess, query: str = "") -> list[str]:
    found = ask_server(server, f"conversations?limit=200{query}")
    return [one["title"] for one in found["conversations"]]


def test_conversations_are_found_renamed_pinned_and_brought_back(
    quiet: Page, page_server: ServerProcess
) -> None:
    quiet.set_default_timeout(ANSWER_TIMEOUT_MS)
    expect.set_options(timeout=ANSWER_TIMEOUT_MS)
    ids = [talk(page_server, title, f"I like {title}") for title in TITLES]
    open_page(quiet, page_server, fragment=f"#{ids[0]}")
    expect(row(quiet, TITLES[1])).to_be_visible()

    # What was said is found, and the conversation opens in place of this one.
    search = quiet.get_by_role("searchbox")
    search.fill("LIKE óld")
    expect(quiet.locator(".streamchat-conversations mark").first).to_be_visible()
    expect(row(quiet, TITLES[0])).to_have_count(0)
    shoot(quiet, "search")
    search.press("ArrowDown")
    quiet.keyboard.press("Enter")
    expect(quiet.locator(".streamchat-header")).to_contain_text(TITLES[2])
    assert conversation_of(quiet) == ids[2]
    # It is read where it is seen; those that nobody opened stay unread.
    expect(row(quiet, TITLES[1]).get_by_text("unread")).to_have_count(0)
    search.fill("")
    expect(row(quiet, TITLES[1]).get_by_text("unread")).to_have_count(1)

    row(quiet, TITLES[1]).get_by_role("button").first.focus()
    quiet.keyboard.press("F2")
    quiet.get_by_role("textbox", name="New title").fill("The sea in June")
    quiet.keyboard.press("Enter")
    expect(row(quiet, "The sea in June")).to_be_visible()
    choose(quiet, "The sea in June", "Pin")
    pinned = quiet.get_by_role("list", name="Pinned")
    expect(pinned).to_contain_text("The sea in June")
    assert listed(page_server)[0] == "The sea in June"


def test_conversation_is_brought_back_exported_and_listed_on_a_phone(
    quiet: Page, page_server: ServerProcess
) -> None:
    quiet.set_default_timeout(ANSWER_TIMEOUT_MS)
    expect.set_options(timeout=ANSWER_TIMEOUT_MS)
    talk(page_server, "Snow", "I like snow")
    id_ = talk(page_server, "Old barns", "I like old barns")
    open_page(quiet, page_server, fragment=f"#{id_}")

    # The one that is shown is deleted; undone, it is shown again.
    choose(quiet, "Old barns", "Delete")
    expect(row(quiet, "Old barns")).to_have_count(0)
    expect(quiet.locator(".streamchat-header")).not_to_contain_text("Old barns")
    assert "Old barns" in listed(page_server, "&deleted=true")
    quiet.get_by_role("button", name="Undo").click()
    expect(quiet.locator(".streamchat-header")).to_contain_text("Old barns")
    expect(row(quiet, "Old barns")).to_be_visible()

    with quiet.expect_download() as download:
        choose(quiet, "Old barns", "Export as Markdown")
    assert re.fullmatch(r"Old-barns\.md", download.value.suggested_filename)
    assert "I like old barns" in download.value.path().read_text(encoding="utf-8")

    # On a phone the list lies over the chat.
    quiet.set_viewport_size({"width": 390, "height": 760})
    search = quiet.get_by_role("searchbox")
    expect(search).to_be_hidden()
    quiet.get_by_role("button", name="Conversations", exact=True).click()
    row(quiet, "Snow").get_by_role("button").first.click()
    expect(search).to_be_hidden()
    expect(quiet.locator(".streamchat-header")).to_contain_text("Snow")
