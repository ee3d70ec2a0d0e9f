"""The kernel in the conversation, in JupyterLab and in Notebook 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    ask_server,
    open_lab,
    open_page,
    restart_kernel,
    say,
    shoot,
    stop_button,
)
from tests.browser.test_lab import cell, chat_in, connected, write_notebook

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

APPLICATIONS = ["lab", "notebook"]
DATA = """
import time

import pandas as pd
from streamchat_nb import Chat

cities = pd.DataFrame({"city": ["Bern", "Oslo", "Lima"], "sold": [116, 30, 56]})
chat = Chat()


@chat.tool(thread=True)
def sold_by_city(least: int) -> pd.DataFrame:
    \"\"\"Say what was sold in each city.

    Args:
        least: Leave out cities with less.
    \"\"\"
    return cities[cities["sold"] >= least]


@chat.tool(thread=True)
def dawdle() -> str:
    \"\"\"Take a minute.\"\"\"
    time.sleep(60)
    return "done"


chat
"""
SLEEP = "print('asleep')\ntime.sleep(90)\nprint('awake')"
PROMPT_BUSY = "[*]:"


def open_notebook(
    page: Page, server: ServerProcess, application: str, name: str
) -> None:
    if application == "lab":
        open_lab(page, server, name)
        return
    address = server.address
    page.goto(f"{address.url}notebooks/{name}?token={address.token}")
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle).to_be_visible(timeout=60_000)


def run_cell(page: Page, number: int) -> None:
    cell(page, number).locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")


@pytest.mark.parametrize("application", APPLICATIONS)
def test_kernel_joins_the_conversation(
    page: Page, context: BrowserContext, lab_server: ServerProcess, application: str
) -> None:
    page.set_viewport_size({"width": 1100, "height": 860})
    name = write_notebook(lab_server, DATA, SLEEP, name=f"joins-{application}.ipynb")
    open_notebook(page, lab_server, application, name)
    run_cell(page, 0)
    chat = chat_in(page, 0)
    connected(chat)
    approve_code_from_a_second_tab(chat, context.new_page(), lab_server, application)
    run_cell(page, 1)
    ask_about_live_data_while_the_kernel_sleeps(page, chat)
    shoot(page, f"asleep-{application}")
    restart_the_kernel_in_a_tool(chat, lab_server, name)


def approve_code_from_a_second_tab(
    chat: Locator, other: Page, server: ServerProcess, application: str
) -> None:
    say(chat, 'call run_python {"code": "print(chat.conversation)"}')
    asked = chat.get_by_role("button", name="Allow", exact=True)
    expect(asked).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    conversation = ask_server(server, "conversations")["conversations"][0]["id"]
    open_page(other, server, fragment=f"#{conversation}")
    allow = other.get_by_role("button", name="Allow", exact=True)
    expect(allow).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(other.get_by_text("print(chat.conversation)").last).to_be_visible()
    shoot(other, f"approve-{application}")
    allow.click()
    for seat in (chat, other.locator(".streamchat").first):
        expect(seat.get_by_text("run_python says").last).to_be_visible(
            timeout=ANSWER_TIMEOUT_MS
        )
        expect(seat.get_by_text(conversation).last).to_be_visible()
        expect(seat.get_by_role("button", name="Allow", exact=True)).to_have_count(0)
    other.close()


def ask_about_live_data_while_the_kernel_sleeps(page: Page, chat: Locator) -> None:
    expect(cell(page, 1).locator(".jp-OutputArea")).to_contain_text("asleep")
    say(chat, 'call sold_by_city {"least": 50}')
    table = chat.get_by_role("table").first
    expect(table).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(table).to_contain_text("Bern")
    expect(table).to_contain_text("56")
    expect(table).not_to_contain_text("Oslo")
    expect(stop_button(chat)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(cell(page, 1).locator(".jp-InputPrompt")).to_contain_text(PROMPT_BUSY)
    expect(cell(page, 1).locator(".jp-OutputArea")).not_to_contain_text("awake")


def restart_the_kernel_in_a_tool(
    chat: Locator, server: ServerProcess, name: str
) -> None:
    say(chat, "call dawdle {}")
    card = chat.locator(".streamchat-tool", has_text="dawdle")
    expect(card).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    restart_kernel(server, name)
    failed = chat.get_by_text("dawdle failed").last
    expect(failed).to_be_visible(timeout=20_000)
    expect(stop_button(chat)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    say(chat, "What is 6*7?")
    expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
