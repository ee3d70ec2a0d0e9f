"""The settings and the check: on the page, and where only the kernel gets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    connection,
    conversation_of,
    open_page,
    say,
    shoot,
)
from tests.browser.test_lab import chat_in, connected, finished, write_notebook
from tests.browser.test_relay import CHAT, THROUGH_KERNEL, open_blocked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# An agent as somebody would write one.
PARROT = """\
async def parrot(turn):
    words = turn.text
    yield f"{words}! {words}!"
"""


def open_settings(scope: Page | Locator) -> Locator:
    """Open the settings, and wait for what can be chosen."""
    scope.get_by_role("button", name="Settings").click()
    settings = scope.get_by_role("dialog", name="Settings")
    expect(settings.get_by_label("Agent")).to_have_value(
        "assistant", timeout=ANSWER_TIMEOUT_MS
    )
    return settings


def found(settings: Locator, name: str) -> Locator:
    """What the check says of one thing."""
    return settings.get_by_role("listitem").filter(has_text=name).first


def check(settings: Locator) -> None:
    settings.get_by_role("button", name="Check connection").click()
    expect(settings.get_by_role("button", name="Copy as text")).to_be_visible(
        timeout=60_000
    )


@pytest.fixture
def two_agents(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with another agent beside its own."""
    (tmp_path / "parrots.py").write_text(PARROT)
    config = tmp_path / "config.py"
    agents = "c.StreamchatExtension.agents = {'parrot': 'parrots:parrot'}"
    config.write_text(f"c = get_config()\n{agents}\n")
    with ServerProcess(
        [f"--config={config}"], environment={"PYTHONPATH": str(tmp_path)}
    ) as server:
        yield server


def test_page_chooses_for_every_seat_and_checks_each_way(
    quiet: Page, two_agents: ServerProcess
) -> None:
    page = quiet
    open_page(page, two_agents)
    say(page, "What is 6*7?")
    expect(page.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    other = page.context.new_page()
    open_page(other, two_agents, fragment=f"#{conversation_of(page)}")
    seen = open_settings(other)
    settings = open_settings(page)
    settings.get_by_label("Agent").select_option("parrot")
    expect(settings.get_by_text("It counts from the next turn")).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    expect(seen.get_by_label("Agent")).to_have_value(
        "parrot", timeout=ANSWER_TIMEOUT_MS
    )
    other.close()
    check(settings)
    for way in ("WebSocket", "Event stream", "Plain requests"):
        expect(found(settings, way)).to_contain_text("Answered after")
    expect(found(settings, "Through the kernel")).to_contain_text("Not tried")
    shoot(page, "check-connection")
    page.keyboard.press("Escape")
    expect(settings).not_to_be_visible()
    expect(page.get_by_role("button", name="Settings")).to_be_focused()
    say(page, "Polly")
    expect(page.get_by_text("Polly! Polly!").first).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    expect(page.get_by_text("Answered by parrot")).to_be_visible()


def test_settings_come_through_the_kernel(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 960, "height": 880})
    page.route("**/streamchat/static/**", lambda route: route.abort())
    name = write_notebook(lab_server, CHAT, name="settings_relay.ipynb")
    open_blocked(page, lab_server, name)
    chat = chat_in(page, 0)
    connected(chat, THROUGH_KERNEL)
    settings = open_settings(chat)
    check(settings)
    expect(found(settings, "WebSocket")).to_contain_text("Does not work")
    expect(found(settings, "Through the kernel")).to_contain_text("Answered after")
    settings.get_by_role("button", name="Close the settings").click()
    expect(connection(chat)).to_contain_text(THROUGH_KERNEL)
    say(chat, "Who is Ada?")
    finished(chat)
