"""What is there once a server has started, and stays: the collector passes it over."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["settled_memory"]


@contextlib.contextmanager
def settled_memory() -> Generator[None]:
    """Take what is there, and then what comes in this block, out of its rounds.

    Put the last heavy imports into the block. Modules, with an SDK hundreds of
    thousands of objects, live as long as the process; a full round over them stops
    the event loop for up to a quarter of a second, and comes again and again while
    modules are imported and while clients connect. What this keeps from being found
    is what is garbage in cycles when the block begins and when it ends. Only the
    first block in a process does anything.
    """
    is_first = gc.get_freeze_count() == 0
    if is_first:
        gc.freeze()
    yield
    if is_first:
        gc.freeze()
