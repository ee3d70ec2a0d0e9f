"""What installed packages offer to this one: their entry points, found cheaply."""

from __future__ import annotations

import functools
import sys
from importlib.metadata import EntryPoints, distribution, distributions

__all__ = ["entry_points"]

GROUPS = "streamchat_nb."
"""How the groups begin that packages offer something under."""


def entry_points(*, group: str) -> EntryPoints:
    """Return the entry points of one of our groups.

    As ``importlib.metadata.entry_points``, which parses what every package says to
    anybody: that takes 20 ms and more for each group, at each start of a server.
    Packages are looked for once for one ``sys.path``.
    """
    return EntryPoints(
        entry
        for package in _offering(tuple(sys.path))
        for entry in distribution(package).entry_points.select(group=group)
    )


@functools.lru_cache(maxsize=1)
def _offering(path: tuple[str, ...]) -> list[str]:
    """Return the names of packages whose entry points name one of our groups."""
    return list(
        dict.fromkeys(
            package.name
            for package in distributions(path=list(path))
            if GROUPS in (package.read_text("entry_points.txt") or "")
        )
    )
