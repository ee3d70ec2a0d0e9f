"""Asking for news again and again, where nothing better gets through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from streamchat_nb.client.event_page import fetch_page
from streamchat_nb.client.log_reader import LogReader
from streamchat_nb.client.request_session import RequestSession
from streamchat_nb.errors import ConnectError, NotFound, StreamchatError

if TYPE_CHECKING:
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.session import SessionHost

__all__ = ["PollSession"]

HOLD_MS = 20_000
PAUSE_S = 2.0


class PollSession(RequestSession):
    """A ``Session`` that asks for pages, one conversation in one task each.

    The server holds an empty page back for 20 s. Where something on the way cuts
    requests that take long, it is asked for short answers every 2 s.

    Args:
        host: The connection that it belongs to.
    """

    transport: Literal["rest"] = "rest"

    def __init__(self, host: SessionHost) -> None:
        super().__init__(host)
        self._may_hold = True

    async def follow(self, log: FollowedLog) -> None:
        """Ask for the first page, then for more."""
        await self.unfollow(log)
        await self._ask(log, hold=False)
        self._tasks[log.id] = asyncio.get_running_loop().create_task(
            self._ask_on(log), name=f"poll {log.id}"
        )

    async def _ask_on(self, log: FollowedLog) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                before, asked_at = log.cursor, loop.time()
                held = await self._ask_patiently(log)
                was_held = held and loop.time() - asked_at >= PAUSE_S / 2
                if log.cursor == before and not was_held:
                    await asyncio.sleep(PAUSE_S)
        except NotFound as error:
            self._tasks.pop(log.id, None)
            self._host.gone(log, error)
        except StreamchatError as error:
            self._end(error)

    async def _ask_patiently(self, log: FollowedLog) -> bool:
        """Ask, and let the server hold the answer back if that gets through."""
        if self._may_hold:
            try:
                await self._ask(log, hold=True)
            except ConnectError:
                # Something on the way may cut requests that take long.
                self._may_hold = False
            else:
                return True
        await self._ask(log, hold=False)
        return False

    async def _ask(self, log: FollowedLog, *, hold: bool) -> None:
        page = await fetch_page(
            self._host.http,
            log.id,
            log.since,
            wait_ms=HOLD_MS if hold else 0,
        )
        LogReader(log, 0).take_page(page)
