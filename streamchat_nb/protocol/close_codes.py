"""Why a socket ends: the one table that Python, TypeScript and the docs share."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["CLOSE_CODES", "CloseCode", "CloseMeaning"]


class CloseCode(IntEnum):
    """WebSocket close codes used by streamchat.v1."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    RESTART = 1012
    OVERLOADED = 1013
    BAD_FRAME = 4400
    AUTHENTICATION = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    VERSION = 4406
    AUTHENTICATE_DEADLINE = 4408
    REPLACED = 4409
    RATE_LIMITED = 4429


class CloseMeaning(NamedTuple):
    """What a code means and whether a client reconnects by itself."""

    meaning: str
    reconnect: bool


CLOSE_CODES: dict[CloseCode, CloseMeaning] = {
    CloseCode.NORMAL: CloseMeaning("closed on purpose", False),
    CloseCode.GOING_AWAY: CloseMeaning("the peer goes away", True),
    CloseCode.TOO_BIG: CloseMeaning("a frame was over the limit", False),
    CloseCode.INTERNAL_ERROR: CloseMeaning("the server failed; its log says why", True),
    CloseCode.RESTART: CloseMeaning("the server restarts", True),
    CloseCode.OVERLOADED: CloseMeaning("the server is overloaded", True),
    CloseCode.BAD_FRAME: CloseMeaning("a frame was not of the protocol", False),
    CloseCode.AUTHENTICATION: CloseMeaning(
        "the token is wrong or has expired; get a fresh one", True
    ),
    CloseCode.FORBIDDEN: CloseMeaning("not allowed, or another user's token", False),
    CloseCode.NOT_FOUND: CloseMeaning("what was asked for is not there", False),
    CloseCode.VERSION: CloseMeaning("the subprotocol is not spoken here", False),
    CloseCode.AUTHENTICATE_DEADLINE: CloseMeaning(
        "no authenticate frame within the deadline", True
    ),
    CloseCode.REPLACED: CloseMeaning("another connection took this one's place", False),
    CloseCode.RATE_LIMITED: CloseMeaning("too many frames or sockets", True),
}
"""Meaning of each close code; a contract test keeps the enum and this table equal."""
