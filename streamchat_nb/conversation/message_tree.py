"""The tree of a conversation's user's messages, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["newest_in_branch"]


def newest_in_branch(
    parents: Mapping[str, str], removed: Collection[str], message: str
) -> str:
    """Return the newest of a message and all that follow it, directly or not.

    Args:
        parents: The message that each one follows, in the order of the log; ``""`` is
            the beginning of the conversation.
        removed: Those that were taken back while they waited. One of them stands for
            the message that it followed.
        message: One of them, or ``""``, which is returned, too, where nothing is left.
    """
    while message in removed:
        message = parents[message]
    branch = {message}
    newest = message
    for other, parent in parents.items():
        if parent in branch:
            branch.add(other)
            newest = newest if other in removed else other
    return newest
