"""The chat in a notebook cell, in JupyterLab."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

from streamchat_nb.testing.fault_proxy import FaultProxy
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    command,
    frames,
    open_lab,
    record_frames,
    say,
    shoot,
    stop_button,
    transcript,
    transcript_elements,
)

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

NOTEBOOK = "chat.ipynb"
FINISHED = "Draft a mail to Ada Lovelace"
RESTART_KERNEL = """async () => {
  const notebook = window.jupyterapp.shell.currentWidget;
  await notebook.sessionContext.session.kernel.restart();
}"""
CHANGE_THEME = """(theme) =>
  window.jupyterapp.commands.execute("apputils:change-theme", {theme})"""


def write_notebook(server: ServerProcess, *cells: str, name: str = NOTEBOOK) -> str:
    """Write a notebook of code cells into the server's folder."""
    content: dict[str, Any] = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            }
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (server.work / name).write_text(json.dumps(content))
    return name


def cell(page: Page, number: int) -> Locator:
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


def chat_in(page: Page, number: int) -> Locator:
    chat = cell(page, number).locator(".streamchat")
    expect(chat).to_be_visible(timeout=60_000)
    return chat


def connected(chat: Locator, words: str = "Live over WebSocket") -> None:
    badge = chat.get_by_role("button", name="Connection:")
    expect(badge).to_contain_text(words, timeout=40_000)


def running_tool(chat: Locator) -> Locator:
    """The card of the tool while it runs."""
    return chat.locator(".streamchat-tool", has_text="Using search_contacts…")


def finished(chat: Locator) -> None:
    expect(chat.get_by_role("button", name=FINISHED).last).to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )


def test_quickstart_runs_and_streams_into_its_cell(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 1100, "height": 860})
    open_lab(page, lab_server, "quickstart.ipynb")
    command(page, "notebook:run-all-cells")
    chat = page.locator(".streamchat").first
    expect(chat).to_be_visible(timeout=60_000)
    # The notebook's own question and its last cell are answered.
    expect(chat.get_by_text("/demo error")).to_be_visible(timeout=60_000)
    expect(chat.get_by_role("button", name="Stop")).not_to_be_visible(
        timeout=ANSWER_TIMEOUT_MS
    )
    outputs = page.locator(".jp-OutputArea-output")
    for said in ("'completed', ['search_contacts']", "'completed', True"):
        expect(outputs.filter(has_text=said)).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    assert page.locator(".jp-OutputArea-output[data-mime-type*='error']").count() == 0


def test_answer_streams_frame_by_frame_in_the_cell(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 960, "height": 880})
    name = write_notebook(
        lab_server, "from streamchat_nb import Chat\n\nChat(height='600px')"
    )
    open_lab(page, lab_server, name)
    command(page, "application:toggle-left-area")
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    record_frames(chat)
    say(chat, "Who is Ada?")
    expect(running_tool(chat)).to_be_visible()
    shoot(page, "tool-running")
    finished(chat)
    shown = [frame["text"] for frame in frames(page)]
    thinking = next(n for n, text in enumerate(shown) if "thinking" in text.lower())
    using = next(n for n, text in enumerate(shown) if "Using search_contacts…" in text)
    used = next(n for n, text in enumerate(shown) if "Used search_contacts" in text)
    assert thinking < using < used < len(shown) - 1
    growing = {text.count(" ") for text in shown[used:]}
    assert len(growing) >= 5, "the answer did not come piece by piece"
    page.mouse.move(0, 0)
    shoot(page, "quickstart-light")
    page.evaluate(CHANGE_THEME, "JupyterLab Dark")
    expect(page.locator("body[data-jp-theme-light='false']")).to_be_attached()
    colour = chat.evaluate("(e) => getComputedStyle(e).backgroundColor")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 90
    page.wait_for_timeout(500)
    shoot(page, "quickstart-dark")
    page.evaluate(CHANGE_THEME, "JupyterLab Light")


