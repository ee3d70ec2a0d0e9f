"""Many clients that come back by themselves when their server is gone for a while.

Each is one TCP connection, speaks the contender's dialect, and waits as the Python
client of this product does: longer after each attempt, at random, and as long as a
server that goes away asks for. Clients of ours each have a token of their own, fetched
on a connection of its own; they come back with it as that client does, and fetch a
fresh one where an attempt with it fails.

It takes a ``Target`` as JSON and a number of clients. It prints one line when all are
connected, and a ``Returns`` as JSON when all have lost their connection and are back.

    python -m benchmarks.rig.returning_clients '{"dialect": …}' 5000
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import sys
import time

import msgspec
from typing_extensions import override

from benchmarks.rig.dialects import DIALECTS, Dialect, Heard, Seat
from benchmarks.rig.load import Load, Target
from benchmarks.rig.processes import raise_file_limit
from streamchat_nb.client.back_off import pause_s

__all__ = ["CONNECTED", "Returns"]

CONNECTED = b"connected\n"
DEADLINE_S = 120.0
ATTEMPT_S = 10.0
FIRST_IN_FLIGHT = 64
_OURS = "streamchat"
_FAREWELL = re.compile(rb'{"type":"going_away","retry_after_ms":(\d+)')
_STATUS_OK = b" 200 "


class Returns(msgspec.Struct, frozen=True, kw_only=True):
    """How clients came back. Times are on the machine's monotonic clock, in seconds.

    Attributes:
        lost: When each noticed that its connection was gone, in order.
        planned: When each meant to come back at first, in order: their jitter.
        back: When each was back, in order.
        refused: Attempts that found nobody listening.
        failures: What else went wrong, and when.
    """

    lost: list[float]
    planned: list[float]
    back: list[float]
    refused: int
    failures: list[tuple[float, str]]


class _Crowd:
    """All clients, and what became of them."""

    def __init__(self, target: Target, seats: list[Seat]) -> None:
        self.target = target
        self.clients = [_Client(self, seat) for seat in seats]
        self.lost: list[float] = []
        self.planned: list[float] = []
        self.back: list[float] = []
        self.refused = 0
        self.failures: list[tuple[float, str]] = []
        self.all_connected = asyncio.Event()
        self.all_back = asyncio.Event()
        self._connected = 0

    def failed(self, why: str) -> None:
        self.failures.append((time.monotonic(), why))

    def ready(self, client: _Client) -> None:
        if client.was_lost:
            self.back.append(time.monotonic())
            if len(self.back) == len(self.clients):
                self.all_back.set()
        else:
            self._connected += 1
            if self._connected == len(self.clients):
                self.all_connected.set()

    async def connect_all(self) -> None:
        """Connect for the first time, some at once."""
        waiting = iter(self.clients)

        async def connect_some() -> None:
            for client in waiting:
                client.connect()
                await client.settled.wait()

        await asyncio.gather(*(connect_some() for _ in range(FIRST_IN_FLIGHT)))


class _Client:
    """One client, through all its attempts."""

    def __init__(self, crowd: _Crowd, seat: Seat) -> None:
        self.crowd = crowd
        self.seat = seat
        self.was_lost = False
        self.settled = asyncio.Event()
        self._token: str | None = None
        self._attempt = 0
        self._is_ready = False
        self._least_s = 0.0
        self._connecting: asyncio.Task[None] | None = None

    def connect(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        target = self.crowd.target
        loop = asyncio.get_running_loop()
        seat = self.seat
        try:
            async with asyncio.timeout(ATTEMPT_S):
                if target.dialect == _OURS:
                    self._token = self._token or await _fresh_token(target)
                    seat = Seat(
                        number=seat.number,
                        token=self._token,
                        conversation=seat.conversation,
                    )
                dialect = DIALECTS[target.dialect](target, seat)
                await loop.create_connection(
                    lambda: _Socket(self, dialect), "127.0.0.1", target.port
                )
        except ConnectionRefusedError:
            self.crowd.refused += 1
            self._come_back()
        except (OSError, TimeoutError) as error:
            self._fail(f"{type(error).__name__}: {error}")

    # what its socket tells

    def ready(self) -> None:
        self._is_ready = True
        self._attempt = 0
        self.settled.set()
        self.crowd.ready(self)

    def asked_to_wait(self, milliseconds: int) -> None:
        self._least_s = milliseconds / 1_000

    def gone(self, why: str) -> None:
        """Its connection has ended."""
        if not self._is_ready:
            self._fail(why)
            return
        self._is_ready = False
        if self.was_lost:
            self.crowd.failed(f"lost again: {why}")
            self.crowd.back.pop()
        self.was_lost = True
        self.crowd.lost.append(time.monotonic())
        self.crowd.planned.append(time.monotonic() + self._come_back())

    def _fail(self, why: str) -> None:
        self._token = None
        self.crowd.failed(why)
        self.settled.set()
        self._come_back()

    def _come_back(self) -> float:
        pause = pause_s(self._attempt, least_s=self._least_s)
        self._attempt += 1
        self._least_s = 0.0
        asyncio.get_running_loop().call_later(pause, self.connect)
        return pause


class _Socket(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, client: _Client, dialect: Dialect) -> None:
        self._client = client
        self._dialect = dialect
        self._why = "closed"

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one
        self._transport = transport
        self._dialect.open()
        self._flush()

    @override
    def data_received(self, data: bytes) -> None:
        # Looked for here: it may come with the close that follows it.
        if (farewell := _FAREWELL.search(data)) is not None:
            self._client.asked_to_wait(int(farewell[1]))
        try:
            messages = self._dialect.split(data)
            for message in messages:
                self._take(message)
        except OSError as error:
            self._why = str(error)
            self._transport.abort()
            return
        self._flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._client.gone(self._why if exc is None else type(exc).__name__)

    def _take(self, message: bytes) -> None:
        match self._dialect.hear(message):
            case Heard.READY:
                self._client.ready()
            case Heard.FAILED:
                self._client.crowd.failed(message[:200].decode(errors="replace"))
            case _:
                pass

    def _flush(self) -> None:
        waiting = self._dialect.to_send
        if waiting:
            self._transport.write(bytes(waiting))
            waiting.clear()


async def _fresh_token(target: Target) -> str:
    """Return a token for the socket, asked for on a connection of its own.

    Raises:
        OSError: There is none; ``ConnectionRefusedError`` where nobody listens.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Request(_token_request(target), answer),
        "127.0.0.1",
        target.port,
    )
    try:
        head, _, body = (await answer).partition(b"\r\n\r\n")
    finally:
        transport.close()
    status = head.partition(b"\r\n")[0]
    if not status:
        raise ConnectionResetError("the server closed before it gave a token")
    if _STATUS_OK not in status:
        raise ConnectionAbortedError(f"token: {status.decode(errors='replace')}")
    return str(json.loads(body)["token"])


