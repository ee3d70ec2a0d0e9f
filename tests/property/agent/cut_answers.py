"""Whole turns on answers that the network cuts, by the real agent, model and SDK."""

from __future__ import annotations

import asyncio
import json
import re
import selectors
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import httpx2
from typing_extensions import override

from streamchat_nb.agent.agent import Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel, EndpointProfile
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.agent.runner import TurnRunner
from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.store import ConversationRecord
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.codec import decode_frame
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Generator

    from streamchat_nb.protocol.frames import Frame

Ending = Literal["end", "reset", "stall", "page", "json"]
ENDINGS: tuple[Ending, ...] = ("end", "reset", "stall", "page", "json")

_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"
_ERROR = {"type": "error", "error": {"type": "api_error", "message": "Bad gateway."}}
_WHOLE: dict[str, object] = {
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "text", "text": "Another answer."},
        {"type": "tool_use", "id": "toolu_other", "name": "other", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ERROR_BODY = json.dumps(_ERROR).encode()
WHOLE_BODY = json.dumps(_WHOLE).encode()
_NAME = re.compile(rb'"name":\s*"([\w-]{1,64})"')
_USER = Author(id="u", name="U", kind="user")


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can jump to the next timer where nothing happens.

    Attributes:
        selector: Whether it jumps; not while a thread has work for the loop.
    """

    def __init__(self) -> None:
        self.selector = _SkippingSelector()
        super().__init__(self.selector)

    @override
    def time(self) -> float:
        return super().time() + self.selector.skipped_s


class _SkippingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.skips = False
        self.skipped_s = 0.0

    @override
    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout and self.skips else timeout)
        if timeout and self.skips and not ready:
            self.skipped_s += timeout
        return ready


@contextmanager
def skipping_clock(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Let the clock of a ``SkippingLoop`` jump within the block."""
    assert isinstance(loop, SkippingLoop)
    loop.selector.skips = True
    try:
        yield
    finally:
        loop.selector.skips = False


class _Body(httpx2.AsyncByteStream):
    """Bytes, and how they end."""

    def __init__(self, begin: bytes, ending: Ending | None, body: bytes) -> None:
        self._begin = begin
        self._ending = ending
        self._body = body

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begin:
            yield self._begin
        match self._ending:
            case "reset":
                raise httpx2.ReadError("Connection reset by peer")
            case "stall":
                await asyncio.Event().wait()
            case "page":
                yield _PAGE
            case "json":
                yield self._body
            case _:
                pass


class CuttingTransport(httpx2.AsyncBaseTransport):
    """Answers each request with the next of its answers; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[httpx2.Response] = []
        self.requests = 0

    def answer(
        self,
        *begins: bytes,
        ending: Ending | None = None,
        body: bytes = ERROR_BODY,
        status: int = 200,
    ) -> None:
        """Set the answers to come."""
        self.answers = [
            httpx2.Response(
                status,
                headers={"content-type": "text/event-stream"},
                stream=_Body(begin, ending, body),
            )
            for begin in begins
        ]
        self.requests = 0

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        return self.answers.pop(0)


class _AnyInput(Tool):
    """Takes what it is given and notes it."""

    description = "Notes its input."
    input_schema: dict[str, Any] = {"type": "object"}  # noqa: RUF012 - as Tool has it
    label = "Noting…"

    def __init__(self, name: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self.name = name
        self._calls = calls

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        self._calls.append((self.name, input_))
        return ToolResult(output="noted")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a turn.

    Attributes:
        finished: Its terminal event.
        events: All its events, as the log has them.
        calls: The tools that ran, with their inputs.
        requests: How often the endpoint was asked.
    """

    finished: e.TurnFinished
    events: list[Frame | e.Event | e.UnknownEvent]
    calls: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )
    requests: int


