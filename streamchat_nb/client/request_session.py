"""What the sessions without a socket have in common: everything goes by requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb.client.command_requests import perform_by_request
from streamchat_nb.client.session import needs_socket
from streamchat_nb.errors import ConnectError

if TYPE_CHECKING:
    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.session import SessionHost
    from streamchat_nb.errors import StreamchatError
    from streamchat_nb.protocol.commands import LendingCommand
    from streamchat_nb.protocol.frames import Ack

__all__ = ["RequestSession"]


class RequestSession:
    """Base of the ``Session``s with one task for each conversation, and no socket.

    Args:
        host: The connection that it belongs to.
    """

    def __init__(self, host: SessionHost) -> None:
        self.ended: asyncio.Future[StreamchatError] = (
            asyncio.get_running_loop().create_future()
        )
        self._host = host
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Ask who we are: it tells whether the server is there and knows us."""
        await self._host.http.request("GET", "session")

    async def unfollow(self, log: FollowedLog) -> None:
        """End the conversation's task."""
        task = self._tasks.pop(log.id, None)
        if task is not None:
            task.cancel()

    async def perform(self, command: ConversationCommand) -> Ack:
        """Carry out a command by a request."""
        return await perform_by_request(self._host.http, command)

    async def tell(self, command: LendingCommand) -> Ack | None:  # noqa: ARG002
        """Refuse: the server could not call back."""
        raise needs_socket()

    async def close(self) -> None:
        """End all tasks."""
        self._end(ConnectError("The connection was closed."))
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, error: StreamchatError) -> None:
        if not self.ended.done():
            self.ended.set_result(error)
