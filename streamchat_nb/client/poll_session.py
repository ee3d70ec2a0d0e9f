"""Asking for news again and again, where nothing better gets through."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from streamchat_nb.client.command_requests import perform_by_request
from streamchat_nb.client.event_page import fetch_page
from streamchat_nb.client.log_reader import LogReader
from streamchat_nb.client.session import needs_socket
from streamchat_nb.errors import ConnectError, NotFound, StreamchatError

if TYPE_CHECKING:
    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.session import SessionHost
    from streamchat_nb.protocol.connection import ToolCommand
    from streamchat_nb.protocol.frames import Ack

__all__ = ["PollSession"]

HOLD_MS = 20_000
PAUSE_S = 2.0


class PollSession:
    """A ``Session`` that asks for pages, one conversation in one task each.

    The server holds an empty page back for 20 s. Where something on the way cuts
    requests that take long, it is asked for short answers every 2 s.

    Args:
        host: The connection that it belongs to.
    """

    transport: Literal["rest"] = "rest"

    def __init__(self, host: SessionHost) -> None:
        self.ended: asyncio.Future[StreamchatError] = (
            asyncio.get_running_loop().create_future()
        )
        self._host = host
        self._may_hold = True
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Ask who we are: it tells whether the server is there and knows us."""
        await self._host.http.request("GET", "session")

    async def follow(self, log: FollowedLog) -> None:
        """Ask for the first page, then for more."""
        await self.unfollow(log)
        await self._ask(log, hold=False)
        self._tasks[log.id] = asyncio.get_running_loop().create_task(
            self._ask_on(log), name=f"poll {log.id}"
        )

    async def unfollow(self, log: FollowedLog) -> None:
        """Ask no more."""
        task = self._tasks.pop(log.id, None)
        if task is not None:
            task.cancel()

    async def perform(self, command: ConversationCommand) -> Ack:
        """Carry out a command by a request."""
        return await perform_by_request(self._host.http, command)

    async def tell(self, command: ToolCommand) -> None:  # noqa: ARG002
        """Refuse: the server could not call back."""
        raise needs_socket()

    async def close(self) -> None:
        """End all requests for news."""
        self._end(ConnectError("The connection was closed."))
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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

    def _end(self, error: StreamchatError) -> None:
        if not self.ended.done():
            self.ended.set_result(error)

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
