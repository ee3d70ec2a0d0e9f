"""A LangGraph graph as an agent: what it streams, as the events of an answer."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import msgspec
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.answer_writer import AnswerWriter
from streamchat_nb.agent.graph_approvals import ASK_TOOL, questions_of, resume_of
from streamchat_nb.agent.graph_checkpoint import (
    QUESTIONS,
    remembered,
    repair_checkpoint,
)
from streamchat_nb.agent.graph_messages import messages_of
from streamchat_nb.agent.graph_reader import GraphReader
from streamchat_nb.errors import StreamchatError, UsageError
from streamchat_nb.protocol.content import ToolUseBlock
from streamchat_nb.protocol.events import TurnStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from langchain_core.messages import BaseMessage

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.agent.graph_approvals import Question
    from streamchat_nb.protocol.events import ToolApprovalResolved

__all__ = ["LangGraphAgent"]

logger = logging.getLogger(__name__)

_THINKING = TurnStatus(phase="thinking", label="Agent is thinking…")
_STREAM_MODES = ["messages", "updates", "custom", "tasks"]
_LONGEST_REPAIR_S = 10.0


class LangGraphAgent(Agent):
    """Answers with a compiled graph, for example of ``create_agent``.

    The conversation's id is the graph's ``thread_id``; each further branch of it has a
    thread of its own. With a checkpointer the graph remembers the conversation and is
    sent what is new in it; without one it is sent the whole history each time, and what
    it has to remember between a question to a person and the answer is kept in memory.

    What its models say is the answer. Its tools are shown as they start, report by
    ``get_stream_writer()`` and end; its interrupts are asked as approvals. Text of a
    model that is tagged ``nostream`` is not shown.

    Args:
        graph: A compiled graph. Its state has ``messages``, or ``to_input`` is given.
        name: How users choose it; the graph's own name when ``None``.
        description: For users, in a line.
        config: More of LangGraph's config, for example ``{"recursion_limit": 50}``.
        context: LangGraph's run-scoped context.
        to_input: Makes the graph's input of LangChain messages, the last of which is
            the user's; it is then called with the whole history each time.
        to_text: Makes the answer's text of the graph's last state, where no model and
            no message says it.
        monotonic: The clock for limits, in seconds.

    Raises:
        UsageError: This graph cannot be talked to as it is; says what to do.
    """

    def __init__(  # noqa: PLR0913 (options by keyword)
        self,
        graph: Any,  # noqa: ANN401 - LangGraph is imported by whoever made it
        *,
        name: str | None = None,
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
        context: object = None,
        to_input: Callable[[list[BaseMessage]], object] | None = None,
        to_text: Callable[[Any], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name or str(getattr(graph, "name", "") or "LangGraph")
        self.description = description or ""
        self.graph = graph
        self.config: Mapping[str, Any] = config or {}
        self.context = context
        self.to_input = to_input
        self.to_text = to_text
        self.monotonic = monotonic
        self.repairs: dict[str, asyncio.Task[None]] = {}
        _check(graph, self.name, has_input=to_input is not None)

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        async with aclosing(_GraphRun(self, turn).events()) as events:
            async for event in events:
                yield event


class _GraphRun:
    """One turn: runs of the graph, with a person's answers between them."""

    def __init__(self, agent: LangGraphAgent, turn: Turn) -> None:
        self._agent = agent
        self._turn = turn
        self._remembers = bool(getattr(agent.graph, "checkpointer", None))
        self._graph = agent.graph if self._remembers else _with_memory(agent.graph)
        self._writer = AnswerWriter(turn, name=agent.name)
        self._reader = GraphReader(self._writer)
        self._config = _merged(agent.config, turn)
        self._thread = str(self._config["configurable"]["thread_id"])
        self._values: Any = None
        self._command: object = None
        self._stopped_early = False
        self._ends_at = agent.monotonic() + turn.limits.wall_clock_s

    async def events(self) -> AsyncGenerator[AgentEvent]:
        """Run the graph until it has no more questions, and yield what happens.

        Cancellation: the graph's run is cancelled, and its memory is repaired behind
        a shield.

        Raises:
            StreamchatError: It took too long, or said nothing.
            Exception: Whatever the graph raised.
        """
        yield _THINKING
        limits = self._turn.limits
        if limits.cost_usd is not None or limits.conversation_cost_usd is not None:
            raise UsageError(
                "There is a ceiling in money, and what the models of a graph cost is "
                "not known. Set a ceiling in tokens instead "
                "(StreamchatExtension.turn_limits)."
            )
        given = await self._input()
        is_whole = False
        try:
            while given is not None:
                async with aclosing(self._run(given)) as events:
                    async for event in events:
                        yield event
                given = None
                if self._reader.interrupts:
                    async with aclosing(self._ask()) as events:
                        async for event in events:
                            yield event
                    given = self._command
            for event in self._end():
                yield event
            is_whole = not self._stopped_early
        except Exception as error:
            for event in self._reader.failed(error):
                yield event
            raise
        finally:
            if not is_whole and self._remembers:
                await self._repair()

    async def _input(self) -> object:
        """Return what the graph is given: what it has not seen of the conversation."""
        history = self._turn.history
        metadata = self._config["metadata"]
        if self._remembers:
            await self._over(self._agent.repairs.get(self._thread))
            known, seen = await remembered(self._graph, self._config)
            if known:
                metadata[QUESTIONS] = seen
                await repair_checkpoint(self._graph, self._config)
                history = _unseen(history, seen)
        metadata[QUESTIONS] = _questions(self._turn.history)
        if self._agent.to_input is not None:
            return self._agent.to_input(messages_of(self._turn.history))
        return {"messages": messages_of(history)}

    async def _run(self, given: object) -> AsyncGenerator[AgentEvent]:
        """Run the graph once, up to its end or its next questions."""
        self._reader.resumed()
        modes = [*_STREAM_MODES, *(["values"] if self._agent.to_text else [])]
        stream = cast(
            "AsyncGenerator[dict[str, Any]]",
            self._graph.astream(
                given,
                self._config,
                context=self._agent.context,
                stream_mode=modes,
                subgraphs=True,
                version="v2",
            ),
        )
        async with aclosing(stream):
            while (part := await self._next(stream)) is not None:
                if part["type"] == "values" and not part["ns"]:
                    self._values = part["data"]
                for event in self._reader.feed(part):
                    yield event
                if self._reader.at_boundary and self._turn.is_superseded():
                    self._stopped_early = True
                    return
                if (limit := self._limit_reached()) is not None:
                    break
            else:
                return
        for event in self._stopped(limit):
            yield event

    async def _next(
        self, stream: AsyncGenerator[dict[str, Any]]
    ) -> dict[str, Any] | None:
        wait = asyncio.timeout(self._ends_at - self._agent.monotonic())
        try:
            async with wait:
                return await anext(stream, None)
        except TimeoutError:
            if not wait.expired():
                raise
            limit_s = self._turn.limits.wall_clock_s
            raise StreamchatError(
                f"I stopped here: the limit of {limit_s:g} s for one answer is "
                "reached.",
                code="agent_timeout",
            ) from None

    def _limit_reached(self) -> str | None:
        """Return which limit the calls that now wait would go beyond, in words."""
        limits, reader = self._turn.limits, self._reader
        if not self._writer.running:
            return None
        if reader.calls > limits.tool_calls:
            return f"the limit of {limits.tool_calls} tool calls for one answer"
        if reader.steps >= limits.steps:
            return f"the limit of {limits.steps} steps for one answer"
        before = self._turn.spent.tokens
        ceilings = (
            (limits.output_tokens, reader.output_tokens, "one answer"),
            (limits.tokens, reader.tokens, "one answer"),
            (limits.conversation_tokens, before + reader.tokens, "this conversation"),
        )
        for most, used, scope in ceilings:
            if most is not None and used >= most:
                return f"the limit of {most} tokens for {scope}"
        return None

    def _stopped(self, limit: str) -> list[AgentEvent]:
        self._stopped_early = True
        events: list[AgentEvent] = []
        for call in [*self._writer.running]:
            output = f"Not run: {limit} is reached."
            events += self._writer.ended(call, status="error", output=output)
        self._reader.resumed()
        return [*events, *self._reader.say(f"I stopped here: {limit} is reached.")]

    async def _ask(self) -> AsyncGenerator[AgentEvent]:
        """Ask a person what the graph asks; the answers are in ``_command`` then."""
        from langgraph.types import Command

        questions = questions_of(self._reader.interrupts)
        calls: list[ToolUseBlock] = []
        for question in questions:
            events, call = self._call_of(question, but={each.id for each in calls})
            calls.append(call)
            for event in events:
                yield event
        answers: list[ToolApprovalResolved | None] = [None] * len(questions)
        if self._turn.approval is not None:
            timeout_s = self._turn.approval_timeout_s
            requests = [
                question.request(call, timeout_s=timeout_s)
                for question, call in zip(questions, calls, strict=True)
            ]
            for request in requests:
                yield request
            names = ", ".join(dict.fromkeys(question.name for question in questions))
            label = f"Waiting for your approval of {names}…"
            yield TurnStatus(phase="waiting_approval", label=label)
            began = self._agent.monotonic()
            answers = [*await self._answers([each.approval for each in requests])]
            self._ends_at += self._agent.monotonic() - began
        answered = list(zip(questions, answers, strict=True))
        resume = resume_of(answered)
        for (question, answer), call in zip(answered, calls, strict=True):
            for event in self._answered(question, answer, call, resume):
                yield event
        yield _THINKING
        self._command = Command(resume=resume)

    def _call_of(
        self, question: Question, *, but: set[str]
    ) -> tuple[list[AgentEvent], ToolUseBlock]:
        """Return the call that a question is about; what has none gets one."""
        reader = self._reader
        if question.tool_call is not None:
            call = reader.call_named(question.tool_call)
        else:
            call = reader.call_like(question.name, question.input, but=but)
        if call is not None:
            return [], call
        settled = reader.settled()
        self._writer.begin()
        events, own = self._writer.ask(
            ToolUseBlock(id="ask", name=question.name, input=question.input)
        )
        label = "Asking you…" if question.name == ASK_TOOL else None
        asked = self._writer.requested(own, label=label, needs_approval=True)
        return [*settled, *events, asked], own

    async def _answers(self, approvals: list[str]) -> list[ToolApprovalResolved]:
        wait = self._turn.approval
        if wait is None:
            raise UsageError("nobody can be asked")
        tasks = [asyncio.ensure_future(wait(approval)) for approval in approvals]
        try:
            return [await task for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _answered(
        self,
        question: Question,
        answer: ToolApprovalResolved | None,
        call: ToolUseBlock,
        resume: dict[str, Any],
    ) -> list[AgentEvent]:
        """Return the end of a call that was nothing but a question; note a no."""
        agreed = answer is not None and answer.decision == "approved"
        if question.allowed:
            if not agreed:
                self._reader.denied(call.id)
            return []
        value = msgspec.json.encode(resume[question.interrupt], enc_hook=str).decode()
        if not agreed:
            reason = (answer.reason if answer else None) or ""
            said = f"The user said no. {reason}".strip()
            return self._writer.ended(call.id, status="denied", output=said)
        return self._writer.ended(call.id, status="ok", output=f"The answer: {value}")

    def _end(self) -> list[AgentEvent]:
        events: list[AgentEvent] = []
        if self._agent.to_text is not None and self._values is not None:
            events += self._reader.say(self._agent.to_text(self._values))
        elif not self._reader.said_anything and not self._turn.is_superseded():
            raise UsageError(
                f"The graph {self._agent.name} ended and said nothing: no model of it "
                "streamed text, and it added no AIMessage to its messages. Let a node "
                'return {"messages": [AIMessage(…)]}, or give LangGraphAgent(graph, '
                "to_text=…), which makes text of the last state."
            )
        return [*events, *self._reader.end()]

    async def _repair(self) -> None:
        """Repair the graph's memory, also when this is cancelled again meanwhile."""
        thread, repairs = self._thread, self._agent.repairs
        task = asyncio.create_task(self._repair_within())
        repairs[thread] = task

        def over(done: asyncio.Task[None]) -> None:
            if repairs.get(thread) is done:
                del repairs[thread]

        task.add_done_callback(over)
        await asyncio.shield(task)

    async def _over(self, repair: asyncio.Task[None] | None) -> None:
        """Wait for the repair after the turn before."""
        if repair is not None:
            await asyncio.wait({repair}, timeout=_LONGEST_REPAIR_S)

    async def _repair_within(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST_REPAIR_S):
                await repair_checkpoint(self._graph, self._config)
        except Exception as error:  # noqa: BLE001 (the next turn repairs it again)
            logger.warning(
                "The memory of %s is not repaired: %s",
                self._agent.name,
                type(error).__name__,
            )


def _check(graph: Any, name: str, *, has_input: bool) -> None:  # noqa: ANN401
    if not hasattr(graph, "astream") or not hasattr(graph, "aget_state"):
        raise UsageError(
            f"A {type(graph).__name__} is no compiled graph: give graph.compile(), or "
            "what create_agent returns."
        )
    channels = getattr(graph, "channels", None)
    if has_input or channels is None or "messages" in channels:
        return
    own = [key for key in channels if not key.startswith(("__", "branch:"))]
    raise UsageError(
        f"The state of the graph {name} has no messages; it has "
        f"{', '.join(own) or 'nothing'}. Add messages to it (class State(MessagesState)"
        "), or say how to talk to it: LangGraphAgent(graph, to_input=lambda messages: "
        '{"question": messages[-1].text}, to_text=lambda state: state["answer"]).'
    )


def _with_memory(graph: Any) -> Any:  # noqa: ANN401 - any graph
    """Return the graph with a memory for one turn, for questions to a person."""
    if not hasattr(graph, "copy") or not hasattr(graph, "checkpointer"):
        return graph
    from langgraph.checkpoint.memory import InMemorySaver

    return graph.copy(update={"checkpointer": InMemorySaver(serde=_AsItIs())})


class _AsItIs:
    """Keeps values as they are for the time of a turn: any will do, as without it."""

    def __init__(self) -> None:
        self._values: list[object] = []

    def dumps_typed(self, obj: object) -> tuple[str, bytes]:
        """Keep a value; returns what it is found by."""
        self._values.append(obj)
        return "kept", str(len(self._values) - 1).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401 - any value
        """Return a value that was kept."""
        return self._values[int(data[1])]


def _merged(config: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
    thread = turn.thread or turn.conversation
    configurable = {"thread_id": thread, **config.get("configurable", {})}
    metadata = dict(config.get("metadata", {}))
    return {**config, "configurable": configurable, "metadata": metadata}


def _is_question(message: dict[str, Any]) -> bool:
    content = message["content"]
    return message["role"] == "user" and (
        isinstance(content, str)
        or any(block.get("type") != "tool_result" for block in content)
    )


def _questions(history: list[dict[str, Any]]) -> int:
    return sum(_is_question(message) for message in history)


def _unseen(history: list[dict[str, Any]], seen: int | None) -> list[dict[str, Any]]:
    """Return what a graph has not seen, from its first unseen question on."""
    places = [place for place, message in enumerate(history) if _is_question(message)]
    last = len(places) - 1
    first = last if seen is None else min(seen, last)
    question, *others = history[places[first] :]
    # Results in it belong to what came before.
    return [{**question, "content": _own_words(question["content"])}, *others]


def _own_words(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [block for block in content if block.get("type") != "tool_result"]
