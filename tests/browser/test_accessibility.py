"""What readers with a screen reader, a keyboard, or eyes of their own need."""

from __future__ import annotations

import os
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

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = [
    "--StreamchatExtension.agent=shot_agent:guide",
    "--StreamchatExtension.tools=shot_agent:send_report",
]
LIGHT: dict[str, Any] = {"color_scheme": "light"}
THEMES = [LIGHT, {"color_scheme": "dark"}]
LOOKS = [
    *THEMES,
    {"color_scheme": "light", "contrast": "more"},
    {"color_scheme": "dark", "contrast": "more"},
    {"color_scheme": "light", "forced_colors": "active"},
]
FIND_VIOLATIONS = """async (options) => {
  const {violations} = await axe.run(document,
    {...options, resultTypes: ["violations"]});
  return violations.flatMap(({id, nodes}) => nodes.map(
    ({target, failureSummary}) => `${id}: ${target} ${failureSummary}`));
}"""
EVERY_RULE = {"rules": {"target-size": {"enabled": True}}}
CONTRAST = {"runOnly": ["color-contrast"]}
IS_IN_TONE = "(tone) => document.querySelector('.streamchat').dataset.tone === tone"
NOTE_WORDS = """() => {
  window.spoken = [];
  const region = document.querySelector(".streamchat-announcer");
  new MutationObserver((changes) => {
    for (const {addedNodes} of changes)
      for (const node of addedNodes) window.spoken.push(node.textContent);
  }).observe(region, {childList: true, subtree: true, characterData: true});
}"""
MOVING = """() => [...document.querySelectorAll(".streamchat, .streamchat *")]
  .filter((one) => getComputedStyle(one).animationName !== "none")
  .map((one) => one.className)"""
CUT_OFF = """() => {
  const {innerWidth} = window;
  return [...document.querySelectorAll(".streamchat :is(button, textarea, p)")]
    .filter((one) => one.checkVisibility() && !one.closest("pre, table"))
    .filter((one) => {
      const {left, right} = one.getBoundingClientRect();
      return left < -1 || right > innerWidth + 1;
    })
    .map((one) => one.outerHTML.slice(0, 120));
}"""


@pytest.fixture(scope="module")
def scenes() -> Iterator[ServerProcess]:
    """A server whose agent answers by fixed scenes."""
    paths = os.pathsep.join([str(ROOT / "scripts"), str(ROOT)])
    with ServerProcess(ARGUMENTS, environment={"PYTHONPATH": paths}) as server:
        yield server


def open_chat(page: Page, server: ServerProcess) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in frontend/")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    open_page(page, server)
    page.evaluate(AXE.read_text(encoding="utf-8"))


def assert_accessible(
    page: Page, state: str, looks: list[dict[str, Any]] = THEMES
) -> None:
    """Hold what is shown to all rules, and its colours in every look."""
    for look in looks:
        show_look(page, look)
        rules = EVERY_RULE if look is LIGHT else CONTRAST
        assert page.evaluate(FIND_VIOLATIONS, rules) == [], f"{state} in {look}"
    show_look(page, LIGHT)


def show_look(page: Page, look: dict[str, Any]) -> None:
    """Show the chat as a reader with these settings sees it."""
    media: Any = {"contrast": "no-preference", "forced_colors": "none", **look}
    page.emulate_media(**media)
    page.wait_for_function(IS_IN_TONE, arg=look["color_scheme"])


def ask(page: Page, text: str, shows: str) -> None:
    """Say something and wait for what it shows."""
    say(page, text)
    expect(page.locator(shows).last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def end(page: Page) -> None:
    stop_button(page).click()
    expect(stop_button(page)).to_be_hidden(timeout=ANSWER_TIMEOUT_MS)


def test_no_state_breaks_a_rule_of_accessibility_in_any_look(
    quiet: Page, scenes: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 760, "height": 700})
    open_chat(page, scenes)
    check_writing(page)
    check_answering(page)
    check_answered(page)


def check_writing(page: Page) -> None:
    field = page.locator(".streamchat-field")
    assert_accessible(page, "empty")

    field.fill("/")
    expect(page.get_by_role("option").first).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    assert_accessible(page, "commands")
    field.fill("")

    page.locator("input[type=file]").first.set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    chip = page.locator('.streamchat-tray .streamchat-chip[data-state="ready"]')
    expect(chip).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    assert_accessible(page, "attachment")
    page.get_by_role("button", name="Remove").first.click()
    expect(chip).to_be_hidden(timeout=ANSWER_TIMEOUT_MS)


