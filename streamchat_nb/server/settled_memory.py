"""What is there once a server has started, and stays: the collector passes it over."""

from __future__ import annotations

import gc

__all__ = ["settle_memory"]


def settle_memory() -> None:
    """Take all objects that there are out of the garbage collector's rounds.

    Call it when everything is imported. Modules, with an SDK hundreds of thousands of
    objects, live as long as the process; a full round over them stops the event loop
    for a quarter of a second, and comes again and again while clients connect. What
    this keeps from being found is what was garbage in cycles at this moment. Only the
    first call in a process does anything.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
