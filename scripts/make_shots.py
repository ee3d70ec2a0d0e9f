"""Takes the pictures of the docs: every state of the chat, and one recording.

Usage: ``python -m scripts.make_shots [NAME …]``; without names, all of them. They go to
``docs/images/states/`` and ``docs/images/answer.webp``, and
``docs/reference/screens.md`` shows them.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from scripts.shot_images import Recording, save_picture
from scripts.shot_scenes import PATIENCE_MS, STATES, State
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT, launch_arguments
from tests.browser.screen import open_lab

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Browser, Page

IMAGES = ROOT / "docs" / "images"
PICTURES = IMAGES / "states"
SCREENS = ROOT / "docs" / "reference" / "screens.md"
ARGUMENTS = [
    "--StreamchatExtension.agent=scripts.shot_agent:guide",
    "--StreamchatExtension.tools=scripts.shot_agent:send_report",
]
SHARPNESS = 1.5
RECORDING = "answer.webp"
RECORDED = "How were sales in the second quarter?"
SETTLE_MS = 1_500
"""Until the last frames of a recording have come."""
RECORDING_SIZE = (800, 620)
RECORDING_WIDTH = 800
HEAD = """\
# What the chat looks like

Every state, as `make shots` finds it: a real server, a real browser, an agent that
answers by fixed scenes.
"""


def main() -> None:
    """Take the pictures that are named, or all, and write the page that shows them."""
    wanted = set(sys.argv[1:])
    states = [state for state in STATES if not wanted or state.name in wanted]
    PICTURES.mkdir(parents=True, exist_ok=True)
    environment = {"PYTHONPATH": str(ROOT)}
    with (
        ServerProcess(ARGUMENTS, environment=environment) as server,
        _lab() as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(**launch_arguments())
        for state in states:
            picture = _picture(browser, lab if state.demo else server, state)
            size = save_picture(picture, PICTURES / f"{state.name}.png")
            print(f"{state.name}: {size // 1000} kB")
        if not wanted or RECORDING in wanted:
            print(f"{RECORDING}: {_record(browser, server) // 1000} kB")
        browser.close()
    SCREENS.write_text(screens(), encoding="utf-8")


@contextlib.contextmanager
def _lab() -> Generator[ServerProcess]:
    """JupyterLab with the extension of this checkout, and the offline demo."""
    with ServerProcess(
        [
            "--LabApp.expose_app_in_browser=True",
            "--StreamchatExtension.offline_pace_s=0.005",
        ],
        application="jupyterlab",
        environment={
            "JUPYTER_PATH": str(ROOT / "labextension" / "dist"),
            "STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.4",
        },
    ) as server:
        # JupyterLab's question about its news would lie over the notebook.
        news = server.home / "config/lab/user-settings/@jupyterlab/apputils-extension"
        news.mkdir(parents=True)
        settings = news / "notification.jupyterlab-settings"
        settings.write_text('{"fetchNews": "false"}')
        yield server


def _picture(browser: Browser, server: ServerProcess, state: State) -> bytes:
    width, height = state.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=SHARPNESS,
        color_scheme="dark" if state.dark else "light",
        locale="en",
    )
    try:
        page = context.new_page()
        if state.right_to_left:
            page.add_init_script(
                "addEventListener('DOMContentLoaded',"
                " () => { document.documentElement.dir = 'rtl'; })"
            )
        if state.cells:
            open_lab(page, server, _notebook(server, state))
        else:
            _open(page, server)
            _show_list(page, wanted=state.list)
        state.arrange(page)
        page.mouse.move(0, 0)
        page.evaluate("() => document.fonts.ready")
        picture = page.screenshot(animations="disabled", caret="hide")
        _stop(page)
        return picture
    finally:
        context.close()


def _open(page: Page, server: ServerProcess) -> None:
    address = server.address
    page.goto(f"{address.url}streamchat/?token={address.token}")
    expect(page.locator(".streamchat-field")).to_be_visible(timeout=PATIENCE_MS)
    ready = page.get_by_role("button", name="Connection:")
    expect(ready).to_contain_text("Ready", timeout=PATIENCE_MS)


def _notebook(server: ServerProcess, state: State) -> str:
    """Write a state's notebook; return its name."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(state.cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "cells": cells}
    notebook |= {"metadata": {"kernelspec": kernel}}
    name = f"{state.name}.ipynb"
    (server.work / name).write_text(json.dumps(notebook), encoding="utf-8")
    return name


def _stop(page: Page) -> None:
    """End what the scene left open: a server runs only so many turns at once."""
    stop = page.get_by_role("button", name="Stop")
    if stop.is_visible():
        stop.click()
        expect(stop).to_be_hidden(timeout=PATIENCE_MS)


def _show_list(page: Page, *, wanted: bool) -> None:
    conversations = page.locator(".streamchat-conversations")
    if conversations.is_visible() != wanted:
        page.get_by_role("button", name="Conversations", exact=True).click()
        expect(conversations).to_be_visible(visible=wanted, timeout=PATIENCE_MS)
        page.locator(".streamchat-field").focus()


def _record(browser: Browser, server: ServerProcess) -> int:
    width, height = RECORDING_SIZE
    context = browser.new_context(viewport={"width": width, "height": height})
    try:
        page = context.new_page()
        _open(page, server)
        _show_list(page, wanted=False)
        with Recording(page, width=RECORDING_WIDTH) as recording:
            page.locator(".streamchat-field").press_sequentially(RECORDED, delay=35)
            page.keyboard.press("Enter")
            finished = page.locator('.streamchat-answer[data-state="completed"]')
            expect(finished).to_have_count(1, timeout=PATIENCE_MS)
            page.wait_for_timeout(SETTLE_MS)
        return recording.save(IMAGES / RECORDING)
    finally:
        context.close()


def screens() -> str:
    """Return the page that shows every state."""
    parts = [HEAD, f"![An answer with tools, as it comes](../images/{RECORDING})\n"]
    parts += [
        f"## {state.title}\n\n{state.text}\n\n"
        f"![{state.title}](../images/states/{state.name}.png)\n"
        for state in STATES
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
