"""One viewer who asks and counts every byte that reaches it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from benchmarks.rig.contenders import JWT_SECRET
from benchmarks.rig.dialects import DIALECTS, Dialect, Heard
from benchmarks.rig.load import Load, Target
from benchmarks.rig.notebook_dialects import NOTEBOOK_DIALECTS

if TYPE_CHECKING:
    from benchmarks.rig.rig import Server

__all__ = ["Viewed", "Viewer"]

CONNECT_S = 60.0
READ_BYTES = 65_536
QUIET_S = 0.3
"""So long nothing comes once an answer is over, and what belongs to it is there."""


@dataclass(frozen=True, kw_only=True)
class Viewed:
    """What an answer was to its viewer.

    Attributes:
        wire_bytes: All that arrived, from the question to the quiet after the answer,
            with the frames' headers; what is below TCP is not counted.
        messages: Of the contender, however many deltas each held.
        bytes_by_tenth: What had arrived after each tenth of the time it took.
    """

    wire_bytes: int
    messages: int
    bytes_by_tenth: list[float]


class Viewer:
    """A client in this process; an async context manager. Ask one thing at a time.

    Args:
        server: Where it goes; it has a conversation of its own there.
    """

    def __init__(self, server: Server) -> None:
        self._target = Target(
            dialect=server.contender.dialect,
            port=server.port,
            path=server.contender.path,
            token=server.token,
            jwt_secret=JWT_SECRET,
            server_pids=(),
            api_pid=0,
        )

    async def __aenter__(self) -> Self:
        kind = {**DIALECTS, **NOTEBOOK_DIALECTS}[self._target.dialect]
        (seat,) = await asyncio.to_thread(kind.prepare, self._target, Load())
        self._dialect: Dialect = kind(self._target, seat)
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._target.port
        )
        try:
            heard = {self._dialect.open()}
            self._flush()
            async with asyncio.timeout(CONNECT_S):
                while Heard.READY not in heard:
                    heard = set[Heard]()
                    for what, message in self._understood(await self._read()):
                        _check(what, message)
                        heard.add(what)
        except BaseException:
            self._writer.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(
        self, text: str, *, timeout_s: float, quiet_s: float = QUIET_S
    ) -> Viewed:
        """Ask, and read until the answer is over and nothing more comes.

        Args:
            text: The question.
            timeout_s: Longest wait for the answer's end.
            quiet_s: After so long without a byte, nothing more comes.

        Raises:
            ConnectionError: The contender failed, or ended the connection.
            TimeoutError: The answer was not over in time.
        """
        arrived: list[tuple[float, int]] = []
        messages = 0
        is_over = False
        self._dialect.ask(text)
        self._flush()
        began = time.monotonic()
        async with asyncio.timeout(timeout_s):
            while not is_over:
                data = await self._read()
                arrived.append((time.monotonic() - began, len(data)))
                for heard, message in self._understood(data):
                    messages += 1
                    is_over |= heard is Heard.DONE
                    _check(heard, message)
        by_tenth = _by_tenth(arrived)
        rest = await self._read_until_quiet(quiet_s)
        return Viewed(
            wire_bytes=sum(size for _, size in arrived) + rest,
            messages=messages,
            bytes_by_tenth=by_tenth,
        )

    async def _read(self) -> bytes:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise ConnectionResetError("the contender closed the connection")
        return data

    async def _read_until_quiet(self, quiet_s: float) -> int:
        size = 0
        while True:
            try:
                async with asyncio.timeout(quiet_s):
                    data = await self._read()
            except TimeoutError:
                return size
            size += len(data)
            self._understood(data)

    def _understood(self, data: bytes) -> list[tuple[Heard, bytes]]:
        """Return what has arrived, and answer what wants an answer."""
        messages = self._dialect.split(data)
        understood = [(self._dialect.hear(message), message) for message in messages]
        self._flush()
        return understood

    def _flush(self) -> None:
        self._writer.write(bytes(self._dialect.to_send))
        self._dialect.to_send.clear()


def _check(heard: Heard, message: bytes) -> None:
    if heard is Heard.FAILED:
        said = message[-200:].decode(errors="replace")
        raise ConnectionAbortedError(f"the contender failed: {said}")


def _by_tenth(arrived: list[tuple[float, int]]) -> list[float]:
    last_s = arrived[-1][0]
    return [
        float(sum(size for at_s, size in arrived if at_s <= last_s * tenth / 10))
        for tenth in range(1, 11)
    ]
