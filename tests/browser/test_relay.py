"""A page without a way to the server: the kernel passes everything on."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.conftest import LAB_ARGUMENTS
from tests.browser.screen import (
    ANSWER_TIMEOUT_MS,
    command,
    connection,
    frames,
    open_lab,
    record_frames,
    say,
    shoot,
)
from tests.browser.test_lab import (
    RESTART_KERNEL,
    chat_in,
    connected,
    finished,
    running_tool,
    write_notebook,
)

CHAT = "from streamchat_nb import Chat\n\nchat = Chat()\nchat"
THROUGH_KERNEL = "Live through the kernel"
# As where a page is of another origin: nothing of ours gets to the server. The lab's
# own sockets and requests, by which the kernel is reached, do.
BLOCKED = """() => {
  window.streamchatBlocked = true;
  window.streamchatTried = [];
  const isOurs = (url) => String(url?.url ?? url).includes("/streamchat/api/");
  const refused = (url) => {
    if (window.streamchatBlocked && isOurs(url)) {
      window.streamchatTried.push(String(url));
      return true;
    }
    return false;
  };
  const fetchAsBefore = window.fetch;
  window.fetch = (url, options) =>
    refused(url)
      ? Promise.reject(new TypeError("Failed to fetch"))
      : fetchAsBefore(url, options);
  window.WebSocket = class extends window.WebSocket {
    constructor(url, protocols) {
      if (refused(url)) throw new DOMException("blocked", "SecurityError");
      super(url, protocols);
    }
  };
}"""


def open_blocked(page: Page, server: ServerProcess, notebook: str) -> None:
    page.add_init_script(f"({BLOCKED})()")
    open_lab(page, server, notebook)
    command(page, "notebook:run-all-cells")


def reload(page: Page) -> None:
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)


def test_kernel_passes_on_what_the_page_cannot_send(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    page.set_viewport_size({"width": 960, "height": 880})
    name = write_notebook(lab_server, CHAT, name="relay.ipynb")
    open_blocked(page, lab_server, name)
    chat = chat_in(page, 0)
    connected(chat, THROUGH_KERNEL)
    record_frames(chat)
    say(chat, "Who is Ada?")
    expect(running_tool(chat)).to_be_visible()
    finished(chat)
    shown = [frame["text"] for frame in frames(page)]
    growing = {text.count(" ") for text in shown}
    assert len(growing) >= 5, "the answer did not come piece by piece"
    connection(chat).click()
    expect(chat.get_by_text("The kernel passes everything on")).to_be_visible()
    shoot(page, "through-the-kernel")
    connection(chat).click()
    expect(chat.get_by_text("Offline demo", exact=True)).to_be_visible()
    tried = page.evaluate("() => window.streamchatTried")
    assert any("/ws" in url for url in tried)
    assert any(url.endswith("/token") for url in tried)
    # A reload is a new page, with the same conversation.
    reload(page)
    chat = chat_in(page, 0)
    connected(chat, THROUGH_KERNEL)
    say(chat, "What is 6*7?")
    expect(chat.get_by_text("42").last).to_be_visible(timeout=ANSWER_TIMEOUT_MS)
    # Where the way is free again, it is taken by itself: when the network changes,
    # and every minute.
    page.evaluate("() => { window.streamchatBlocked = false; }")
    page.evaluate("() => window.dispatchEvent(new Event('online'))")
    connected(chat)
    say(chat, "Who is Ada?")
    finished(chat)


def test_answers_come_through_a_busy_kernel(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    busy = "import time\n\ntime.sleep(20)"
    name = write_notebook(lab_server, CHAT, busy, name="busy_relay.ipynb")
    page.add_init_script(f"({BLOCKED})()")
    open_lab(page, lab_server, name)
    command(page, "notebook:run-cell-and-select-next")
    chat = chat_in(page, 0)
    connected(chat, THROUGH_KERNEL)
    say(chat, "/demo long 60")
    expect(chat.get_by_role("button", name="Stop")).to_be_visible()
    command(page, "notebook:run-cell-and-select-next")
    busy_kernel = page.locator(".jp-Notebook-ExecutionIndicator[data-status='busy']")
    expect(busy_kernel).to_be_visible()
    expect(chat.get_by_role("button", name="Stop")).not_to_be_visible(timeout=15_000)
    expect(busy_kernel).to_be_visible()
    command(page, "notebook:interrupt-kernel")


def test_restarted_kernel_is_waited_for_and_found_by_the_next_run(
    quiet: Page, lab_server: ServerProcess
) -> None:
    page = quiet
    name = write_notebook(lab_server, CHAT, name="restart_relay.ipynb")
    open_blocked(page, lab_server, name)
    connected(chat_in(page, 0), THROUGH_KERNEL)
    page.evaluate(RESTART_KERNEL)
    expect(connection(chat_in(page, 0))).not_to_contain_text(
        THROUGH_KERNEL, timeout=60_000
    )
    command(page, "notebook:run-all-cells")
    connected(chat_in(page, 0), THROUGH_KERNEL)


def test_local_chat_needs_no_server_extension(quiet: Page) -> None:
    page = quiet
    off = "--ServerApp.jpserver_extensions={'streamchat_nb': False}"
    arguments = [*LAB_ARGUMENTS, off]
    with ServerProcess(
        arguments, application="jupyterlab", with_extension=False
    ) as server:
        name = write_notebook(
            server,
            "from streamchat_nb import Chat\n\nchat = Chat(local=True)\nchat",
            "print(chat.ask('What is 6*7?').text)",
        )
        open_lab(page, server, name)
        command(page, "notebook:run-all-cells")
        chat = chat_in(page, 0)
        connected(chat, THROUGH_KERNEL)
        expect(chat.get_by_text("42").last).to_be_visible(timeout=60_000)
        say(chat, "Who is Ada?")
        finished(chat)
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        saved = (server.work / name).read_text()
        assert "42" in saved
        assert not re.search(r"token=|eyJ", saved)
        assert Path(server.home / "data/streamchat_nb/conversations.sqlite3").exists()
