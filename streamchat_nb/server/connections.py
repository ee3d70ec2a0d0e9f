"""Who is connected: the bounds of sockets, and how all connections end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamchat_nb.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.iostream import IOStream

__all__ = [
    "RETURN_MS",
    "Connection",
    "Connections",
    "bound_send_buffer",
    "lengthen_queues",
]

SEND_BUFFER_BYTES = 262_144
QUEUED_CONNECTS = 4_096
"""What Linux allows where nobody set ``net.core.somaxconn``."""
RETURN_MS = 2_000
"""About what it takes to start a server."""
RETURN_EACH_MS = 1.5
"""About what it takes to let one come back: ask for a token, connect, subscribe."""
MOST_RETURN_MS = 30_000
LEAVE_EACH_S = 0.0005


class Connection(Protocol):
    """A socket or a stream of events."""

    async def go_away(self, retry_after_ms: int) -> None:
        """Give its reader what it has not read, say that the server restarts, end.

        Args:
            retry_after_ms: How long its reader should wait before it comes back.
        """
        ...


@dataclass
class _Socket:
    user: str
    address: str
    pending: bool = True


class Connections:
    """All open sockets and streams of this server, and the bounds of the sockets.

    Args:
        per_user: Most sockets of one principal.
        pending_per_address: Most sockets of one address not yet authenticated.
    """

    def __init__(self, *, per_user: int, pending_per_address: int) -> None:
        self._per_user = per_user
        self._pending_per_address = pending_per_address
        self._sockets: dict[Connection, _Socket] = {}
        self._streams: set[Connection] = set()
        self._by_user: Counter[str] = Counter()
        self._pending: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sockets) + len(self._streams)

    def admit(self, user: str, address: str) -> None:
        """Check the bounds for one more socket.

        Raises:
            RateLimited: One of them is reached.
        """
        if (mine := self._by_user[user]) >= self._per_user:
            raise RateLimited(
                f"This user has {mine} open connections; close one of them."
            )
        if self._pending[address] >= self._pending_per_address:
            raise RateLimited("Too many connections wait for authentication.")

    def add_socket(self, socket: Connection, *, user: str, address: str) -> None:
        """Count an open socket that has not authenticated yet."""
        self._sockets[socket] = _Socket(user, address)
        self._by_user[user] += 1
        self._pending[address] += 1

    def authenticated(self, socket: Connection) -> None:
        """Note that a socket waits no longer. Idempotent."""
        known = self._sockets.get(socket)
        if known is not None and known.pending:
            known.pending = False
            _subtract(self._pending, known.address)

    def add_stream(self, stream: Connection) -> None:
        """Count an open stream."""
        self._streams.add(stream)

    def discard(self, connection: Connection) -> None:
        """Forget a closed one. Idempotent."""
        self.authenticated(connection)
        self._streams.discard(connection)
        known = self._sockets.pop(connection, None)
        if known is not None:
            _subtract(self._by_user, known.user)

    async def close_all(self, *, timeout_s: float) -> None:
        """Tell everybody that the server restarts; wait until they are closed.

        They are told to come back one after the other, in a random order, as fast as
        a server can take them: all at once, each would wait for all the others.

        Args:
            timeout_s: Longest wait, but for half a millisecond for each of them.
                Whoever takes longer is left to the end of the process.
        """
        loop = asyncio.get_running_loop()
        everybody: list[Connection] = [*self._sockets, *self._streams]
        random.shuffle(everybody)
        leaving = {
            loop.create_task(connection.go_away(_return_after_ms(place)))
            for place, connection in enumerate(everybody)
        }
        if leaving:
            timeout_s += LEAVE_EACH_S * len(leaving)
            _, late = await asyncio.wait(leaving, timeout=timeout_s)
            for task in late:
                task.cancel()


def _return_after_ms(place: int) -> int:
    """Return when who leaves at a place, counted from 0, should come back."""
    return min(MOST_RETURN_MS, round(RETURN_MS + RETURN_EACH_MS * place))


def _subtract(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def bound_send_buffer(stream: IOStream | None) -> None:
    """Let the kernel hold 512 KiB at most of what a reader has not taken.

    Without a bound it takes megabytes, and a reader that has stopped is noticed late.
    """
    if stream is not None and isinstance(stream.socket, socket.socket):
        # The kernel takes the double of what it is told.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


def lengthen_queues(listening: Iterable[socket.socket]) -> None:
    """Let thousands wait for listening sockets that take 128 as they were made.

    When a server is back, all its clients come within seconds. For whom there is no
    place in the queue the kernel is silent, and they try again after 1, 3 and 7 s.
    """
    for one in listening:
        with contextlib.suppress(OSError):
            one.listen(QUEUED_CONNECTS)