def test_chat_goes_on_while_the_kernel_sleeps(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server,
        "from streamchat_nb import Chat\n\nchat = Chat()\nchat",
        "import time\n\ntime.sleep(60)",
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    busy = page.locator(".jp-Notebook-ExecutionIndicator[data-status='busy']")
    expect(busy).to_be_visible()
    say(chat, "Who is Ada?")
    finished(chat)
    expect(busy).to_be_visible()
    command(page, "notebook:interrupt-kernel")


def test_ask_messages_and_second_seat_share_one_conversation(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server,
        "from streamchat_nb import Chat\n\nchat = Chat()\nchat",
        "answer = chat.ask('Who is Ada?')\nprint(answer.status, len(answer.actions))",
        "Chat(conversation=chat.conversation)",
        "print([m.role for m in chat.messages], chat.last_answer['status'])",
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    expect(cell(page, 1).locator(".jp-OutputArea")).to_contain_text(
        "completed 2", timeout=60_000
    )
    first, second = chat_in(page, 0), chat_in(page, 2)
    finished(first)
    finished(second)
    expect(cell(page, 3).locator(".jp-OutputArea")).to_contain_text(
        "['user', 'assistant', 'assistant'] completed", timeout=60_000
    )
    say(second, "What is 6*7?")
    expect(first.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(second.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    for chat in (first, second):
        expect(chat.get_by_role("button", name="Stop")).not_to_be_visible()
    logs = [transcript(chat) for chat in (first, second)]
    assert logs[0] == logs[1]


def test_reload_keeps_the_conversation(quiet: Page, lab_server: ServerProcess) -> None:
    page = quiet
    name = write_notebook(
        lab_server, "from streamchat_nb import Chat\n\nchat = Chat()\nchat"
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    say(chat, "What is 6*7?")
    expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    chat = chat_in(page, 0)
    expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    connected(chat)
    say(chat, "Who is Ada?")
    finished(chat)


def test_kernel_that_restarts_mid_answer_changes_nothing(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server,
        "from streamchat_nb import Chat\n\nchat = Chat()\nchat",
        "Chat(conversation=chat.conversation)",
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    first, second = chat_in(page, 0), chat_in(page, 1)
    for chat in (first, second):
        connected(chat)
        expect(chat.get_by_role("button", name="3 here")).to_be_visible()
    say(first, "/demo long 150")
    say(first, "Who is Ada?")
    expect(stop_button(first)).to_be_visible()
    before = len(transcript(first).split())
    page.evaluate(RESTART_KERNEL)
    expect(stop_button(first)).to_be_visible()
    assert len(transcript(first).split()) > before
    finished(first)
    for chat in (first, second):
        expect(stop_button(chat)).not_to_be_visible()
        connected(chat)
    assert transcript_elements(first) == transcript_elements(second)
    # The kernel's seat went with it; both cells stay.
    expect(first.get_by_role("button", name="2 here")).to_be_visible(timeout=20_000)


def test_blocked_networks_are_served_by_the_next_transport(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server, "from streamchat_nb import Chat\n\nchat = Chat()\nchat"
    )
    with FaultProxy(lab_server.port) as proxy:
        proxy.blocked = {"websocket"}
        open_lab(page, lab_server, name, port=proxy.port)
        command(page, "notebook:run-all-cells")
        chat = chat_in(page, 0)
        connected(chat, "Live over HTTP stream")
        say(chat, "Who is Ada?")
        expect(running_tool(chat)).to_be_visible()
        finished(chat)
        proxy.blocked = {"websocket", "event-stream"}
        proxy.cut()
        connected(chat, "Live over HTTP requests")
        say(chat, "What is 6*7?")
        expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)


def test_saved_notebook_holds_no_secret(
    quiet: Page, context: BrowserContext, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server,
        "from streamchat_nb import Chat\n\nchat = Chat()\nchat",
        "chat.ask('Who is Ada?').status",
        name="secrets.ipynb",
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    finished(chat)
    expect(cell(page, 1)).to_contain_text("'completed'", timeout=ANSWER_TIMEOUT_MS)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    saved = (lab_server.work / name).read_text()
    assert "completed" in saved
    secrets = [lab_server.address.token]
    values = [str(cookie.get("value", "")) for cookie in context.cookies()]
    secrets += [value for value in values if len(value) > 12]
    assert len(secrets) >= 2
    for secret in secrets:
        assert secret not in saved
        assert secret not in lab_server.log.replace(f"token={secret}", "")
