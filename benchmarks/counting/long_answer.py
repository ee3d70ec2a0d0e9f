"""Answers that are as long as one likes, and what each of their tokens costs."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import msgspec
from typing_extensions import override

from benchmarks.counting.stepped_api import SteppedApi
from benchmarks.rig.dialects import Heard, StreamchatDialect
from benchmarks.rig.load import Load, Target
from benchmarks.rig.processes import cpu_seconds, process_tree
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from benchmarks.rig.dialects import Seat

__all__ = ["Cost", "CountedServer", "Counts", "LongAnswer"]

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "streamchat_nb/"
PATIENCE_S = 20.0
POLL_S = 0.002
WINDOWS = 3
"""How often a cost is counted; the least of them counts, so that what the server does
now and then beside it does not."""
PLENTY = 1_000_000
RECENT_BYTES = 8_192


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a token cost, the mean of a few of them.

    Attributes:
        tokens: How many had come before.
        calls: Calls that the server made for one, of functions of Python and of C.
        lines: Lines of Python that it ran for one.
        own_steps: Calls and lines of the product's own functions: without those of the
            event loop, which turns more often while others keep the machine busy.
        wire_bytes: Bytes that one viewer got for one.
        calls_by_function: The calls by the names of the functions.
    """

    tokens: int
    calls: float
    lines: float
    own_steps: float
    wire_bytes: float
    calls_by_function: dict[str, float]

    @property
    def steps(self) -> float:
        """Calls and lines: a loop shows in the lines, a comprehension in the calls."""
        return self.calls + self.lines


class Counts(msgspec.Struct, frozen=True):
    """What a server did in a while: calls and lines by the names of functions."""

    calls: dict[str, int]
    lines: dict[str, int]

    @property
    def own_steps(self) -> int:
        """Calls and lines of the product's own functions."""
        counts = [*self.calls.items(), *self.lines.items()]
        return sum(count for name, count in counts if name.startswith(PACKAGE))


class CountedServer:
    """The product's server in a process that counts; an async context manager.

    Attributes:
        api: What it asks.
    """

    def __init__(self) -> None:
        self.api = SteppedApi()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self.api)
            folder = self._stack.enter_context(tempfile.TemporaryDirectory())
            self._counts = Path(folder) / "counts.jsonl"
            self._counts.touch()
            limits = {"frames_per_window": PLENTY, "sockets_per_user": PLENTY}
            self._process = ServerProcess(
                [
                    f"--StreamchatExtension.base_url={self.api.url}",
                    "--StreamchatExtension.model=claude-fake",
                    f"--StreamchatExtension.limits={limits}",
                ],
                application="benchmarks.counting.counted_server",
                environment={
                    "ANTHROPIC_AUTH_TOKEN": "sk-bench",
                    "PYTHONPATH": str(ROOT),
                    "STREAMCHAT_COUNTS": str(self._counts),
                },
            )
            self._stack.callback(self._process.remove)
            await asyncio.to_thread(self._process.start)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def target(self) -> Target:
        """Where viewers go."""
        return Target(
            dialect="streamchat",
            port=self._process.port,
            path="/streamchat/api/ws",
            token=self._process.address.token,
            jwt_secret="",
            server_pids=(),
            api_pid=0,
        )

    def cpu_seconds(self) -> float:
        """Return the CPU seconds it has used, to a hundredth."""
        return cpu_seconds(process_tree(self._process.pid))

    async def begin_count(self) -> None:
        """Count from now on.

        Raises:
            TimeoutError: The server does not do so.
        """
        await self._toggle()

    async def end_count(self) -> Counts:
        """Return what was done since ``begin_count``.

        Raises:
            TimeoutError: The server does not say.
        """
        return msgspec.json.decode(await self._toggle(), type=Counts)

    async def _toggle(self) -> str:
        known = len(self._lines())
        os.kill(self._process.pid, signal.SIGUSR2)
        async with asyncio.timeout(PATIENCE_S):
            while len(lines := self._lines()) == known:  # noqa: ASYNC110 - another process
                await asyncio.sleep(POLL_S)
        return lines[-1]

    def _lines(self) -> list[str]:
        return [
            line
            for line in self._counts.read_text(encoding="utf-8").splitlines(True)
            if line.endswith("\n")
        ]


