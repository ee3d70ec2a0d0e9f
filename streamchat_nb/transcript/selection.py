"""Cutting what is too long in the middle, so that beginning and end are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["write_within"]


def write_within(
    writers: Sequence[Callable[[], str]], *, limit_bytes: int, left_out: str
) -> list[str]:
    """Return the pieces of a text, with ``left_out`` in place of what does not fit.

    A piece is written only when it may be needed: of a huge conversation its ends are
    looked at. Pieces stay whole, and so does the structure of what they are in.

    Args:
        writers: Each gives one piece; in order.
        limit_bytes: Largest size of all that is returned, in UTF-8.
        left_out: A piece that says that something is left out.
    """
    room = limit_bytes - _size(left_out)
    head = _take(writers, room // 2)
    rest = writers[len(head) :]
    tail = _take(rest[::-1], room - sum(map(_size, head)))
    gap = [] if len(tail) == len(rest) else [left_out]
    return [*head, *gap, *tail[::-1]]


def _take(writers: Sequence[Callable[[], str]], room: int) -> list[str]:
    """Return the first pieces, as many as fit."""
    pieces: list[str] = []
    for write in writers:
        piece = write()
        room -= _size(piece)
        if room < 0:
            break
        pieces.append(piece)
    return pieces


def _size(piece: str) -> int:
    return len(piece.encode("utf-8", "replace")) + 2  # and what joins it to the next
