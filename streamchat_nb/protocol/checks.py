"""What a self-test says: one line for each thing that was tried."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Check", "CheckStatus"]

CheckStatus = Literal["ok", "failed", "skipped"]
"""How a check came out; ``skipped`` where it could not be tried, or need not be."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried.

    Attributes:
        name: ``address``, ``credential``, ``reachable``, ``model``, ``streams`` or
            ``tools`` of a model's endpoint; ``websocket``, ``sse`` or ``rest`` of the
            way between a client and the server.
        status: How it came out.
        says: What was seen, in a sentence or two for people; never a credential.
        hint: What to do about it; empty where there is nothing to do.
    """

    name: str
    status: CheckStatus
    says: str
    hint: str = ""