class LongAnswer:
    """One conversation with some viewers, its history, and an answer that goes on.

    An async context manager: the answer has begun inside, and is ended after it.

    Args:
        server: Where.
        viewers: How many follow it.
        history: Messages before the question: an even number.
    """

    def __init__(
        self, server: CountedServer, *, viewers: int = 1, history: int = 0
    ) -> None:
        self.tokens = 0
        self._server = server
        self._load = Load(clients=viewers, conversations="shared")
        self._history = history
        self._viewers: list[_Viewer] = []

    async def __aenter__(self) -> Self:
        target = self._server.target
        seats = await asyncio.to_thread(StreamchatDialect.prepare, target, self._load)
        loop = asyncio.get_running_loop()
        for seat in seats:
            _, viewer = await loop.create_connection(
                lambda seat=seat: _Viewer(target, seat), "127.0.0.1", target.port
            )
            self._viewers.append(viewer)
            await viewer.hears(Heard.READY)
        for _ in range(self._history // 2):
            await self._begin()
            self._server.api.say("An old answer, of a few words.")
            await self._end()
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()
        for viewer in self._viewers:
            viewer.close()

    async def grow(self, tokens: int, *, at_once: int = 1) -> None:
        """Let the answer become longer.

        Args:
            tokens: By how many.
            at_once: So many are said, and then all viewers have them, before the next.

        Raises:
            TimeoutError: One did not reach all of the viewers.
        """
        wanted = self.tokens + tokens
        while self.tokens < wanted:
            for _ in range(min(at_once, wanted - self.tokens)):
                self.tokens += 1
                self._server.api.say(f"{self.tokens:06d} ")
            for viewer in self._viewers:
                await viewer.sees(b"%06d " % self.tokens)

    async def cost(self, tokens: int = 20) -> Cost:
        """Return what a token costs now; it grows by a few times ``tokens``.

        Raises:
            TimeoutError: As ``grow``.
        """
        windows: list[Cost] = []
        for _ in range(WINDOWS):
            before, bytes_before = self.tokens, self._viewers[0].wire_bytes
            await self._server.begin_count()
            await self.grow(tokens)
            counts = await self._server.end_count()
            windows.append(
                Cost(
                    tokens=before,
                    calls=sum(counts.calls.values()) / tokens,
                    lines=sum(counts.lines.values()) / tokens,
                    own_steps=counts.own_steps / tokens,
                    wire_bytes=(self._viewers[0].wire_bytes - bytes_before) / tokens,
                    calls_by_function={
                        name: count / tokens for name, count in counts.calls.items()
                    },
                )
            )
        least = min(windows, key=lambda cost: cost.own_steps)
        return replace(least, wire_bytes=min(cost.wire_bytes for cost in windows))

    async def _begin(self) -> None:
        self._viewers[0].ask("Say something.")
        await self._server.api.begin()

    async def _end(self) -> None:
        self._server.api.end()
        await self._viewers[0].hears(Heard.DONE)


class _Viewer(asyncio.Protocol):
    """One client of a conversation; counts what reaches it."""

    def __init__(self, target: Target, seat: Seat) -> None:
        self.wire_bytes = 0
        self._dialect = StreamchatDialect(target, seat)
        self._came = asyncio.Event()
        self._heard: set[Heard] = set()
        self._recent = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._dialect.open()
        self._flush()

    @override
    def data_received(self, data: bytes) -> None:
        self.wire_bytes += len(data)
        self._recent = (self._recent + data)[-RECENT_BYTES:]
        for message in self._dialect.split(data):
            self._heard.add(self._dialect.hear(message))
        self._flush()
        self._came.set()

    def ask(self, text: str) -> None:
        """Send a question."""
        self._heard.clear()
        self._dialect.ask(text)
        self._flush()

    async def hears(self, what: Heard) -> None:
        """Wait until something was said since the last question."""
        async with asyncio.timeout(PATIENCE_S):
            while what not in self._heard:
                await self._next()

    async def sees(self, text: bytes) -> None:
        """Wait until a text is among what came last."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self._recent:
                await self._next()

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.abort()

    async def _next(self) -> None:
        self._came.clear()
        await self._came.wait()

    def _flush(self) -> None:
        self._transport.write(bytes(self._dialect.to_send))
        self._dialect.to_send.clear()
