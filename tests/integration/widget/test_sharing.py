"""What the kernel says of its data when the browser asks, in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.widget.relayed_browser import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.testing.server_process import ServerProcess

SET_UP = """
import time
import pandas
from streamchat_nb import Chat

frame = pandas.DataFrame({
    "city": ["Rome", "Oslo"], "salary": [98761, 87652], "api_key": ["canary"] * 2,
})
others = {"a": 1}
def for_nobody(): ...
class Guarded:
    def __init__(self): self.inner = "hidden"
    def __llm__(self): return "only this"
guarded = Guarded()
chat = Chat()
"""


class Notebook:
    """Asks as the browser does, over the comm of the widget."""

    def __init__(self, server: ServerProcess) -> None:
        self.kernel = Kernel({"STREAMCHAT_NB_CONNECTION": str(server.connection_file)})
        self.kernel.run(SET_UP)
        self.answers: dict[str, dict[str, Any]] = {}
        self.kernel.listen(self._take)
        self.asked = 0

    def ask(self, **question: Any) -> dict[str, Any]:
        """Ask, and wait for the answer."""
        self.asked += 1
        id_ = f"s{self.asked}"
        content = {"channel": "share", "question": id_, **question}
        self.kernel.send(self.kernel.comms[-1], content)
        self.kernel.pump(lambda _: id_ in self.answers)
        return self.answers[id_]

    def _take(self, content: dict[str, Any]) -> None:
        message = content["data"].get("content", {})
        if message.get("channel") == "share":
            self.answers[message["question"]] = message


@pytest.fixture
def notebook(server: ServerProcess) -> Iterator[Notebook]:
    notebook = Notebook(server)
    try:
        yield notebook
    finally:
        notebook.kernel.stop()


def names(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["name"], one["kind"], one["shape"]) for one in answer["names"]]


def included(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["columns"] if one["included"]]


def test_variables_are_listed_the_latest_first_and_no_functions(
    notebook: Notebook,
) -> None:
    found = names(notebook.ask(type="names", prefix=""))
    assert found == [
        ("chat", "Chat", ""),
        ("guarded", "Guarded", ""),
        ("others", "dict", "1 item"),
        ("frame", "DataFrame", "2 \u00d7 3"),
    ]
    # Names that begin so come before those that have it within.
    notebook.kernel.run("my_frame = frame.to_numpy()\nseries = frame.city")
    found = names(notebook.ask(type="names", prefix="FRA"))
    assert found == [
        ("frame", "DataFrame", "2 \u00d7 3"),
        ("my_frame", "ndarray", "2 \u00d7 3"),
    ]
    assert names(notebook.ask(type="names", prefix="seri")) == [
        ("series", "Series", "2 values")
    ]
    assert names(notebook.ask(type="names", prefix="nothing")) == []


def test_digest_holds_the_allowed_columns_and_nothing_of_the_others(
    notebook: Notebook,
) -> None:
    digest = notebook.ask(type="digest", name="frame", columns=None, rows=5)
    assert included(digest) == ["city", "salary"]
    assert [one["secret"] for one in digest["columns"]] == [False, False, True]
    assert "98761" in digest["text"]
    assert "canary" not in digest["text"]
    digest = notebook.ask(type="digest", name="frame", columns=["city"], rows=0)
    assert included(digest) == ["city"]
    assert not [word for word in ("Rome", "98761", "salary") if word in digest["text"]]
    # A secret column that somebody allows by hand is shared.
    digest = notebook.ask(type="digest", name="frame", columns=["api_key"], rows=5)
    assert "canary" in digest["text"]
    # Columns that came since are not shared, and those that went are no error.
    notebook.kernel.run("frame = frame.rename(columns={'salary': 'wage'})")
    allowed = ["city", "salary"]
    digest = notebook.ask(type="digest", name="frame", columns=allowed, rows=5)
    assert included(digest) == ["city"]
    assert "98761" not in digest["text"]
    assert notebook.ask(type="digest", name="guarded")["text"] == "guarded: only this"


def test_what_is_not_there_or_no_question_is_said_or_dropped(
    notebook: Notebook,
) -> None:
    answer = notebook.ask(type="digest", name="nobody")
    assert (answer["type"], answer["code"]) == ("error", "not_found")
    assert notebook.ask(type="digest", name="for_nobody")["code"] == "not_found"
    answer = notebook.ask(type="digest", name="others", columns=["a"])
    assert answer["message"] == "others is a dict and has no columns."
    comm = notebook.kernel.comms[-1]
    for wrong in (
        {"question": "x", "type": "run"},
        {"question": "x" * 70, "type": "names"},
        {"question": "x", "type": "digest", "name": "frame", "rows": 99},
        {"question": "x", "type": "names", "channel": "nobody"},
    ):
        notebook.kernel.send(comm, {"channel": "share", **wrong})
    assert names(notebook.ask(type="names", prefix="frame"))
    assert "x" not in notebook.answers
    assert notebook.kernel.printed == ""


def test_busy_kernel_answers_once_it_is_free(notebook: Notebook) -> None:
    notebook.kernel.run("late = 5\ntime.sleep(2)\nprint('free')", wait=False)
    answer = notebook.ask(type="names", prefix="late")
    assert names(answer) == [("late", "int", "")]
    assert "free" in notebook.kernel.printed
