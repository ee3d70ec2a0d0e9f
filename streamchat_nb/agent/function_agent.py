"""A function as an agent: what it yields is the answer."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent
from streamchat_nb.agent.answer_parts import (
    AnswerPart,
    Status,
    Thinking,
    ToolEnd,
    ToolNews,
    ToolStart,
)
from streamchat_nb.agent.answer_writer import AnswerWriter, MessageWriter
from streamchat_nb.agent.tool_batch import ToolBatch
from streamchat_nb.errors import StreamchatError, UsageError
from streamchat_nb.protocol.content import Action, ToolUseBlock
from streamchat_nb.protocol.events import MessageCreated, ToolStarted, TurnStatus
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.worker_threads import WorkerThreads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from streamchat_nb.agent.agent import Turn, TurnLimits
    from streamchat_nb.tools.registry import ToolSet

__all__ = [
    "Action",
    "AnswerPart",
    "FunctionAgent",
    "FunctionTurn",
    "Status",
    "Thinking",
    "ToolEnd",
    "ToolNews",
    "ToolStart",
]

_THINKING = TurnStatus(phase="thinking", label="Agent is thinking…")
_MOST_OUTPUT_BYTES = 131_072
_CLOSE_GRACE_S = 0.1
_MOST_THREADS = 32
_END = object()
_threads = WorkerThreads(_MOST_THREADS)


class FunctionAgent(Agent):
    """Answers with what a function yields.

    ::

        async def echo(turn):
            yield Status("Looking…")
            found = await turn.call("search_contacts", query=turn.text)
            yield found.output

        agent = FunctionAgent(echo)

    The function takes a ``FunctionTurn``. It is an async generator function; a plain
    generator function (it runs on a worker thread), or a function, async or not, that
    returns the whole text will do as well. It yields text as it comes, and the other
    parts of an answer: ``Status``, ``Thinking``, ``Action``, ``ToolStart``,
    ``ToolNews``, ``ToolEnd``. An ``AgentEvent`` goes through as it is.

    Args:
        function: What answers.
        name: How users choose it; the function's name when ``None``.
        description: For users, in a line; the first of the docstring when ``None``.
        monotonic: The clock for limits and durations, in seconds.

    Raises:
        UsageError: It is no function that takes one argument.
    """

    shapes_answers = True

    def __init__(
        self,
        function: Callable[[FunctionTurn], Any],
        *,
        name: str | None = None,
        description: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(function)
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)
        said = inspect.getdoc(function) or ""
        first_line = said.partition("\n")[0]
        self.description = first_line if description is None else description
        self.monotonic = monotonic

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        async with aclosing(_Running(self, turn).events()) as events:
            async for event in events:
                yield event


class FunctionTurn:
    """What an agent's function is given: the message to answer, and the tools.

    Attributes:
        text: The user's message, its text.
        history: All messages in the shape of Anthropic's Messages API, oldest first;
            the last one is the user's.
        tools: The tools of this turn by name.
        conversation: Id of the conversation.
        id: Id of the turn.
        limits: Where the turn stops by itself.
        output_schema: JSON Schema of an object that the answer is to be, as one JSON
            text; ``None`` for prose.
    """

    def __init__(self, turn: Turn, call: Callable[[str, dict[str, Any]], Any]) -> None:
        self.text = _text_of(turn.history)
        self.history: list[dict[str, Any]] = turn.history
        self.tools: ToolSet = turn.tools
        self.conversation = turn.conversation
        self.id = turn.turn
        self.limits: TurnLimits = turn.limits
        self.output_schema = turn.output_schema
        self._turn = turn
        self._call = call

    @property
    def is_superseded(self) -> bool:
        """Whether a newer message is to be answered instead; end soon, if so."""
        return self._turn.is_superseded()

    async def call(self, tool: str, /, **input_: Any) -> ToolResult:  # noqa: ANN401
        """Call a tool of this turn as a model does, and return its result.

        The input is validated, a person is asked where the tool asks first, and every
        screen sees the call, its progress and its end. Links and buttons of the result
        come under the answer. Calls may run side by side (``asyncio.gather``).

        A call that fails does not raise: ``status`` of its result says how it ended,
        ``output`` why.

        Args:
            tool: The tool's name.
            **input_: Its input.
        """
        return cast("ToolResult", await self._call(tool, input_))


class _Running:
    """One turn of a function: it runs in a task of its own, told of in order."""

    def __init__(self, agent: FunctionAgent, turn: Turn) -> None:
        self._agent = agent
        self._turn = turn
        self._writer = AnswerWriter(turn, name=agent.name)
        self._told: deque[tuple[list[AgentEvent], asyncio.Future[None]]] = deque()
        self._woken = asyncio.Event()
        self._over = False
        self._calls = 0
        self._own_ids: dict[str, str] = {}
        self._asking: set[str] = set()
        self._asks_since = 0.0
        self._ends_at = agent.monotonic() + turn.limits.wall_clock_s

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Run the function and yield what happens.

        Closing the iterator cancels the function and waits a moment for it.

        Raises:
            StreamchatError: It yielded what is no part of an answer, ran too long, or
                ended itself.
            Exception: Whatever it raised.
        """
        yield _THINKING
        running = asyncio.create_task(
            self._run(), name=f"streamchat agent {self._agent.name}"
        )
        running.add_done_callback(self._ended)
        try:
            while not running.done() or self._told:
                await self._wait()
                while self._told:
                    events, taken = self._told[0]
                    for event in events:
                        yield event
                    self._told.popleft()
                    if not taken.done():
                        taken.set_result(None)
            if running.cancelled():
                raise StreamchatError(
                    f"The function of agent {self._agent.name} cancelled itself.",
                    code="agent_failed",
                )
            running.result()
        finally:
            self._over = True
            running.cancel()
            for _, taken in self._told:
                taken.cancel()
            await asyncio.wait({running}, timeout=_CLOSE_GRACE_S)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._woken.set()
        if not running.cancelled():
            running.exception()  # seen, also where nobody waits for it any more

    async def _wait(self) -> None:
        """Wait until there is something to tell, at most until the turn's limit.

        While a person is asked, time does not count.
        """
        while not self._woken.is_set():
            left_s = self._ends_at - self._agent.monotonic()
            if self._asking:
                await self._woken.wait()
            elif left_s <= 0:
                limit_s = self._turn.limits.wall_clock_s
                raise StreamchatError(
                    f"I stopped here: the limit of {limit_s:g} s for one answer is "
                    "reached.",
                    code="agent_timeout",
                )
            else:
                # Not ``wait_for``: that can lose a cancellation that comes just then.
                with suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await self._woken.wait()
        self._woken.clear()

    async def _tell(self, events: list[AgentEvent]) -> None:
        """Hand events over, and return when they are written."""
        if not events:
            return
        if self._over:
            raise StreamchatError("The turn is over.", code="agent_failed")
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told.append((events, taken))
        self._woken.set()
        await taken

    async def _run(self) -> None:
        try:
            await self._answer()
        except (SystemExit, KeyboardInterrupt):
            raise StreamchatError(
                f"The function of agent {self._agent.name} tried to end the process.",
                code="agent_failed",
            ) from None

    async def _answer(self) -> None:
        function, turn = self._agent.function, FunctionTurn(self._turn, self._call)
        value: object
        if _is_async(function):
            value = function(turn)
        else:
            value = await _threads.run(lambda: function(turn))
        if inspect.isawaitable(value):
            value = await value
        if isinstance(value, str):
            await self._take(value)
        elif value is not None:
            await self._iterate(value)
        await self._tell(self._writer.end())

    async def _iterate(self, value: object) -> None:
        if inspect.isasyncgen(value):
            async with aclosing(value):
                async for part in value:
                    await self._take(part)
        elif hasattr(value, "__aiter__"):
            async for part in cast("AsyncIterator[Any]", value):
                await self._take(part)
        elif inspect.isgenerator(value):
            async for part in _stepped(value):
                await self._take(part)
        else:
            raise self._unusable("returned", value)

    async def _take(self, part: object) -> None:
        writer = self._writer
        events: list[AgentEvent]
        match part:
            case str():
                events = self._said().say(part)
            case Thinking(text=text):
                events = self._said().think(text)
            case Status(label=label, phase=phase):
                events = [TurnStatus(phase=phase, label=label)]
            case Action():
                writer.offer([part])
                events = []
            case ToolStart():
                events = self._tool_start(part)
            case ToolNews(id=id_, text=text, fraction=fraction):
                events = writer.news(self._own_ids.get(id_, ""), text, fraction)
            case ToolEnd():
                events = self._tool_end(part)
            case MessageCreated():
                events = [*writer.said.end(), part]
            case _ if isinstance(part, AgentEvent):
                events = [part]
            case _:
                raise self._unusable("yielded", part)
        await self._tell(events)

    def _said(self) -> MessageWriter:
        """Return the message to go on with; what asked for a call has ended."""
        writer = self._writer
        is_over = writer.said.content and not writer.said.is_open
        return writer.begin() if is_over else writer.said

    def _tool_start(self, part: ToolStart) -> list[AgentEvent]:
        call = ToolUseBlock(id=part.id, name=part.name, input=part.input)
        self._said()
        events, own = self._writer.ask(call)
        self._own_ids[part.id] = own.id
        label = part.label if part.label is not None else f"Using {part.name}…"
        return [
            *events,
            self._writer.requested(own, label=label, risk=part.risk),
            TurnStatus(phase="using_tool", label=label),
            ToolStarted(tool_call=own.id),
        ]

    def _tool_end(self, part: ToolEnd) -> list[AgentEvent]:
        result = part.result
        if isinstance(result, str):
            result = ToolResult(output=result, status=part.status)
        return self._writer.ended(
            self._own_ids.get(part.id, ""),
            status=result.status,
            output=result.output,
            display=result.display,
            actions=result.actions,
        )

    async def _call(self, tool: str, input_: dict[str, Any]) -> ToolResult:
        self._calls += 1
        call = ToolUseBlock(id=f"call_{self._calls}", name=tool, input=input_)
        said = self._said()
        events, own = self._writer.ask(call)
        batch = ToolBatch(
            self._turn,
            message=said.message,
            content=said.content,
            allowed=self._turn.limits.tool_calls - self._calls + 1,
            timeout_s=max(self._ends_at - self._agent.monotonic(), 1.0),
            output_limit_bytes=_MOST_OUTPUT_BYTES,
            monotonic=self._agent.monotonic,
        )
        await self._tell(events)
        async with aclosing(batch.events()) as happening:
            async for event in happening:
                self._note_asking(own.id, event)
                await self._tell([event])
        await self._tell([_THINKING])
        self._writer.offer(batch.actions())
        outcome = batch.outcomes[own.id]
        return ToolResult(
            output=outcome.output,
            status=outcome.status,
            actions=tuple(outcome.actions),
            display=tuple(outcome.display),
        )

    def _note_asking(self, tool_call: str, event: AgentEvent) -> None:
        """Note who waits for a person, and give back the time when nobody does."""
        now = self._agent.monotonic()
        match event:
            case TurnStatus(phase="waiting_approval"):
                if not self._asking:
                    self._asks_since = now
                self._asking.add(tool_call)
            case _ if tool_call in self._asking:
                self._asking.remove(tool_call)
                if not self._asking:
                    self._ends_at += now - self._asks_since
            case _:
                pass

    def _unusable(self, how: str, value: object) -> UsageError:
        return UsageError(
            f"The function of agent {self._agent.name} {how} a value of "
            f"type {type(value).__name__}. Yield text, or one of Status, Thinking, "
            "Action, ToolStart, ToolNews, ToolEnd."
        )


async def _stepped(steps: Iterator[object]) -> AsyncGenerator[object]:
    """Yield what a generator yields, each step on a worker thread."""
    while (part := await _threads.run(partial(next, steps, _END))) is not _END:
        yield part


def _check(function: object) -> None:
    if isinstance(function, type) or not callable(function):
        raise UsageError(
            f"An agent's function is a function, not a {type(function).__name__}."
        )
    try:
        inspect.signature(function).bind(None)
    except ValueError:
        return  # built in: it does not tell
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        raise UsageError(
            f"{name} must take one argument, the turn: async def {name}(turn)."
        ) from None


def _is_async(function: object) -> bool:
    call = type(function).__call__
    return any(
        test(each)
        for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for each in (function, call)
    )


def _text_of(history: list[dict[str, Any]]) -> str:
    content: object = history[-1]["content"] if history else ""
    if isinstance(content, str):
        return content
    blocks = cast("list[dict[str, Any]]", content)
    return "\n\n".join(b["text"] for b in blocks if b.get("type") == "text")
