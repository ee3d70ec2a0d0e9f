from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import pytest

from streamchat_nb.agent.agent import Turn, TurnLimits
from streamchat_nb.agent.any_agent import agent_of
from streamchat_nb.agent.function_agent import (
    Action,
    FunctionAgent,
    FunctionTurn,
    Status,
    Thinking,
    ToolEnd,
    ToolNews,
    ToolStart,
)
from streamchat_nb.errors import UsageError
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import ThinkingBlock
from streamchat_nb.testing.agent_run import AgentRun, run_agent
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from streamchat_nb.agent.agent import AgentEvent


@tool
async def greet(name: str, context: ToolContext) -> ToolResult:
    """Greet somebody."""
    context.progress(f"greeting {name}", 0.5)
    link = Action(kind="link", label=name, href="https://example.org/")
    return ToolResult(output=f"Hello {name}", actions=(link,))


@tool(risk="write")
def forget(name: str) -> str:
    """Forget somebody."""
    return f"Forgot {name}"


def answer(function: Callable[[FunctionTurn], Any], **options: Any) -> AgentRun:
    agent = FunctionAgent(function, name="mine")
    run = asyncio.run(run_agent(agent, "Who is Ada?", tools=[greet, forget], **options))
    messages = [*run.history]
    if messages[-1]["role"] == "assistant":
        messages.append({"role": "user", "content": "Go on."})
    check_request({"model": "m", "max_tokens": 1, "messages": messages})
    return run


def of(run: AgentRun, *kinds: type[AgentEvent]) -> list[Any]:
    return [event for event in run.events if isinstance(event, kinds)]


def test_every_part_of_an_answer_reaches_the_screen() -> None:
    async def everything(turn: FunctionTurn) -> AsyncIterator[object]:
        yield Status("Looking…")
        yield Thinking("A name, ")
        yield Thinking("I think.")
        yield "Let me "
        yield "see."
        yield ToolStart("one", "look", {"name": turn.text}, risk="write")
        yield ToolNews("one", "half way", 0.5)
        yield ToolEnd("one", "Found her.")
        yield "There she is."
        yield Action(kind="button", label="Again", send="Look again")

    run = answer(everything)
    assert run.answer.status == "completed"
    assert run.answer.text == "There she is."
    first, last = of(run, e.MessageCompleted)
    assert first.stop_reason == "tool_use"
    assert first.content[0] == ThinkingBlock(thinking="A name, I think.")
    assert first.content[1].text == "Let me see."
    assert last.actions == [Action(kind="button", label="Again", send="Look again")]
    (call,) = run.state.tool_calls
    assert (call.name, call.status, call.output) == ("look", "ok", "Found her.")
    assert (call.input, call.risk) == ({"name": "Who is Ada?"}, "write")
    assert of(run, e.ToolProgress)[0].fraction == 0.5
    assert "Looking…" in [status.label for status in of(run, e.TurnStatus)]


def test_a_call_runs_the_tool_of_the_turn_as_a_model_does() -> None:
    async def asks(turn: FunctionTurn) -> AsyncIterator[str]:
        found, wrong, none = await asyncio.gather(
            turn.call("greet", name="Ada"),
            turn.call("greet", nme="Ada"),
            turn.call("grete", name="Ada"),
        )
        assert (found.status, found.output) == ("ok", "Hello Ada")
        assert wrong.status == none.status == "error"
        assert "'name' is a required property" in wrong.output
        assert "There are: forget, greet" in none.output
        yield found.output

    run = answer(asks)
    assert run.answer.text == "Hello Ada"
    assert [c.status for c in run.state.tool_calls] == ["ok", "error", "error"]
    assert of(run, e.ToolProgress)[0].message == "greeting Ada"
    assert run.state.messages[-1].actions[0].label == "Ada"


@pytest.mark.parametrize(
    ("approve", "status"), [(True, "ok"), (False, "denied"), (None, "denied")]
)
def test_a_call_asks_a_person_first(approve: bool | None, status: str) -> None:
    async def asks(turn: FunctionTurn) -> AsyncIterator[str]:
        result = await turn.call("forget", name="Ada")
        yield result.status

    run = answer(asks, approve=approve)
    assert run.answer.text == status
    assert len(of(run, e.ToolApprovalRequested)) == (approve is not None)


def test_calls_over_the_limit_do_not_run() -> None:
    async def asks(turn: FunctionTurn) -> str:
        results = [await turn.call("greet", name=f"no. {n}") for n in range(3)]
        return " ".join(result.status for result in results)

    run = answer(asks, limits=TurnLimits(tool_calls=2))
    assert run.answer.text == "ok ok error"


def plain_generator(_turn: FunctionTurn) -> Iterator[str]:
    yield "one "
    yield "two"


async def text(_turn: FunctionTurn) -> str:
    return "one two"


class Callable_:  # noqa: N801 - stands for any object that can be called
    async def __call__(self, _turn: FunctionTurn) -> AsyncIterator[str]:
        yield "one two"


