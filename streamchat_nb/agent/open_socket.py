"""A TCP connection to a host that may have several addresses."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import Any

__all__ = ["open_socket"]

_HEAD_START_S = 0.25
"""How long an address is tried alone before the next one is tried beside it."""

_Address = tuple[int, int, int, str, tuple[Any, ...]]


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a connected socket to the address of a host that answers first.

    One address after the other, by turns of both families, each with a start of 250
    ms: so a network where one of them goes nowhere costs little. Cancel safe.

    Raises:
        OSError: The host has no address, or none of them can be reached; then it is
            the error of the first one.
        UnicodeError: This is no name of a host.
    """
    waiting = await _addresses(host, port)
    if len(waiting) == 1:
        return await _connect(waiting[0])
    failure: OSError | None = None
    trying: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(_connect(waiting.pop(0))))
            done, trying = await asyncio.wait(
                trying,
                timeout=_HEAD_START_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if error is None:
                    trying |= done - {task}
                    return task.result()
                failure = failure or _as_os_error(error)
    finally:
        for task in trying:
            task.cancel()
            task.add_done_callback(_close)
    raise failure or OSError("the host has no address")


async def _addresses(host: str, port: int) -> list[_Address]:
    """Return the addresses of a host, both families by turns."""
    kind = socket.SOCK_STREAM
    try:
        found = socket.getaddrinfo(
            host, port, type=kind, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:  # a name
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=kind)
    first = [address for address in found if address[0] == found[0][0]]
    others = [address for address in found if address[0] != found[0][0]]
    by_turns = chain.from_iterable(zip_longest(first, others))
    return [address for address in by_turns if address is not None]


async def _connect(address: _Address) -> socket.socket:
    family, kind, protocol, _, place = address
    connected = socket.socket(family, kind, protocol)
    try:
        connected.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connected, place)
    except BaseException:
        connected.close()
        raise
    return connected


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Close the socket of a try that was not needed."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _as_os_error(error: BaseException) -> OSError:
    if isinstance(error, OSError):
        return error
    raise error