def check_answering(page: Page) -> None:
    ask(page, "How do I smooth a series?", ".streamchat-code")
    say(page, "Then make a table by month.")
    expect(page.locator(".streamchat-queued")).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    assert_accessible(page, "streaming and queue")
    end(page)

    tools = "Compare orders and returns of the second quarter."
    ask(page, tools, "text=page 3 of 5")
    page.locator(".streamchat-tool summary").first.click()
    assert_accessible(page, "tools")
    assert page.evaluate(MOVING) in ([], ["streamchat-spinner"])
    end(page)

    ask(page, "Send the report to the team.", ".streamchat-approval")
    assert_accessible(page, "approval", LOOKS)
    page.get_by_role("button", name="Deny").click()
    expect(stop_button(page)).to_be_hidden(timeout=ANSWER_TIMEOUT_MS)


def check_answered(page: Page) -> None:
    ask(page, "Read the four files.", '.streamchat-notice[data-tone="error"]')
    assert_accessible(page, "error")

    ask(page, "How did sales do by region?", 'button:text("By month")')
    assert_accessible(page, "table and actions", LOOKS)
    page.get_by_role("button", name="Timing").last.click()
    expect(page.locator(".streamchat-timing table").last).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    assert_accessible(page, "where the time went")

    page.get_by_role("button", name="Settings", exact=True).click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    assert_accessible(page, "settings")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Conversations", exact=True).click()
    expect(page.locator(".streamchat-conversations")).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    assert_accessible(page, "conversations")
    page.keyboard.press("Escape")
    expect(page.locator(".streamchat-conversations")).to_be_hidden(
        timeout=ANSWER_TIMEOUT_MS
    )

    ask(page, "Why did sales grow?", ".streamchat-thought")
    page.locator(".streamchat-thought summary").last.click()
    assert_accessible(page, "thinking")
    end(page)


def test_an_answer_is_read_out_in_sentences_and_focus_is_never_lost(
    quiet: Page, scenes: ServerProcess
) -> None:
    page = quiet
    open_chat(page, scenes)
    field = page.locator(".streamchat-field")
    page.evaluate(NOTE_WORDS)
    ask(page, "How were sales in the second quarter?", 'button:text("By month")')
    expect(field).to_be_focused(timeout=ANSWER_TIMEOUT_MS)
    page.wait_for_function("() => window.spoken.at(-1) === 'Answer complete.'")
    spoken: list[str] = page.evaluate("() => window.spoken")
    assert spoken[0] == "Message sent."
    assert "Sales grew in three of four regions." in " ".join(spoken)
    assert len(spoken) == len(set(spoken)), "something is said twice"
    assert [one for one in spoken if " " not in one] in ([], ["Writing…"])
    assert len(spoken) < 24, "tokens are read out"

    ask(page, "Send the report to the team.", ".streamchat-approval")
    page.get_by_role("button", name="Deny").press("Enter")
    expect(stop_button(page)).to_be_hidden(timeout=ANSWER_TIMEOUT_MS)
    assert has_focus(page), "focus is lost when a call was denied"

    ask(page, "How do I smooth a series?", ".streamchat-code")
    say(page, "Then make a table by month.")
    page.get_by_role("button", name="Remove").press("Enter")
    expect(page.locator(".streamchat-queued")).to_have_count(
        0, timeout=ANSWER_TIMEOUT_MS
    )
    assert has_focus(page), "focus is lost when a waiting message was removed"
    stop_button(page).press("Enter")
    expect(stop_button(page)).to_be_hidden(timeout=ANSWER_TIMEOUT_MS)
    expect(field).to_be_focused(timeout=ANSWER_TIMEOUT_MS)
    settings = page.get_by_role("button", name="Settings", exact=True)
    settings.press("Enter")
    inside = page.get_by_role("dialog", name="Settings").locator(":focus")
    expect(inside).to_have_count(1, timeout=ANSWER_TIMEOUT_MS)
    page.keyboard.press("Escape")
    expect(settings).to_be_focused(timeout=ANSWER_TIMEOUT_MS)

    assert_fits_narrow_and_turned(page)


def assert_fits_narrow_and_turned(page: Page) -> None:
    """Hold it to 320 px, which is also 1280 px at 400 %, and to the other direction."""
    page.set_viewport_size({"width": 320, "height": 640})
    for direction in ("ltr", "rtl"):
        page.evaluate(f"() => {{ document.documentElement.dir = '{direction}'; }}")
        assert page.evaluate(CUT_OFF) == [], direction
        shoot(page, f"narrow-{direction}")
    left = page.locator(".streamchat-send").bounding_box()
    assert left is not None
    assert left["x"] < 160, "the button is not where lines end"
    code = page.locator(".streamchat-code pre").last
    assert code.evaluate("(one) => getComputedStyle(one).direction") == "ltr"


def has_focus(page: Page) -> bool:
    return page.evaluate(
        "() => document.querySelector('.streamchat').contains(document.activeElement)"
    )
