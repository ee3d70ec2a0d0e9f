"""A program of its own that lends an agent, as a plain script does: URL, TOKEN, ID."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from streamchat_nb.client.sync_client import connect_sync

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.agent.function_agent import FunctionTurn


async def slow(turn: FunctionTurn) -> AsyncIterator[str]:
    """Say three words, then wait for good."""
    for word in ("one ", "two ", "three "):
        yield word
    if "wait" in turn.text:
        await asyncio.sleep(3600)


if __name__ == "__main__":
    url, token, conversation = sys.argv[1:]
    with connect_sync(url, token) as client:
        client.conversation(conversation).lend_agents([slow])
        print("lent", flush=True)  # noqa: T201 - its reader waits for it
        sys.stdin.read()