def plain_function(_turn: FunctionTurn) -> str:
    return "one two"


@pytest.mark.parametrize(
    "function", [plain_generator, text, Callable_(), plain_function]
)
def test_other_functions_answer_too(function: Callable[[FunctionTurn], Any]) -> None:
    assert answer(function).answer.text == "one two"


def test_nothing_said_is_an_answer_without_a_message() -> None:
    async def silent(_turn: FunctionTurn) -> None:
        return None

    run = answer(silent)
    assert run.answer.status == "completed"
    assert len(run.state.messages) == 1


async def raises(_turn: FunctionTurn) -> AsyncIterator[object]:
    yield ToolStart("one", "look", {})
    yield "Half a sen"
    raise LookupError("secret")


async def yields_a_number(_turn: FunctionTurn) -> AsyncIterator[object]:
    yield 3


async def exits(_turn: FunctionTurn) -> AsyncIterator[object]:
    yield "Good bye"
    raise SystemExit(1)


async def cancels_itself(_turn: FunctionTurn) -> AsyncIterator[object]:
    yield "I stop"
    raise asyncio.CancelledError


async def returns_a_number(_turn: FunctionTurn) -> object:
    return 3


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (raises, "stopped with LookupError"),
        (yields_a_number, "yielded a value of type int. Yield text"),
        (exits, "tried to end the process"),
        (cancels_itself, "cancelled itself"),
        (returns_a_number, "returned a value of type int. Yield text"),
    ],
)
def test_a_function_that_fails_leaves_nothing_open(
    function: Callable[[FunctionTurn], Any], message: str
) -> None:
    run = answer(function)
    assert run.answer.status == "failed"
    assert run.answer.error is not None
    assert message in run.answer.error.message
    assert "secret" not in run.answer.error.message
    assert all(m.status != "streaming" for m in run.state.messages)
    assert all(c.status not in ("requested", "running") for c in run.state.tool_calls)


def test_what_ends_twice_or_never_began_has_no_second_end() -> None:
    async def repeats(_turn: FunctionTurn) -> AsyncIterator[object]:
        yield ToolStart("one", "look", {})
        yield ToolEnd("one", "first")
        yield ToolEnd("one", "second")
        yield ToolNews("other", "?")
        yield ToolEnd("other", "?")

    run = answer(repeats)
    assert [end.output for end in of(run, e.ToolCompleted)] == ["first"]


def test_a_long_text_comes_in_events_that_fit() -> None:
    async def long(_turn: FunctionTurn) -> str:
        return "\x00" * 100_000

    run = answer(long)
    assert max(len(d.delta) for d in of(run, e.BlockDelta)) <= 8_192
    completed = of(run, e.MessageCompleted)
    assert sum(len(m.content[0].text) for m in completed) == 100_000
    assert max(len(m.content[0].text) for m in completed) <= 40_000


def test_the_time_of_a_turn_is_limited() -> None:
    async def forever(_turn: FunctionTurn) -> AsyncIterator[str]:
        yield "I begin"
        await asyncio.Event().wait()

    run = answer(forever, limits=TurnLimits(wall_clock_s=0.05))
    assert run.answer.status == "failed"
    assert run.answer.error is not None
    assert run.answer.error.message.startswith("I stopped here: the limit of 0.05 s")


def test_closing_the_answer_cancels_the_function() -> None:
    cancelled: list[str] = []

    async def waits(turn: FunctionTurn) -> AsyncIterator[str]:
        try:
            yield "I begin"
            await asyncio.Event().wait()
        finally:
            cancelled.append(turn.conversation)

    async def scenario() -> float:
        turn = Turn(
            conversation="c",
            turn="t",
            history=[{"role": "user", "content": "?"}],
            tools=ToolSet(),
            limits=TurnLimits(),
            new_message_id=lambda: "m",
        )
        events = cast("AsyncGenerator[AgentEvent]", FunctionAgent(waits).run(turn))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, e.BlockDelta):
                    break
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 5
    assert cancelled == ["c"]


def test_agent_of_takes_functions_and_agents() -> None:
    async def helper(_turn: FunctionTurn) -> AsyncIterator[str]:
        """Help.

        With everything.
        """
        yield "yes"

    agent = agent_of(helper)
    assert (agent.name, agent.description) == ("helper", "Help.")
    assert agent_of(agent) is agent
    named = agent_of(helper, name="other", description="Better.")
    assert (named.name, named.description) == ("other", "Better.")


class Graph:
    def compile(self) -> None: ...

    def add_node(self) -> None: ...


class ChatModel:
    async def ainvoke(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("gpt", r"What is given \(str\) is no agent"),
        (Graph(), "graph.compile"),
        (ChatModel(), r"create_agent\(model"),
        (Graph, "Graph is a class"),
        (lambda: "x", "must take one argument"),
    ],
)
def test_agent_of_says_what_to_do(value: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        agent_of(value)
