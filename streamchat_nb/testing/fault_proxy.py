"""A network that fails on purpose: a TCP proxy in front of a server, for tests.

::

    with FaultProxy(server.port, faults=random_cuts(seed=7)) as proxy:
        ...  # talk to 127.0.0.1:{proxy.port} as to the server itself
        proxy.blocked = {"websocket"}
        proxy.cut("rst")
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self

from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

__all__ = [
    "Blockable",
    "Ending",
    "FaultProxy",
    "LineFault",
    "ProxiedRequest",
    "RequestFaults",
    "random_cuts",
]

Blockable = Literal["websocket", "event-stream"]
"""A kind of request that a network may not let through."""

Ending = Literal["fin", "rst", "silence"]
"""How a connection ends: politely, by a reset, or by nothing at all any more."""

CHUNK_BYTES = 65_536
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
GOODBYE_S = 1.0
PIECES_PER_S = 20
COMMANDS_BYTES = 600
_METHODS = (b"GET ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ", b"HEAD ")
_RESET = struct.pack("ii", 1, 0)
_Kind = Literal["websocket", "event-stream", "other"]


@dataclass(frozen=True, kw_only=True)
class LineFault:
    """What is wrong with one direction of a connection, from a request on.

    Attributes:
        cut_after_bytes: How many bytes pass before both directions end; ``None`` for
            no end. The request itself counts on its way to the server.
        ending: How they end. ``silence``: both sides stay connected, and nothing of
            what they say arrives.
        delay_s: How long each piece is held back, in seconds; what comes meanwhile
            goes with the next one.
        bytes_per_s: Most bytes that pass in a second; ``None`` for no bound.
    """

    cut_after_bytes: int | None = None
    ending: Ending = "fin"
    delay_s: float = 0.0
    bytes_per_s: float | None = None

    def __post_init__(self) -> None:
        if self.bytes_per_s is not None and self.bytes_per_s <= 0:
            raise UsageError("bytes_per_s must be more than 0; silence is an ending.")

    @property
    def chunk_bytes(self) -> int:
        """How many bytes may pass in one piece."""
        if self.bytes_per_s is None:
            return CHUNK_BYTES
        return max(1, min(CHUNK_BYTES, int(self.bytes_per_s / PIECES_PER_S)))


@dataclass(frozen=True, kw_only=True)
class RequestFaults:
    """What is wrong with a connection from a request on, in each direction."""

    to_server: LineFault = LineFault()
    to_client: LineFault = LineFault()


@dataclass(frozen=True, kw_only=True)
class ProxiedRequest:
    """A request that is about to pass.

    Attributes:
        number: How many requests came before it.
        kind: What it asks for.
        line: Its first line, ``GET /path HTTP/1.1``.
        head_bytes: How long its head is.
    """

    number: int
    kind: _Kind
    line: str
    head_bytes: int


def random_cuts(
    seed: int,
    *,
    within_bytes: int = 6_000,
    endings: tuple[Ending, ...] = ("fin", "rst", "silence"),
) -> Callable[[ProxiedRequest], RequestFaults]:
    """Return faults that cut each WebSocket and event stream at a random byte.

    Args:
        seed: The same seed cuts at the same places, in the order of the requests.
        within_bytes: Before which byte of the answer. One cut in four is on the way
            to the server instead: within the request, or the first commands.
        endings: How, each as often.
    """
    dice = random.Random(seed)  # noqa: S311 - the same on each run

    def choose(request: ProxiedRequest) -> RequestFaults:
        if request.kind == "other":
            return RequestFaults()
        is_upward = dice.random() < 0.25  # noqa: PLR2004
        most = within_bytes
        if is_upward:
            commands = COMMANDS_BYTES if request.kind == "websocket" else 0
            most = request.head_bytes + commands
        fault = LineFault(
            cut_after_bytes=dice.randrange(most), ending=dice.choice(endings)
        )
        if is_upward:
            return RequestFaults(to_server=fault)
        return RequestFaults(to_client=fault)

    return choose


class FaultProxy:
    """Forwards HTTP and WebSockets to a port of 127.0.0.1, as badly as it is told.

    A context manager; runs on a thread of its own, so that it serves synchronous and
    asynchronous tests alike. What is blocked and what fails may be changed while it
    runs; requests that were let through live on.

    Args:
        target_port: Where to forward to. Nobody needs to listen there yet.
        path: Only requests whose address contains this are blocked or fail.
        faults: Says for each request, on the proxy's thread, what is to go wrong.
        silence_s: How long a silent connection is kept, in seconds, before it is
            reset.

    Attributes:
        blocked: What is blocked now: such a request has its connection closed, as by
            a firewall that does not like what it sees.
        faults: As the argument.
        cuts: How many connections were cut so far, by how they ended; blocked ones
            count as ``fin``.
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(
        self,
        target_port: int,
        *,
        path: str = "/streamchat/",
        faults: Callable[[ProxiedRequest], RequestFaults] | None = None,
        silence_s: float = 60.0,
    ) -> None:
        self.blocked: set[Blockable] = set()
        self.faults = faults
        self.cuts: Counter[Ending] = Counter()
        self.port = 0
        self._target = ("127.0.0.1", target_port)
        self._path = path.encode()
        self._silence_s = silence_s
        self._requests = 0
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._run, name="fault proxy", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(START_TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_TIMEOUT_S)

    def cut(self, ending: Ending = "fin") -> None:
        """End every connection that is open now."""
        self._loop.call_soon_threadsafe(self._cut_all, ending)

    def _cut_all(self, ending: Ending) -> None:
        for connection in tuple(self._connections):
            connection.end(ending)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        with socket.create_server(("127.0.0.1", 0), backlog=1_024) as listener:
            listener.setblocking(False)
            self.port = int(listener.getsockname()[1])
            self._own(self._accept(listener))
            self._started.set_result(None)
            await self._stop.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            self._own(self._forward(client))

    async def _forward(self, client: socket.socket) -> None:
        server = socket.socket()
        with client, server:
            for line in (client, server):
                line.setblocking(False)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await self._loop.sock_connect(server, self._target)
            except OSError:
                _reset_on_close(client)
                return
            connection = _Connection(client, server, self._faults_of, self.cuts)
            self._connections.add(connection)
            try:
                ending = await connection.run()
            finally:
                self._connections.discard(connection)
            await self._end(client, server, ending)

    async def _end(
        self, client: socket.socket, server: socket.socket, ending: Ending | None
    ) -> None:
        match ending:
            case None:
                pass
            case "fin":
                # Closing a socket with unread data would reset it.
                for line in (client, server):
                    _close_our_half(line)
                await _swallow(client, server, seconds=GOODBYE_S)
            case "rst":
                _reset_on_close(client, server)
            case "silence":
                await _swallow(client, server, seconds=self._silence_s)
                _reset_on_close(client, server)

    def _faults_of(self, request: bytes) -> RequestFaults | None:
        """Return what is to go wrong with a request; ``None``: it is blocked."""
        head = request.split(b"\r\n\r\n", 1)[0]
        line = head.split(b"\r\n", 1)[0]
        if self._path not in line:
            return RequestFaults()
        kind = _kind_of(head.lower())
        if kind in self.blocked:
            return None
        number = self._requests
        self._requests += 1
        if self.faults is None:
            return RequestFaults()
        return self.faults(
            ProxiedRequest(
                number=number,
                kind=kind,
                line=line.decode("latin-1"),
                head_bytes=len(head) + 4,
            )
        )

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass(eq=False)
class _Line:
    """One direction of a connection."""

    source: socket.socket
    sink: socket.socket
    fault: LineFault = field(default_factory=LineFault)
    passed_bytes: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more may pass."""
        most = self.fault.cut_after_bytes
        return most is not None and self.passed_bytes >= most

    def misbehave(self, fault: LineFault) -> None:
        """Begin to count, and to fail as told."""
        self.fault = fault
        self.passed_bytes = 0

    async def pass_on(self, data: bytes) -> None:
        """Pass data on, as slowly and as far as it may."""
        fault = self.fault
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.cut_after_bytes is not None:
            data = data[: fault.cut_after_bytes - self.passed_bytes]
        await asyncio.get_running_loop().sock_sendall(self.sink, data)
        self.passed_bytes += len(data)
        if fault.bytes_per_s is not None:
            await asyncio.sleep(len(data) / fault.bytes_per_s)


class _Connection:
    """Both directions of one connection.

    Args:
        client: The socket to who connected.
        server: The socket to where it is forwarded.
        faults_of: Says what is to go wrong with a request; ``None`` blocks it.
        cuts: Counts what was cut.
    """

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        faults_of: Callable[[bytes], RequestFaults | None],
        cuts: Counter[Ending],
    ) -> None:
        self._to_server = _Line(client, server)
        self._to_client = _Line(server, client)
        self._faults_of = faults_of
        self._cuts = cuts
        self._open_lines = 2
        self._ending: asyncio.Future[Ending | None] = (
            asyncio.get_running_loop().create_future()
        )

    def end(self, ending: Ending) -> None:
        """Cut it; the first end counts."""
        if not self._ending.done():
            self._cuts[ending] += 1
        self._settle(ending)

    async def run(self) -> Ending | None:
        """Forward until it ends; return how, or ``None`` when both sides closed it."""
        pumps = {
            asyncio.ensure_future(self._pump(line))
            for line in (self._to_server, self._to_client)
        }
        try:
            return await self._ending
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)

    async def _pump(self, line: _Line) -> None:
        """Copy one direction; when both have ended, so has the connection."""
        try:
            await self._copy(line)
        except OSError:
            self._settle("rst")  # as one side did to us, we do to the other
        except Exception:
            self._settle("rst")
            raise
        self._open_lines -= 1
        if not self._open_lines:
            self._settle(None)

    def _settle(self, ending: Ending | None) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def _copy(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(line.source, line.fault.chunk_bytes):
            if line is self._to_server and data.startswith(_METHODS):
                faults = self._faults_of(data)
                if faults is None:
                    self.end("fin")
                    return
                self._to_server.misbehave(faults.to_server)
                self._to_client.misbehave(faults.to_client)
            await line.pass_on(data)
            if line.is_over:
                self.end(line.fault.ending)
                return
        _close_our_half(line.sink)


def _kind_of(head: bytes) -> _Kind:
    """Return what a request asks for, by its head in lower case."""
    if b"\r\nupgrade: websocket" in head:
        return "websocket"
    return "event-stream" if b"text/event-stream" in head else "other"


def _close_our_half(line: socket.socket) -> None:
    """Say that nothing more comes from here; what comes from there still may."""
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_WR)


def _reset_on_close(*lines: socket.socket) -> None:
    for line in lines:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


async def _swallow(*lines: socket.socket, seconds: float) -> None:
    """Read what comes on all lines, for nobody, until they close or time is over."""
    loop = asyncio.get_running_loop()

    async def swallow(line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while await loop.sock_recv(line, CHUNK_BYTES):
                pass

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*map(swallow, lines))
