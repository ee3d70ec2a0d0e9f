"""The product's server, with a count of what it does.

``SIGUSR2`` begins a count and ends it (Jupyter has a use for the first of these two
signals). Each time a line is added to the file that ``STREAMCHAT_COUNTS`` names: a
JSON object with the calls by the names of the functions, of Python and of C, and the
lines of Python that were run in each. The store's thread is counted with the loop's.

    STREAMCHAT_COUNTS=counts.jsonl python -m benchmarks.counting.counted_server
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamchat_nb
from streamchat_nb.command_line import main

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["WorkCounter"]

PACKAGE = Path(streamchat_nb.__file__).parent
STORE_THREAD = "streamchat-store-writer"

_Trace = Callable[["FrameType", str, Any], Any]


class WorkCounter:
    """Counts the calls and the lines of this process, while it is told to.

    Make it before there is a store: its thread is counted with the one of the signal.

    Args:
        path: Where counts are written to, a line each.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_counting = False
        # Of each thread its own: they must not take turns in the middle of adding.
        self._calls: dict[int, Counter[CodeType | str]] = defaultdict(Counter)
        self._lines: dict[int, Counter[CodeType | str]] = defaultdict(Counter)
        threading.setprofile(self._join)

    def toggle(self, *_: object) -> None:
        """Begin a count, or end it and write it down."""
        if self._is_counting:
            sys.setprofile(None)
            sys.settrace(None)
            self._is_counting = False
            self._write()
        else:
            self._calls.clear()
            self._lines.clear()
            self._write()
            self._is_counting = True
            sys.settrace(self._trace)
            sys.setprofile(self._note_call)

    def _join(self, *_: object) -> None:
        """Let the store's thread be counted, and no other: imports would take long."""
        is_store = threading.current_thread().name == STORE_THREAD
        sys.setprofile(self._note_call if is_store else None)
        sys.settrace(self._trace if is_store else None)

    def _note_call(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 - as of sys.setprofile
        if not self._is_counting:
            return
        if event == "call":
            self._calls[threading.get_ident()][frame.f_code] += 1
        elif event == "c_call":
            name = f"{argument.__module__}.{argument.__qualname__}"
            self._calls[threading.get_ident()][name] += 1

    def _trace(
        self, _frame: FrameType, _event: str, _argument: object
    ) -> _Trace | None:
        return self._note_line if self._is_counting else None

    def _note_line(
        self, frame: FrameType, event: str, _argument: object
    ) -> _Trace | None:
        if not self._is_counting:
            return None
        if event == "line":
            self._lines[threading.get_ident()][frame.f_code] += 1
        return self._note_line

    def _write(self) -> None:
        counts = {"calls": _named(self._calls), "lines": _named(self._lines)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(counts) + "\n")


def _named(counts: dict[int, Counter[CodeType | str]]) -> Counter[str]:
    named: Counter[str] = Counter()
    for of_thread in list(counts.values()):
        for called, count in of_thread.items():
            named[called if isinstance(called, str) else _name(called)] += count
    return named


def _name(code: CodeType) -> str:
    path = Path(code.co_filename)
    folder = f"{PACKAGE.name}/" if path.is_relative_to(PACKAGE) else ""
    return f"{folder}{path.parent.name}/{path.stem}.{code.co_qualname}"


if __name__ == "__main__":
    counter = WorkCounter(Path(os.environ["STREAMCHAT_COUNTS"]))
    signal.signal(signal.SIGUSR2, counter.toggle)
    sys.exit(main())