class Bench:
    """An agent on a transport that cuts, and a log that keeps what it did."""

    def __init__(
        self, agent: AnthropicAgent, transport: CuttingTransport, writer: LogWriter
    ) -> None:
        self.transport = transport
        self._agent = agent
        self._writer = writer
        self._numbers = count(1)

    async def run(self, tools: frozenset[str] = frozenset()) -> Outcome:
        """Run one turn on the answers that the transport has."""
        calls: list[tuple[str, dict[str, Any]]] = []
        number = next(self._numbers)
        log = await self._writer.create(
            ConversationRecord(
                id=f"c{number}",
                log=f"l{number}",
                owner="u",
                title="",
                created_ms=0,
                updated_ms=0,
            ),
            e.ConversationCreated(by=_USER),
            e.MessageCreated(
                turn="t",
                message="m0",
                role="user",
                author=_USER,
                content=[TextBlock(text="Go on")],
            ),
            e.TurnStarted(turn="t", message="m0", agent="assistant"),
        )
        messages = count(1)

        async def make_turn(runner: TurnRunner) -> Turn:
            return Turn(
                conversation=log.id,
                turn=runner.turn_id,
                history=[{"role": "user", "content": "Go on"}],
                tools=ToolSet(_AnyInput(name, calls) for name in sorted(tools)),
                limits=TurnLimits(),
                new_message_id=lambda: f"m{next(messages)}",
            )

        finished = await TurnRunner(log, self._agent, "t", make_turn).run()
        stored = await self._writer.store.read(
            log.id, 3, limit_events=100_000, limit_bytes=100_000_000
        )
        await self._writer.store.delete(log.id)
        return Outcome(
            finished=finished,
            events=[decode_frame(event.data) for event in stored],
            calls=calls,
            requests=self.transport.requests,
        )


@asynccontextmanager
async def bench(*, lenient: bool = False, tries: int = 1) -> AsyncGenerator[Bench]:
    """Give a bench, whose agent has been used once."""
    transport = CuttingTransport()
    profile = EndpointProfile(lenient=lenient)
    model = AnthropicModel(
        "m", api_key="k", base_url="http://h", transport=transport, profile=profile
    )
    await model.warm()
    agent = AnthropicAgent(model, retry=RetryPolicy(tries=tries))
    store = MemoryStore()
    await store.open()
    writer = LogWriter(store)
    writer.start()
    new = Bench(agent, transport, writer)
    # The SDK asks a thread, once, what machine this is.
    transport.answer(b"")
    await new.run()
    try:
        yield new
    finally:
        await writer.stop()
        await store.close()
        await agent.close()


def tools_in(stream: bytes) -> frozenset[str]:
    """Return the names of all tools that a stream calls, and of one more."""
    return frozenset(name.decode() for name in _NAME.findall(stream)) | {"other"}


def check_ends(outcome: Outcome) -> None:
    """Everything that began has ended exactly once, and the turn last of all."""
    begun = Counter[str]()
    ended = Counter[str]()
    for event in outcome.events:
        match event:
            case e.MessageCreated():
                begun[event.message] += 1
            case e.MessageCompleted() | e.MessageDiscarded():
                ended[event.message] += 1
            case e.ToolRequested():
                begun[event.tool_call] += 1
            case e.ToolCompleted():
                ended[event.tool_call] += 1
            case e.TurnFinished():
                ended["turn"] += 1
            case _:
                pass
    assert begun + Counter(["turn"]) == ended
    assert set(ended.values()) == {1}
    assert isinstance(outcome.events[-1], e.TurnFinished)


def check_failed(outcome: Outcome, codes: Collection[str]) -> None:
    """The turn failed in words; nothing looks whole and no tool ran here."""
    check_ends(outcome)
    assert outcome.finished.status == "failed"
    assert outcome.finished.error is not None
    assert outcome.finished.error.code in codes
    assert outcome.calls == []
    for event in outcome.events:
        assert not isinstance(event, e.ToolRequested) or event.where == "provider"
        assert not isinstance(event, e.ToolStarted) or event.executor == "provider"
        assert not isinstance(event, e.MessageCompleted) or event.partial
