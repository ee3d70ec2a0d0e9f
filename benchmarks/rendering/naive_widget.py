"""What a notebook's author writes first."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from playwright.sync_api import expect
from typing_extensions import override

from benchmarks.rendering.contenders import (
    ENDED,
    PATIENCE_MS,
    QUIET_LAB,
    Contender,
    write_texts,
)
from benchmarks.rendering.texts import TEXTS
from streamchat_nb.testing.server_process import ServerProcess
from tests.browser.screen import command, open_lab

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from benchmarks.rendering.texts import BenchText

__all__ = ["NaiveWidget"]

_STREAM = 'threading.Thread(target=stream, args=("{}",)).start()'
_GO_TO_CELL = """(index) => {
  const {content} = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = index;
  content.deselectAll();
}"""


class NaiveWidget(Contender):
    """What a notebook's author writes first: ``ipywidgets.HTML``, value set per piece.

    In its favour: the kernel turns the markdown into HTML and sets the value on a
    thread of its own, at 34 or 67 characters a time where a model's token has four, so
    there are an eighth of the updates; and no other cell is in the notebook.
    """

    name = "ipywidgets.HTML"
    _NOTEBOOK = "naive.ipynb"
    _SET_UP = """
import json, threading, time
import ipywidgets, mistune
from pathlib import Path
texts = json.loads(Path("texts.json").read_text())
render = mistune.create_markdown(plugins=["table"])
shown = ipywidgets.HTML()

def stream(name):
    began, text = time.monotonic(), ""
    for number, piece in enumerate(texts[name]):
        time.sleep(max(0, began + number / 60 - time.monotonic()))
        text += piece
        shown.value = render(text)
    shown.value += "<p>The end.</p>"

shown
"""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.version = version("ipywidgets")
        self.server = ServerProcess(QUIET_LAB, application="jupyterlab")

    @override
    def __enter__(self) -> Self:
        self.server.__enter__()
        write_texts(self.server.work)
        cells = [self._SET_UP]
        cells += [_STREAM.format(text.name) for text in TEXTS]
        _write_notebook(self.server.work / self._NOTEBOOK, cells)
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self.server.remove()

    @override
    def open(self, page: Page) -> None:
        open_lab(page, self.server, self._NOTEBOOK)
        page.evaluate(_GO_TO_CELL, 0)
        command(page, "notebook:run-cell")
        expect(page.locator(".widget-html").first).to_be_attached(timeout=PATIENCE_MS)

    @override
    def begin(self, page: Page, text: BenchText) -> None:
        page.evaluate(_GO_TO_CELL, 1 + [one.name for one in TEXTS].index(text.name))
        command(page, "notebook:run-cell")

    @override
    def is_complete(self, page: Page) -> bool:
        return page.evaluate(ENDED, ".widget-html-content > :last-child")


def _write_notebook(path: Path, cells: list[str]) -> None:
    notebook: dict[str, Any] = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
