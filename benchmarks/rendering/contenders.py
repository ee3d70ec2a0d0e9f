"""What is measured: each streams a text into its page in a way of its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from typing_extensions import override

from benchmarks.rendering.pace import RATE_HZ
from benchmarks.rendering.texts import TEXTS
from benchmarks.rendering.trace import tracing
from streamchat_nb import __version__
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.chromium import ROOT
from tests.browser.screen import (
    conversation_of,
    open_page,
    say,
    state_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page, ViewportSize

    from benchmarks.rendering.texts import BenchText
    from benchmarks.rendering.trace import MainThread

__all__ = [
    "AGENT",
    "ENDED",
    "PATIENCE_MS",
    "QUIET_LAB",
    "SETTLE_S",
    "VIEWPORT",
    "Bare",
    "Contender",
    "Product",
    "Skipped",
    "Streamed",
    "write_texts",
]

AGENT = "--StreamchatExtension.agent=benchmarks.rendering.pace:streamed"
PATIENCE_MS = 60_000
ENDED = """(selector) =>
  [...document.querySelectorAll(selector)].at(-1)?.textContent.trim() === "The end."
"""
"""Whether the last of what matches a selector says so."""
SETTLE_S = 1.0
"""What a page gets after the last piece, and after it was opened."""
IDLE_S = 2.0
VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
QUIET_LAB = ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]


class Skipped(Exception):
    """A contender cannot run here; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """One text through one contender.

    Attributes:
        main_thread: What it cost.
        idle_ms_per_s: What the page cost before, while nothing happened.
        seconds: How long until all of it was there.
        complete: All of it came before the deadline.
    """

    main_thread: MainThread
    idle_ms_per_s: float
    seconds: float
    complete: bool


class Contender:
    """Streams texts into a page of a browser. A context manager around its server.

    Attributes:
        name: In words.
        version: Of what is measured.
        limit_s: When a text is given up.
    """

    name: str
    version: str
    limit_s: float

    def __enter__(self) -> Self:
        """Start what it needs.

        Raises:
            Skipped: It cannot run here.
        """
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        """End what it started."""

    def open(self, page: Page) -> None:
        """Show an empty chat, ready to be asked."""
        raise NotImplementedError

    def begin(self, page: Page, text: BenchText) -> None:
        """Let the text begin to come."""
        raise NotImplementedError

    def is_complete(self, page: Page) -> bool:
        """Whether all of the text is there; must cost the page next to nothing."""
        raise NotImplementedError

    def measure(self, browser: Browser, text: BenchText) -> Streamed:
        """Stream a text into a fresh page.

        Args:
            browser: Where.
            text: What. It is given up after ``limit_s``.
        """
        context = browser.new_context(viewport=VIEWPORT)
        try:
            page = context.new_page()
            self.open(page)
            time.sleep(SETTLE_S)
            with tracing(browser, page) as idle:
                time.sleep(IDLE_S)
            with tracing(browser, page) as traced:
                began = time.monotonic()
                self.begin(page, text)
                # Nobody asks the page while it may not be ready: that would cost it.
                time.sleep(min(len(text.pieces) / RATE_HZ, self.limit_s))
                complete = _wait(lambda: self.is_complete(page), began + self.limit_s)
                seconds = time.monotonic() - began
                time.sleep(SETTLE_S)
        finally:
            context.close()
        return Streamed(
            main_thread=traced.main_thread,
            idle_ms_per_s=round(idle.main_thread.total_ms / IDLE_S, 1),
            seconds=round(seconds, 1),
            complete=complete,
        )


def _wait(is_true: Callable[[], bool], deadline: float) -> bool:
    while time.monotonic() < deadline:
        if is_true():
            return True
        time.sleep(SETTLE_S / 2)
    return is_true()


class Product(Contender):
    """This product: its page, its server, an agent that keeps the pace."""

    name = "streamchat_nb"
    version = __version__

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.server = ServerProcess([AGENT], environment={"PYTHONPATH": str(ROOT)})

    @override
    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self.server.remove()

    @override
    def open(self, page: Page) -> None:
        open_page(page, self.server)

    @override
    def begin(self, page: Page, text: BenchText) -> None:
        say(page, text.name)

    @override
    def is_complete(self, page: Page) -> bool:
        # The address knows the conversation; the server is asked, not the page.
        turns = state_of(self.server, conversation_of(page))["turns"]
        return bool(turns) and turns[-1]["status"] == "completed"


class Bare(Contender):
    """No chat at all: a page that shows one other word in each frame.

    What it costs is what any page pays that is painted so often.
    """

    name = "one word a frame"
    version = ""
    _PAGE = """(count) => new Promise((done) => {
      const word = document.body.appendChild(document.createElement("p")).appendChild(
        document.createTextNode("0"));
      let shown = 0;
      const show = () => {
        word.data = `word ${shown}`;
        shown += 1;
        if (shown < count) requestAnimationFrame(show); else done();
      };
      requestAnimationFrame(show);
    })"""

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def open(self, page: Page) -> None:
        page.goto("about:blank")

    @override
    def begin(self, page: Page, text: BenchText) -> None:
        page.evaluate(self._PAGE, len(text.pieces))

    @override
    def is_complete(self, page: Page) -> bool:
        return True

    @override
    def measure(self, browser: Browser, text: BenchText) -> Streamed:
        context = browser.new_context(viewport=VIEWPORT)
        page = context.new_page()
        self.open(page)
        with tracing(browser, page) as traced:
            began = time.monotonic()
            self.begin(page, text)
            seconds = time.monotonic() - began
        context.close()
        return Streamed(
            main_thread=traced.main_thread,
            idle_ms_per_s=0.0,
            seconds=round(seconds, 1),
            complete=True,
        )


def write_texts(folder: Path) -> None:
    """Write the pieces of all texts to ``texts.json`` in a folder."""
    texts = {text.name: text.pieces for text in TEXTS}
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
