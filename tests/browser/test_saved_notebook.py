"""A notebook that was saved with a chat, opened where its kernel is not."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, cast

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    ask_server,
    command,
    composer,
    open_lab,
    say,
    shoot,
    stop_button,
)
from tests.browser.test_lab import cell, chat_in, connected, write_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.testing.server_process import ServerProcess

CODE = "from streamchat_nb import Chat\n\nchat = Chat()\nchat"
QUESTIONS = {"Who is Ada?": "Found 1 contact", "What is 6*7?": "6*7 = 42"}
# Notes whatever is taken out of the chat's transcript, and the chat itself.
REMOVALS = """(output) => {
  window.streamchatRemoved = [];
  new MutationObserver((records) => {
    for (const record of records) {
      for (const node of record.removedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE || node.hidden) continue;
        const within = record.target.closest(".streamchat-scroller") !== null;
        const isChat = node.matches(".streamchat") || node.querySelector(".streamchat");
        if (within || isChat) {
          window.streamchatRemoved.push(node.outerHTML.slice(0, 200));
        }
      }
    }
  }).observe(output, {childList: true, subtree: true});
}"""
END_SESSIONS = "() => window.jupyterapp.serviceManager.sessions.shutdownAll()"
RUNNING_KERNELS = """async () => {
  const { kernels } = window.jupyterapp.serviceManager;
  await kernels.refreshRunning();
  return [...kernels.running()].length;
}"""
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
OPEN_WITHOUT_KERNEL = """async (path) => {
  const app = window.jupyterapp;
  await app.restored;
  const kernelPreference = {shouldStart: false, autoStartDefault: false};
  await app.commands.execute("docmanager:open", {path, kernelPreference});
}"""


def outputs(page: Page, number: int) -> Locator:
    return cell(page, number).locator(".jp-Cell-outputArea")


def saved(page: Page, number: int) -> Locator:
    return outputs(page, number).locator(".streamchat-saved")


def make_saved_notebook(page: Page, server: ServerProcess, name: str) -> None:
    """Chat two turns in a notebook, save it, and end its kernel."""
    write_notebook(server, CODE, name=name)
    open_lab(page, server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    for question, answer in QUESTIONS.items():
        say(chat, question)
        expect(chat.get_by_text(answer).last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
        # What is saved follows; it is not shown beside the live chat.
        expect(saved(page, 0)).to_contain_text(answer, timeout=20_000)
        expect(saved(page, 0)).not_to_be_visible()
    page.evaluate(SAVE)
    page.evaluate(END_SESSIONS)


def expect_readable(page: Page, *, trusted: bool = True) -> None:
    """The transcript is all that the first cell shows."""
    area = outputs(page, 0)
    if trusted:  # what the front end says of the widget is there, and not seen
        words = area.get_by_text(re.compile("(Error displaying|Loading) widget"))
        expect(words).to_be_attached(timeout=60_000)
        expect(words).not_to_be_visible()
    for question, answer in QUESTIONS.items():
        expect(area.get_by_text(question).last).to_be_visible(timeout=60_000)
        expect(area.get_by_text(answer).last).to_be_visible()


def open_without_kernel(page: Page, server: ServerProcess, name: str) -> None:
    page.goto(f"{server.address.url}lab?reset&token={server.address.token}")
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    page.evaluate(OPEN_WITHOUT_KERNEL, name)


def distrust(path: Path) -> None:
    """Change a notebook, so that its signature does not hold any more."""
    content = json.loads(path.read_text())
    content["metadata"]["changed"] = True
    path.write_text(json.dumps(content))


def test_saved_notebook_reads_well_without_a_kernel_and_lives_again_when_run(
    page: Page, lab_server: ServerProcess
) -> None:
    name = "saved.ipynb"
    page.set_viewport_size({"width": 1100, "height": 860})
    make_saved_notebook(page, lab_server, name)
    # Trusted, without a kernel and with a new one.
    open_without_kernel(page, lab_server, name)
    expect_readable(page)
    assert page.evaluate(RUNNING_KERNELS) == 0
    command(page, "application:toggle-left-area")
    expect(page.get_by_text("No Kernel |")).to_be_visible()
    expect_readable(page)
    shoot(page, "saved-notebook")
    open_lab(page, lab_server, name)
    expect_readable(page)
    # Not trusted.
    distrust(lab_server.work / name)
    open_without_kernel(page, lab_server, name)
    expect_readable(page, trusted=False)
    assert outputs(page, 0).locator("style, script").count() == 0
    # Live again.
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    say(chat, "What is 6*8?")
    expect(chat.get_by_text("48").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(saved(page, 0)).to_contain_text("48", timeout=20_000)
    expect(saved(page, 0)).not_to_be_visible()
    page.evaluate(END_SESSIONS)


def run_chat(page: Page, number: int) -> Locator:
    """Run a cell; again where the page did not have its kernel yet, and ran nothing."""
    chat = cell(page, number).locator(".streamchat")
    for _ in range(4):
        cell(page, number).locator(".jp-InputArea-editor").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(chat).to_be_visible(timeout=20_000)
            break
    return chat_in(page, number)


def test_saved_notebook_reads_well_in_notebook_7(
    page: Page, lab_server: ServerProcess
) -> None:
    name = "saved-7.ipynb"
    make_saved_notebook(page, lab_server, name)
    url = lab_server.address.url
    page.goto(f"{url}notebooks/{name}?token={lab_server.address.token}")
    expect_readable(page)
    idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle).to_be_visible(timeout=60_000)
    chat = run_chat(page, 0)
    connected(chat)
    say(chat, "What is 6*8?")
    expect(chat.get_by_text("48").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    expect(saved(page, 0)).to_contain_text("48", timeout=20_000)
    expect(saved(page, 0)).not_to_be_visible()


def test_converted_page_reads_well_on_screen_and_on_paper(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page, name = quiet, "converted.ipynb"
    make_saved_notebook(page, lab_server, name)
    path = lab_server.work / name
    notebook = cast("Any", nbformat).reads(path.read_text(), as_version=4)
    exported, _ = HTMLExporter().from_notebook_node(notebook)
    page.route("**/*", lambda route: route.abort())
    page.set_content(exported, wait_until="domcontentloaded")
    for medium in ("screen", "print"):
        page.emulate_media(media=medium)
        for text in (*QUESTIONS, *QUESTIONS.values()):
            expect(page.get_by_text(text).last).to_be_visible()
    assert len(page.pdf()) > 10_000


def test_transcript_stays_current_after_a_reload_of_the_page(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(lab_server, CODE, "chat", name="reloaded.ipynb")
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 1)
    connected(chat)
    say(chat, "What is 6*7?")
    expect(saved(page, 0)).to_contain_text("6*7 = 42", timeout=30_000)
    page.evaluate(SAVE)
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
    connected(chat_in(page, 0))
    say(chat_in(page, 0), "What is 6*8?")
    for shown in (0, 1):
        expect(saved(page, shown)).to_contain_text("6*8 = 48", timeout=30_000)
        expect(saved(page, shown)).not_to_be_visible()
    page.evaluate(SAVE)
    stored = (lab_server.work / name).read_text()
    assert stored.count("<strong>48</strong>") == 2
    page.evaluate(END_SESSIONS)


def test_saving_the_transcript_leaves_the_live_chat_in_peace(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(
        lab_server, CODE, "chat", "print(chat.conversation)", name="peace.ipynb"
    )
    open_lab(page, lab_server, name)
    command(page, "notebook:run-all-cells")
    chat = chat_in(page, 0)
    connected(chat)
    conversation = outputs(page, 2).inner_text().strip()
    say(chat, "/demo long 400")
    expect(stop_button(chat)).to_be_visible()
    expect(stop_button(chat)).not_to_be_visible(timeout=60_000)
    expect(saved(page, 0)).to_contain_text("/demo long 400", timeout=20_000)
    outputs(page, 0).evaluate(REMOVALS)
    # Reading above, and writing, while somebody else asks.
    scroller = chat.get_by_role("log")
    scroller.evaluate("(e) => { e.scrollTop = 40; }")
    composer(chat).fill("Half a sent")
    composer(chat).press("End")
    for number in range(3):
        path = f"conversations/{conversation}/messages"
        ask_server(lab_server, path, {"text": f"What is 6*{number}?"})
        for shown in (0, 1):  # each cell that shows it
            text = f"6*{number} = {6 * number}"
            expect(saved(page, shown)).to_contain_text(text, timeout=30_000)
        page.keyboard.type("e")
    assert page.evaluate("() => window.streamchatRemoved") == []
    assert scroller.evaluate("(e) => e.scrollTop") == 40
    expect(composer(chat)).to_have_value("Half a senteee")
    expect(composer(chat)).to_be_focused()
    assert saved(page, 2).count() == 0