def _token_request(target: Target) -> bytes:
    return (
        "POST /streamchat/api/token HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{target.port}\r\n"
        f"Authorization: token {target.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n"
        "Connection: close\r\n\r\n{}"
    ).encode()


class _Request(asyncio.Protocol):
    """One request, whose answer is all that comes until the server closes."""

    def __init__(self, request: bytes, answer: asyncio.Future[bytes]) -> None:
        self._request = request
        self._answer = answer
        self._data = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is one
        transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        self._data += data

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_result(self._data)


async def _run(target: Target, count: int) -> Returns:
    load = Load(clients=count, conversations="none")
    crowd = _Crowd(target, DIALECTS[target.dialect].prepare(target, load))
    gc.freeze()
    async with asyncio.timeout(DEADLINE_S):
        await crowd.connect_all()
        await crowd.all_connected.wait()
    crowd.failures.clear()
    sys.stdout.buffer.write(CONNECTED)
    sys.stdout.flush()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await crowd.all_back.wait()
    except TimeoutError:
        crowd.failed(f"{count - len(crowd.back)} were not back in time")
    return Returns(
        lost=sorted(crowd.lost),
        planned=sorted(crowd.planned),
        back=sorted(crowd.back),
        refused=crowd.refused,
        failures=crowd.failures,
    )


def main() -> None:
    """Connect as many as the arguments say; print how they came back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="a Target, as JSON")
    parser.add_argument("clients", type=int, help="how many")
    arguments = parser.parse_args()
    raise_file_limit()
    target = msgspec.json.decode(arguments.target, type=Target)
    returns = asyncio.run(_run(target, arguments.clients))
    sys.stdout.buffer.write(msgspec.json.encode(returns))


if __name__ == "__main__":
    main()
