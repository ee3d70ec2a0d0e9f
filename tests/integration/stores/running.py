"""A SQLite store that is open for as long as a scenario takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.conversation.sqlite import SqliteStore

__all__ = ["run"]


def run(store: SqliteStore, scenario: Callable[[SqliteStore], Awaitable[None]]) -> None:
    """Open the store, play the scenario with it for a minute at most, and close it."""

    async def with_store() -> None:
        await store.open()
        try:
            async with asyncio.timeout(60):
                await scenario(store)
        finally:
            await store.close()

    asyncio.run(with_store())
