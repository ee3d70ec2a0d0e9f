"""Functions that do what no tool should, for a server and for a kernel."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from streamchat_nb.tools.decorator import FunctionTool
from streamchat_nb.tools.tool import ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXPECTED", "FUNCTIONS", "ON_SERVER", "TIMEOUT_S"]

TIMEOUT_S = 0.5
BLOCKED_S = 0.1
LARGE = 50_000_000
LINES = 5_000
REPORTS = 20_000
SECRET = "sk-canary-0123456789"
_turns = itertools.count()


def hangs() -> None:
    """Never end."""
    threading.Event().wait()


def raises() -> None:
    """Raise an error with a huge text of control characters."""
    raise RuntimeError(f"\x1b[31m{SECRET}\x1b]0;title\x07\x00\ud800" + "x" * 1_000_000)


def returns_50_mb() -> str:
    """Return far too much."""
    return "x" * LARGE


def returns_what_cannot_be_sent() -> Any:
    """Return what has no text."""
    values: tuple[Callable[[], Any], ...] = (
        _NoText,
        socket.socket,
        lambda: (number for number in range(3)),
        lambda: [lambda: None, object, {1, 2}, threading.Lock()],
    )
    return _next_of(values)()


def prints_much() -> str:
    """Print, and print, and print."""
    for number in range(LINES):
        print(number, "y" * 100)  # noqa: T201 - what it is for
    return "done"


def ends_the_process() -> None:
    """Raise what ends a program."""
    raise _next_of((SystemExit(3), KeyboardInterrupt(), GeneratorExit(), _Own("own")))


async def blocks_the_loop() -> str:
    """Sleep where nothing may."""
    time.sleep(BLOCKED_S)  # noqa: ASYNC251 - what it is for
    return "done"


def floods_progress(context: ToolContext) -> str:
    """Report, and report, and report."""
    for number in range(REPORTS):
        fraction = (None, float("nan"), float("inf"), -1.0)[number % 4]
        context.progress(f"{number} " + "z" * 1_000, fraction)
    return "done"


def returns_other_types() -> Any:
    """Return what nobody expects."""
    cycle: list[Any] = []
    cycle.append({"again": cycle, 1: (float("nan"), float("inf"))})
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    wrong: Any = ToolResult
    values: tuple[Any, ...] = (
        cycle,
        deep,
        wrong(output=5),
        wrong(output="text", status="bogus"),
        wrong(output="text", display=("no display",)),
        wrong(output="text", actions=5),
        asyncio.sleep,
    )
    return _next_of(values)


class _NoText:
    """Fails whenever it is looked at."""

    @override
    def __repr__(self) -> str:
        raise ValueError("no text")

    def __getattr__(self, name: str) -> Any:
        raise ValueError(name)


class _Own(BaseException):
    """An exception that is no ``Exception``."""


def _next_of(values: tuple[Any, ...]) -> Any:
    return values[next(_turns) % len(values)]


def leaves() -> None:
    """End the process for good."""
    os._exit(3)


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    hangs,
    raises,
    returns_50_mb,
    returns_what_cannot_be_sent,
    prints_much,
    ends_the_process,
    blocks_the_loop,
    floods_progress,
    returns_other_types,
)
EXPECTED = {
    "hangs": ("timeout",),
    "raises": ("error",),
    "returns_50_mb": ("ok",),
    "returns_what_cannot_be_sent": ("ok", "error"),
    "prints_much": ("ok",),
    "ends_the_process": ("error",),
    "blocks_the_loop": ("ok",),
    "floods_progress": ("ok",),
    "returns_other_types": ("ok", "error"),
    "leaves": ("unknown",),
}
"""How a call of each may end."""

ON_SERVER = [
    FunctionTool[..., Any](
        function,
        name=f"server_{function.__name__}",
        timeout_s=TIMEOUT_S if function is hangs else 30.0,
    )
    for function in FUNCTIONS
]
