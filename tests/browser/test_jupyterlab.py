"""The chat beside the notebooks: JupyterLab's extension, and Notebook 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    KERNEL_READY,
    command,
    composer,
    open_lab,
    say,
    shoot,
    stop_button,
)
from tests.browser.test_lab import CHANGE_THEME, cell, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

# The extension as it was built in this checkout, wherever else there is one.
EXTENSION = {"JUPYTER_PATH": str(ROOT / "labextension" / "dist")}
CHAT = "from streamchat_nb import Chat\nChat()"
CELLS = ["1 / 0", "x = 3", CHAT]
UNDO = """() => window.jupyterapp.commands.execute("notebook:undo-cell-action")"""
SOURCES = """() => window.jupyterapp.shell.currentWidget.content.model
  .sharedModel.cells.map((cell) => cell.getSource())"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """JupyterLab and Notebook 7 with the extension."""
    arguments = [
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.expose_app_in_browser=True",
        "--StreamchatExtension.offline_pace_s=0.01",
    ]
    with ServerProcess(
        arguments, application="notebook", environment=EXTENSION
    ) as server:
        news = server.home / "config/lab/user-settings/@jupyterlab/apputils-extension"
        news.mkdir(parents=True)
        (news / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        yield server


def panel(page: Page) -> Locator:
    chat = page.locator("#streamchat-panel .streamchat")
    expect(chat).to_be_visible(timeout=60_000)
    return chat


def palette(page: Page, name: str) -> None:
    """Run a command by the command palette, as people do."""
    command(page, "apputils:activate-command-palette")
    page.locator(".lm-CommandPalette-input:visible").fill(name)
    page.locator(".lm-CommandPalette-item", has_text=name).first.click()


def test_chat_beside_the_notebook(quiet: Page, server: ServerProcess) -> None:
    page = quiet
    page.set_viewport_size({"width": 1280, "height": 820})
    open_lab(page, server, write_notebook(server, *CELLS, name="beside.ipynb"))
    chat = ask_about_the_failed_cell(page)
    insert_and_replace(page, chat)
    wear_the_dark_theme(page, chat)

    command(page, "docmanager:save")
    page.goto(page.url.partition("?")[0])
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    page.evaluate(KERNEL_READY)
    command(page, "streamchat:open")
    expect(panel(page).locator("pre").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    write_from_a_widget(page)


def ask_about_the_failed_cell(page: Page) -> Locator:
    """A cell and its error come into the message, which nothing sends."""
    command(page, "notebook:run-cell")
    expect(cell(page, 0)).to_contain_text("ZeroDivisionError", timeout=60_000)
    cell(page, 0).locator(".cm-content").click()
    cell(page, 0).get_by_role("button", name="Chat about this cell").click()
    chat = panel(page)
    field = composer(chat)
    expect(field).to_have_value(re.compile(r"^This cell of `beside\.ipynb`:"))
    written = field.input_value()
    assert "```python\n1 / 0\n```" in written
    assert "ZeroDivisionError: division by zero" in written
    assert "\x1b" not in written
    expect(field).to_be_focused()
    hint = chat.get_by_role("note")
    expect(hint).to_contain_text("Nothing is sent until you send it.")
    shoot(page, "jupyterlab")
    field.fill("")
    return chat


def insert_and_replace(page: Page, chat: Locator) -> None:
    """What was answered becomes a cell; undo takes it back."""
    say(chat, "Show me code")
    expect(chat.locator("pre").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(stop_button(chat)).not_to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    palette(page, "Insert last code as cell")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(4)
    first, code, *others = page.evaluate(SOURCES)
    assert [first, *others] == CELLS
    assert "def bernoulli" in code
    assert "```" not in code
    page.evaluate(UNDO)
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(3)
    assert page.evaluate(SOURCES) == CELLS

    text = cell(page, 1).locator(".cm-content")
    text.click()
    command(page, "streamchat:replace-cell")
    expect(text).not_to_contain_text("x = 3")
    assert page.evaluate(SOURCES) == ["1 / 0", code, CHAT]
    text.click()
    page.keyboard.press("Control+z")
    expect(text).to_contain_text("x = 3")


def wear_the_dark_theme(page: Page, chat: Locator) -> None:
    """The chat has the colours of the panel around it."""
    page.evaluate(CHANGE_THEME, "JupyterLab Dark")
    expect(chat).to_have_attribute("data-tone", "dark")
    around = """(e) => getComputedStyle(e.parentElement).backgroundColor"""
    expect(chat).to_have_css("background-color", chat.evaluate(around))
    page.evaluate(CHANGE_THEME, "JupyterLab Light")


def write_from_a_widget(page: Page) -> None:
    """A chat in a cell inserts below that; it replaces the cell chosen before."""
    text = cell(page, 2).locator(".cm-content")
    text.click()
    command(page, "notebook:run-cell")
    chat = cell(page, 2).locator(".streamchat")
    expect(chat).to_be_visible(timeout=60_000)
    host = """async (method) => {
      const host = globalThis[Symbol.for("streamchat_nb.notebook_host")];
      const from = document.querySelector(".jp-Notebook .streamchat");
      if (!host.hasNotebook(from)) throw new Error("there is no notebook");
      await host[method]("print(6 * 7)", {from, run: true});
    }"""

    cell(page, 0).locator(".cm-content").click()
    composer(chat).click()
    page.evaluate(host, "insertCell")

    expect(cell(page, 3).locator(".jp-OutputArea-output")).to_have_text(
        re.compile("42"), timeout=60_000
    )
    assert page.evaluate(SOURCES) == [*CELLS, "print(6 * 7)"]
    cell(page, 0).locator(".cm-content").click()
    composer(chat).click()
    page.evaluate(host, "replaceCell")
    assert page.evaluate(SOURCES)[0] == "print(6 * 7)"


def test_notebook_7_has_panel_and_commands(page: Page, server: ServerProcess) -> None:
    name = write_notebook(server, "x = 3", name="seven.ipynb")
    address = server.address
    page.goto(f"{address.url}notebooks/{name}?token={address.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    cell(page, 0).locator(".cm-content").click()

    # A server that does not run the extension has no such file.
    missing = "**/streamchat/static/lab.js*"
    page.route(missing, lambda route: route.fulfill(status=404))
    command(page, "streamchat:open")
    notice = page.locator("#streamchat-panel")
    expect(notice).to_contain_text("jupyter server extension enable streamchat_nb")
    page.unroute(missing)
    notice.get_by_role("button", name="Try again").click()
    panel(page)
    cell(page, 0).locator(".cm-content").click()
    command(page, "streamchat:about-cell")

    chat = panel(page)
    expect(composer(chat)).to_have_value(re.compile(r"x = 3\n```\n\n$"))
    composer(chat).fill("What is 6*7?")
    composer(chat).press("Enter")
    expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
