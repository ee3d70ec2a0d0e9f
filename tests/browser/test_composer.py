"""Writing and steering by keys alone: commands, earlier messages, drafts, the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    composer,
    conversation_of,
    open_page,
    questions_of,
    shoot,
    state_of,
    stop_button,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

# Whether what is at the middle of an element is that element: nothing cuts or hides it.
IS_SEEN = """(element) => {
  const {left, top, width, height} = element.getBoundingClientRect();
  const seen = document.elementFromPoint(left + width / 2, top + height / 2);
  return element.contains(seen);
}"""
QUESTION = "Who is Ada?"
LONG_QUESTION = "/demo long 3000"
DRAFT = "Half a thought"


def type_and_send(page: Page, text: str) -> None:
    page.keyboard.type(text)
    expect(composer(page)).to_have_value(text)
    page.keyboard.press("Enter")
    expect(composer(page)).to_have_value("")


def tab_to(page: Page, button: Locator) -> None:
    """Go on by Tab until a button has the focus."""
    for _ in range(40):
        if button.evaluate("(button) => button === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab never comes to it")


def test_a_conversation_is_had_by_keys_alone(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 900, "height": 640})
    open_page(page, page_server)
    expect(composer(page)).to_be_focused()
    look_up_keys(page)
    type_and_send(page, QUESTION)
    take_suggestion_while_answered(page)
    go_back_and_forth(page)
    questions = questions_of(state_of(page_server, conversation_of(page)))
    assert questions[:2] == [QUESTION, LONG_QUESTION]


def look_up_keys(page: Page) -> None:
    """The list of keys: by a command, by keys, and closed by a key."""
    shortcuts = page.get_by_role("dialog", name="Keys and commands")
    page.keyboard.type("/hel")
    expect(page.get_by_role("option")).to_contain_text(["/help"])
    page.keyboard.press("Enter")
    expect(shortcuts).to_contain_text("an earlier message")
    shoot(page, "shortcuts")
    page.keyboard.press("Escape")
    expect(shortcuts).not_to_be_visible()
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Control+/")
    expect(shortcuts).to_be_visible()
    page.keyboard.press("Escape")
    expect(composer(page)).to_have_value("")


def take_suggestion_while_answered(page: Page) -> None:
    """A suggestion of the first answer waits while the second one is written."""
    suggestion = page.get_by_role("button", name="Draft a mail").first
    expect(suggestion).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(stop_button(page)).not_to_be_visible()
    type_and_send(page, LONG_QUESTION)
    expect(stop_button(page)).to_be_visible()
    answers = page.get_by_role("article", name="Assistant")
    expect(answers).to_have_count(2)
    for _ in range(3):
        page.keyboard.press("Alt+ArrowUp")
    expect(answers.first).to_be_focused()
    tab_to(page, suggestion)
    page.keyboard.press("Enter")
    queue = page.get_by_role("region", name="Waiting messages")
    expect(queue.get_by_role("listitem")).to_have_count(1)
    tab_to(page, queue.get_by_role("button", name="Remove"))
    page.keyboard.press("Enter")
    expect(queue).not_to_be_visible()
    expect(composer(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(stop_button(page)).not_to_be_visible()


def go_back_and_forth(page: Page) -> None:
    """Earlier messages, undone again, and what was begun, also after a reload."""
    field = composer(page)
    page.keyboard.type(DRAFT)
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    expect(field).to_have_value(QUESTION)
    for _ in range(3):
        page.keyboard.press("Control+z")
    expect(field).to_have_value(DRAFT)
    page.reload()
    expect(field).to_have_value(DRAFT, timeout=ANSWER_TIMEOUT_MS)
    expect(field).to_be_focused()


def test_what_is_offered_is_seen_in_the_lowest_window(
    quiet: Page, page_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 420, "height": 260})
    open_page(page, page_server)
    page.keyboard.type("/")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("/new")
    assert options.first.evaluate(IS_SEEN)
    page.keyboard.press("ArrowUp")
    last = options.last
    expect(last).to_have_attribute("aria-selected", "true")
    expect(last).to_be_in_viewport(ratio=0.9)
    assert last.evaluate(IS_SEEN)
