"""Messages that wait for their turn, seen and steered from two tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    composer,
    conversation_of,
    open_page,
    questions_of,
    say,
    shoot,
    state_of,
    stop_button,
    transcript_elements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SUMS = ["What is 1+1000?", "What is 2+1000?", "What is 3+1000?"]


@pytest.fixture(scope="module")
def slow_server() -> Iterator[ServerProcess]:
    """A server whose tool takes long enough to be interrupted."""
    with ServerProcess(
        ["--StreamchatExtension.offline_pace_s=0.02"],
        environment={"STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "3"},
    ) as server:
        yield server


def waiting(page: Page) -> Locator:
    return page.get_by_role("region", name="Waiting messages").get_by_role("listitem")


def asked(page: Page) -> list[str]:
    return page.locator(".streamchat-user-bubble").all_inner_texts()


def begin_with_queue(page: Page, server: ServerProcess) -> None:
    open_page(page, server)
    say(page, "/demo long 3000")
    expect(stop_button(page)).to_be_visible()
    for text in SUMS:
        say(page, text)
        expect(button(page, "Remove", text)).to_be_visible()


def second_tab(page: Page, context: BrowserContext, server: ServerProcess) -> Page:
    other = context.new_page()
    open_page(other, server, fragment=f"#{conversation_of(page)}")
    return other


def button(page: Page, label: str, about: str) -> Locator:
    return page.get_by_role("button", name=f"{label}: {about}")


def test_queue_is_the_same_in_both_tabs_and_runs_in_its_order(
    quiet: Page, context: BrowserContext, slow_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 960, "height": 720})
    begin_with_queue(page, slow_server)
    other = second_tab(page, context, slow_server)
    for tab in (page, other):
        expect(waiting(tab)).to_contain_text(SUMS)
        expect(tab.get_by_role("button", name="2 here")).to_be_visible()
    shoot(page, "queue-light")

    button(page, "Edit", SUMS[0]).click()
    page.keyboard.type(" Please.")
    page.keyboard.press("Enter")
    expect(waiting(other).first).to_contain_text("1+1000? Please.")
    button(other, "Remove", SUMS[1]).click()
    button(other, "Send now", SUMS[2]).click()
    for tab in (page, other):
        expect(waiting(tab)).to_contain_text([SUMS[2], SUMS[0]])
    # The order of the queue is kept when the answer before it is stopped by itself.
    expect(page.locator(".streamchat-user-bubble")).to_have_count(1)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    shoot(page, "queue-dark")

    button(page, "Remove", SUMS[0]).click()
    expect(waiting(page)).to_have_count(1)
    stop_button(page).click()
    for tab in (page, other):
        expect(stop_button(tab)).not_to_be_visible()
        expect(tab.get_by_text("Stopped before it was answered.")).to_be_visible()
        assert asked(tab) == ["/demo long 3000", SUMS[2]]
    page.get_by_role("button", name="Send again").click()
    for tab in (page, other):
        expect(tab.get_by_text("1003").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
        expect(stop_button(tab)).not_to_be_visible()
    assert transcript_elements(page) == transcript_elements(other)


def test_send_now_ends_the_answer_at_its_next_tool(
    quiet: Page, slow_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, slow_server)
    say(page, "Who is Ada?")
    expect(page.get_by_text("Using search_contacts…").first).to_be_visible()
    say(page, SUMS[0])
    say(page, SUMS[1])
    button(page, "Send now", SUMS[1]).click()
    note = page.get_by_text("Went on with the next message.")
    expect(note).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(page.get_by_text("1001").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(stop_button(page)).not_to_be_visible()
    assert asked(page) == ["Who is Ada?", SUMS[1], SUMS[0]]
    turns = state_of(slow_server, conversation_of(page))["turns"]
    assert turns[0]["stop_reason"] == "superseded"


def test_message_answered_while_it_is_changed_gives_the_text_back(
    quiet: Page, slow_server: ServerProcess
) -> None:
    page = quiet
    open_page(page, slow_server)
    say(page, "Who is Ada?")
    say(page, SUMS[0])
    button(page, "Edit", SUMS[0]).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("What is 7*8?")
    expect(composer(page).last).to_have_value("What is 7*8?", timeout=ANSWER_TIMEOUT_MS)
    expect(composer(page).last).to_be_focused()
    expect(page.get_by_text("It is being answered already.").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("56").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    assert asked(page) == ["Who is Ada?", SUMS[0], "What is 7*8?"]


def test_change_that_is_being_typed_survives_a_reload(
    quiet: Page, slow_server: ServerProcess
) -> None:
    page = quiet
    begin_with_queue(page, slow_server)
    button(page, "Edit", SUMS[1]).click()
    page.keyboard.type(" Slowly.")
    page.reload()
    field = page.get_by_role("textbox", name="Change the message that waits")
    expect(field).to_have_value(f"{SUMS[1]} Slowly.")
    field.press("Enter")
    expect(waiting(page).nth(1)).to_contain_text("Slowly.")
    page.keyboard.press("Escape")
    expect(stop_button(page)).not_to_be_visible()
    expected = ["/demo long 3000", SUMS[0], f"{SUMS[1]} Slowly.", SUMS[2]]
    assert questions_of(state_of(slow_server, conversation_of(page))) == expected


def test_queue_is_used_by_keyboard_alone(
    quiet: Page, slow_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 360, "height": 680})
    begin_with_queue(page, slow_server)
    shoot(page, "queue-narrow")
    for _ in range(4):  # attach; the last message's Remove, Edit, Send now
        page.keyboard.press("Shift+Tab")
    expect(button(page, "Send now", SUMS[2])).to_be_focused()
    page.keyboard.press("Enter")
    expect(waiting(page).first).to_contain_text(SUMS[2])
    expect(button(page, "Send now", SUMS[2])).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(waiting(page)).to_have_count(2)
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(stop_button(page)).not_to_be_visible()
