from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from streamchat_nb.agent.agent import AgentEvent, Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.message_stream import MessageStream
from streamchat_nb.agent.model import ModelRequest
from streamchat_nb.agent.model_step import ModelStep
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import (
    Action,
    Author,
    TextBlock,
    ThinkingBlock,
    Usage,
)
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.testing.scripted_model import ScriptedModel, script, tool_use
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from streamchat_nb.testing.scripted_model import ScriptStep

HISTORY: list[dict[str, Any]] = [{"role": "user", "content": "Who is Ada?"}]
LONG = TurnLimits()
THINKING = e.TurnStatus(phase="thinking", label="Agent is thinking…")
WRITING = e.TurnStatus(phase="responding", label="Agent is writing…")
OVERLOADED = ModelError("Overloaded.", code="model_overloaded", retryable=True)


@tool
async def greet(name: str, context: ToolContext) -> str:
    """Greet somebody."""
    context.progress(f"greeting {name}", 0.5)
    return f"Hello {name}"


@tool
async def fail() -> None:
    """Fail."""
    raise LookupError("no such book")


class Clock:
    """Time that passes only when somebody sleeps, or when told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def agent_of(model: ScriptedModel, clock: Clock | None = None, **options: Any) -> Any:
    clock = clock or Clock()
    options.setdefault("retry", RetryPolicy(jitter=lambda: 1))
    return AnthropicAgent(model, monotonic=clock, sleep=clock.sleep, **options)


def turn_of(
    *tools: Tool,
    limits: TurnLimits = LONG,
    history: list[dict[str, Any]] | None = None,
) -> Turn:
    numbers = count(1)
    return Turn(
        conversation="c",
        turn="t",
        history=HISTORY if history is None else history,
        tools=ToolSet(tools),
        limits=limits,
        new_message_id=lambda: f"m{next(numbers)}",
    )


async def collect(
    agent: AnthropicAgent, turn: Turn, events: list[AgentEvent] | None = None
) -> list[AgentEvent]:
    found: list[AgentEvent] = [] if events is None else events
    running = cast("AsyncGenerator[AgentEvent]", agent.run(turn))
    async with aclosing(running):
        async for event in running:
            found.append(event)  # noqa: PERF401 (what came before a failure counts)
    return found


def answer(
    *scripts: list[ScriptStep] | list[Any],
    tools: tuple[Tool, ...] = (greet, fail),
    limits: TurnLimits = LONG,
    repeat_last: bool = False,
    clock: Clock | None = None,
    **options: Any,
) -> tuple[list[AgentEvent], list[ModelRequest]]:
    model = ScriptedModel(scripts, repeat_last=repeat_last)
    agent = agent_of(model, clock, **options)
    events = asyncio.run(collect(agent, turn_of(*tools, limits=limits)))
    assert model.open_streams == 0
    for request in model.requests:
        body = {"model": "m", "max_tokens": 1, "messages": request.messages}
        if request.messages[-1]["role"] == "user":
            check_request(body)
    return events, model.requests


def of(events: list[AgentEvent], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


def test_simple_answer_is_the_trace_of_the_protocol() -> None:
    events, requests = answer(script("Hello"), system="Be brief.")
    author = Author(id="assistant", name="assistant", kind="agent")
    text = TextBlock(text="Hello")
    assert events == [
        THINKING,
        e.MessageCreated(message="m1", role="assistant", author=author),
        e.BlockStarted(message="m1", block="b0", kind="text"),
        WRITING,
        e.BlockDelta(message="m1", block="b0", kind="text", delta="Hello", turn="t"),
        e.BlockCompleted(message="m1", block="b0", kind="text", content=text),
        e.MessageCompleted(
            message="m1", content=[text], stop_reason="end_turn", usage=Usage()
        ),
    ]
    (request,) = requests
    assert request.messages == [
        {"role": "user", "content": [{"type": "text", "text": "Who is Ada?"}]}
    ]
    assert request.system == "Be brief."
    assert request.tool_choice == "auto"
    assert [definition["name"] for definition in request.tools] == ["fail", "greet"]


def test_tool_turn_is_the_trace_of_the_protocol() -> None:
    use = tool_use("greet", {"name": "Ada"})
    events, requests = answer(
        script("Let me see.", use, usage=Usage(output_tokens=7)), script("Done")
    )
    assert [type(event).__name__ for event in events] == [
        "TurnStatus",
        "MessageCreated",
        "BlockStarted",
        "TurnStatus",
        "BlockDelta",
        "BlockDelta",
        "BlockDelta",
        "BlockCompleted",
        "BlockStarted",
        "BlockDelta",
        "BlockCompleted",
        "MessageCompleted",
        "ToolRequested",
        "TurnStatus",
        "ToolStarted",
        "ToolProgress",
        "ToolCompleted",
        "TurnStatus",
        "MessageCreated",
        "BlockStarted",
        "TurnStatus",
        "BlockDelta",
        "BlockCompleted",
        "MessageCompleted",
    ]
    assert events[11:18] == [
        e.MessageCompleted(
            message="m1",
            content=[TextBlock(text="Let me see."), use],
            stop_reason="tool_use",
            usage=Usage(output_tokens=7),
        ),
        e.ToolRequested(
            message="m1",
            block="b1",
            tool_call="toolu_1",
            name="greet",
            label="Using greet…",
            input={"name": "Ada"},
        ),
        e.TurnStatus(phase="using_tool", label="Using greet…"),
        e.ToolStarted(tool_call="toolu_1"),
        e.ToolProgress(tool_call="toolu_1", message="greeting Ada", fraction=0.5),
        e.ToolCompleted(
            tool_call="toolu_1", status="ok", output="Hello Ada", duration_ms=0
        ),
        THINKING,
    ]
    assert requests[1].messages == [
        {"role": "user", "content": [{"type": "text", "text": "Who is Ada?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {
                    "type": "tool_use",
                    "id": "toolu_1",
                    "name": "greet",
                    "input": {"name": "Ada"},
                },
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": "Hello Ada",
                }
            ],
        },
    ]


def test_assistant_content_is_replayed_verbatim_in_the_loop() -> None:
    thought = ThinkingBlock(thinking="I should greet.", signature="sig")
    _, requests = answer(
        script(thought, tool_use("greet", {"name": "Ada"})), script("Done")
    )
    assert requests[1].messages[1]["content"][0] == {
        "type": "thinking",
        "thinking": "I should greet.",
        "signature": "sig",
    }


def test_failures_of_calls_are_isolated_and_results_in_call_order() -> None:
    gate = asyncio.Event()

    @tool
    async def slow() -> str:
        await asyncio.wait_for(gate.wait(), 10)
        return "slow"

    @tool
    async def fast() -> str:
        gate.set()
        return "fast"

    uses = [
        tool_use("slow", id_="c1"),
        tool_use("fail", id_="c2"),
        tool_use("nope", id_="c3"),
        tool_use("greet", {"name": 5}, id_="c4"),
        tool_use("fast", id_="c5"),
    ]
    events, requests = answer(
        script(*uses), script("Done"), tools=(slow, fast, fail, greet)
    )
    requested = of(events, e.ToolRequested)
    assert [event.tool_call for event in requested] == ["c1", "c2", "c3", "c4", "c5"]
    assert [event.label for event in requested[2:4]] == ["Using nope…", "Using greet…"]
    started = of(events, e.ToolStarted)
    assert [event.tool_call for event in started] == ["c1", "c2", "c5"]
    ended = {event.tool_call: event for event in of(events, e.ToolCompleted)}
    assert len(of(events, e.ToolCompleted)) == 5
    assert {call: event.status for call, event in ended.items()} == {
        "c1": "ok",
        "c2": "error",
        "c3": "error",
        "c4": "error",
        "c5": "ok",
    }
    assert ended["c2"].output == "LookupError: no such book"
    assert "There is no tool 'nope'" in ended["c3"].output
    assert "name: 5 is not of type 'string'" in ended["c4"].output
    results = requests[1].messages[-1]["content"]
    assert [block["tool_use_id"] for block in results] == ["c1", "c2", "c3", "c4", "c5"]
    assert [block.get("is_error", False) for block in results] == [
        False,
        True,
        True,
        True,
        False,
    ]
    (using,) = [s for s in of(events, e.TurnStatus) if s.phase == "using_tool"]
    assert using.label == "Using slow, fail, fast…"


def test_status_of_many_tools_names_a_few() -> None:
    def named(name: str) -> Tool:
        @tool(name=name)
        async def f() -> None: ...

        return f

    tools = [named(f"f{n}") for n in range(5)]
    uses = [tool_use(f"f{n}", id_=f"c{n}") for n in range(5)]
    events, _ = answer(script(*uses), script("Done"), tools=tuple(tools))
    labels = [s.label for s in of(events, e.TurnStatus) if s.phase == "using_tool"]
    assert labels == ["Using f0, f1, f2 and 2 more…"]


def test_status_of_equal_calls_is_the_tools_own_label() -> None:
    looking = tool(label="Looking…")(greet.function)
    uses = [tool_use("greet", {"name": "x"}, id_=f"c{n}") for n in range(3)]
    events, _ = answer(script(*uses), script("Done"), tools=(looking,))
    labels = [s.label for s in of(events, e.TurnStatus) if s.phase == "using_tool"]
    assert labels == ["Looking…"]


def test_sequential_tools_run_alone_in_their_place() -> None:
    running: set[str] = set()
    seen: list[frozenset[str]] = []

    def named(name: str, *, sequential: bool) -> Tool:
        @tool(name=name, sequential=sequential)
        async def f() -> None:
            running.add(name)
            await asyncio.sleep(0.002)
            seen.append(frozenset(running))
            running.discard(name)

        return f

    tools = [named(name, sequential=name.startswith("s")) for name in ("p1", "p2", "s")]
    uses = [
        tool_use(name, id_=f"c{number}")
        for number, name in enumerate(["s", "p1", "p2", "s", "p1", "s"])
    ]
    events, _ = answer(script(*uses), script("Done"), tools=tuple(tools))
    assert seen[:2] == [{"s"}, {"p1", "p2"}]
    assert seen[3:] == [{"s"}, {"p1"}, {"s"}]
    labels = [s.label for s in of(events, e.TurnStatus) if s.phase == "using_tool"]
    assert labels == [
        "Using s…",
        "Using p1, p2…",
        "Using s…",
        "Using p1…",
        "Using s…",
    ]


def test_call_that_this_program_fails_to_run_has_an_end_too() -> None:
    @tool
    async def odd() -> None: ...

    odd.timeout_s = cast("float", "soon")
    events, _ = answer(script(tool_use("odd")), script("Done"), tools=(odd,))
    (ended,) = of(events, e.ToolCompleted)
    assert (ended.status, ended.output) == ("error", "The server could not run it.")


def test_tool_that_needs_approval_is_denied_and_told() -> None:
    careful = tool(needs_approval=True)(greet.function)
    events, requests = answer(
        script(tool_use("greet", {"name": "Ada"})), script("Sorry"), tools=(careful,)
    )
    (requested,) = of(events, e.ToolRequested)
    assert requested.needs_approval
    (ended,) = of(events, e.ToolCompleted)
    assert ended.status == "denied"
    assert of(events, e.ToolStarted) == []
    assert requests[1].messages[-1]["content"][0]["is_error"] is True


def test_long_outputs_are_cut_for_the_event_and_more_for_the_model() -> None:
    @tool
    async def talk() -> str:
        return "a" * 5_000

    events, requests = answer(
        script(tool_use("talk")),
        script("Done"),
        tools=(talk,),
        limits=TurnLimits(model_tool_output_bytes=100),
        tool_output_bytes=1_000,
    )
    (ended,) = of(events, e.ToolCompleted)
    assert ended.truncated
    assert 1_000 < len(ended.output) < 1_100
    (result,) = requests[1].messages[-1]["content"]
    assert 100 < len(result["content"]) < 200


def test_actions_of_tools_are_on_the_final_message_only() -> None:
    def button(number: int) -> Action:
        return Action(kind="button", label=f"Go {number}", send=f"{number}")

    @tool
    async def act(first: int) -> ToolResult:
        return ToolResult(
            output="ok",
            actions=tuple(button(n) for n in range(first, first + 6)),
        )

    uses = [tool_use("act", {"first": n}, id_=f"c{n}") for n in (0, 3)]
    events, _ = answer(
        script(*uses),
        script(tool_use("act", {"first": 0})),
        script("Done"),
        tools=(act,),
    )
    first, second, final = of(events, e.MessageCompleted)
    assert first.actions is None
    assert second.actions is None
    assert final.actions == [button(n) for n in range(8)]
    assert of(events, e.ToolCompleted)[0].actions == [button(n) for n in range(6)]


def test_ids_that_came_before_are_replaced() -> None:
    history: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"},
                {"type": "text", "text": "Again"},
            ],
        },
    ]
    use = tool_use("greet", {"name": "Ada"})
    model = ScriptedModel([script(use), script(use), script("Done")])
    turn = turn_of(greet, history=history)
    events = asyncio.run(collect(agent_of(model), turn))
    ids = [event.tool_call for event in of(events, e.ToolRequested)]
    assert ids == ["toolu_1-2", "toolu_1-3"]
    for request in model.requests:
        check_request({"model": "m", "max_tokens": 1, "messages": request.messages})


@pytest.mark.parametrize(
    "stop_reason",
    ["max_tokens", "refusal", "stop_sequence", "model_context_window_exceeded", "new"],
)
def test_other_stop_reasons_end_the_turn_and_run_no_tool(stop_reason: str) -> None:
    use = tool_use("greet", {"name": "Ada"})
    events, requests = answer(script("Half", use, stop_reason=stop_reason))
    (ended,) = of(events, e.MessageCompleted)
    assert ended.stop_reason == stop_reason
    assert of(events, e.ToolRequested) == []
    assert len(requests) == 1


def test_stop_for_tools_without_a_tool_ends_the_turn() -> None:
    events, requests = answer(script("Hello", stop_reason="tool_use"))
    assert len(of(events, e.MessageCompleted)) == len(requests) == 1


def test_empty_answer_is_a_message_all_the_same() -> None:
    events, _ = answer(script())
    assert [type(event).__name__ for event in events] == [
        "TurnStatus",
        "MessageCreated",
        "MessageCompleted",
    ]


def test_pause_is_sent_on_at_most_five_times() -> None:
    events, requests = answer(
        script("More", stop_reason="pause_turn"), repeat_last=True
    )
    assert len(requests) == 6
    ended = of(events, e.MessageCompleted)
    assert [event.stop_reason for event in ended] == ["pause_turn"] * 6
    assert requests[1].messages[-1]["role"] == "assistant"


def test_pause_without_content_is_sent_again_unchanged() -> None:
    _, requests = answer(script(stop_reason="pause_turn"), script("Done"))
    assert requests[0].messages == requests[1].messages


# --- limits ------------------------------------------------------------------------


def assert_last_answer(
    events: list[AgentEvent], requests: list[ModelRequest], limit: str
) -> None:
    last = requests[-1]
    assert last.tool_choice == "none"
    assert [request.tool_choice for request in requests[:-1]] == ["auto"] * (
        len(requests) - 1
    )
    note = last.messages[-1]["content"][-1]["text"]
    assert limit in note
    statuses = of(events, e.TurnStatus)
    assert any(s.label == f"Finishing: {limit}…" for s in statuses)
    assert isinstance(events[-1], e.MessageCompleted)


def test_limit_of_steps_ends_with_an_answer() -> None:
    use = tool_use("greet", {"name": "Ada"})
    events, requests = answer(
        script(use), script(use), script("All I have."), limits=TurnLimits(steps=2)
    )
    assert len(requests) == 3
    limit = "the limit of 2 steps for one answer is reached"
    assert_last_answer(events, requests, limit)
    assert len(of(events, e.ToolCompleted)) == 2


def test_limit_of_tool_calls_refuses_those_beyond() -> None:
    uses = [tool_use("greet", {"name": "Ada"}, id_=f"c{n}") for n in range(4)]
    events, requests = answer(
        script(*uses), script("All I have."), limits=TurnLimits(tool_calls=3)
    )
    statuses = [event.status for event in of(events, e.ToolCompleted)]
    assert sorted(statuses) == ["error", "ok", "ok", "ok"]
    (refused,) = [c for c in of(events, e.ToolCompleted) if c.status == "error"]
    assert refused.output.startswith("Not run: the limit of 3 tool calls")
    limit = "the limit of 3 tool calls for one answer is reached"
    assert_last_answer(events, requests, limit)


def test_limit_of_tool_calls_counts_all_steps() -> None:
    uses = [tool_use("greet", {"name": "Ada"}, id_=f"c{n}") for n in range(4)]
    events, requests = answer(
        script(*uses[:2]),
        script(*uses[2:]),
        script("All I have."),
        limits=TurnLimits(tool_calls=3),
    )
    statuses = {event.tool_call: event.status for event in of(events, e.ToolCompleted)}
    assert statuses == {"c0": "ok", "c1": "ok", "c2": "ok", "c3": "error"}
    limit = "the limit of 3 tool calls for one answer is reached"
    assert_last_answer(events, requests, limit)


def test_limit_of_time_ends_with_an_answer() -> None:
    clock = Clock()

    @tool
    async def wait() -> None:
        clock.now += 31

    events, requests = answer(
        script(tool_use("wait")),
        script("All I have."),
        tools=(wait,),
        limits=TurnLimits(wall_clock_s=30),
        clock=clock,
    )
    limit = "the limit of 30 s for one answer is reached"
    assert_last_answer(events, requests, limit)
    assert of(events, e.ToolCompleted)[0].duration_ms == 31_000


def test_limit_of_time_bounds_a_tool() -> None:
    clock = Clock()

    @tool
    async def hang() -> None:
        await asyncio.sleep(60)

    async def waste() -> None:
        clock.now += 29.99

    began = time.monotonic()
    events, _ = answer(
        [waste, *script(tool_use("hang"))],
        script("All I have."),
        tools=(hang,),
        limits=TurnLimits(wall_clock_s=30),
        clock=clock,
    )
    (ended,) = of(events, e.ToolCompleted)
    assert ended.status == "timeout"
    assert "did not finish within 1 s" in ended.output
    assert time.monotonic() - began < 5


def test_limit_of_output_tokens_shrinks_the_requests() -> None:
    use = tool_use("greet", {"name": "Ada"})
    events, requests = answer(
        script(use, usage=Usage(output_tokens=600)),
        script(use, usage=Usage(output_tokens=500)),
        script("All I have."),
        limits=TurnLimits(output_tokens=1_000),
        max_tokens=900,
    )
    assert [request.max_tokens for request in requests] == [900, 400, 900]
    limit = "the limit of 1000 tokens for one answer is reached"
    assert_last_answer(events, requests, limit)


def test_model_that_calls_tools_at_the_limit_still_gives_words() -> None:
    use = tool_use("greet", {"name": "Ada"})
    events, _ = answer(script(use), script(use), limits=TurnLimits(steps=1))
    final = of(events, e.MessageCompleted)[-1]
    assert final.content == [
        TextBlock(
            text="I stopped here: the limit of 1 steps for one answer is reached."
        )
    ]
    assert len(of(events, e.ToolRequested)) == 1


def test_pause_at_the_limit_ends_with_an_answer() -> None:
    events, requests = answer(
        script("More", stop_reason="pause_turn"),
        script("Still more", stop_reason="pause_turn"),
        limits=TurnLimits(steps=1),
    )
    assert len(requests) == 2
    assert_last_answer(
        events, requests, "the limit of 1 steps for one answer is reached"
    )


def test_long_history_is_trimmed_before_and_in_the_loop() -> None:
    @tool
    async def talk() -> str:
        return "x" * 3_000

    uses = [script(tool_use("talk", id_=f"c{n}")) for n in range(6)]
    _, requests = answer(*uses, script("Done"), tools=(talk,), history_bytes=9_000)
    sizes = [len(str(request.messages)) for request in requests]
    assert max(sizes) < 12_000
    last = str(requests[-1].messages)
    assert "[This tool output was left out to save space.]" in last
    assert last.count("x" * 3_000) >= 1


# --- retries -----------------------------------------------------------------------


def test_failure_before_anything_is_shown_is_tried_again() -> None:
    clock = Clock()
    events, requests = answer([OVERLOADED], [OVERLOADED], script("Hello"), clock=clock)
    assert clock.slept == [1.0, 2.0]
    assert requests[0] == requests[1] == requests[2]
    assert events[:5] == [
        THINKING,
        e.TurnStatus(
            phase="retrying",
            label="The model is overloaded; trying again in 1 s…",
            retry_in_ms=1_000,
        ),
        THINKING,
        e.TurnStatus(
            phase="retrying",
            label="The model is overloaded; trying again in 2 s…",
            retry_in_ms=2_000,
        ),
        THINKING,
    ]
    assert of(events, e.MessageDiscarded) == []
    assert len(of(events, e.MessageCompleted)) == 1


def test_failure_of_the_last_try_is_raised() -> None:
    model = ScriptedModel([[OVERLOADED]], repeat_last=True)
    with pytest.raises(ModelError) as raised:
        asyncio.run(collect(agent_of(model), turn_of()))
    assert raised.value is OVERLOADED
    assert len(model.requests) == 3


def test_failure_that_will_not_change_is_raised_at_once() -> None:
    refused = ModelError("Wrong key.", code="model_authentication", retryable=False)
    model = ScriptedModel([[refused]])
    with pytest.raises(ModelError) as raised:
        asyncio.run(collect(agent_of(model), turn_of()))
    assert raised.value is refused


def test_wait_that_the_endpoint_asks_for_is_shown_and_kept() -> None:
    clock = Clock()
    limited = ModelError(
        "Slow down.", code="model_rate_limited", retryable=True, retry_after_ms=4_000
    )
    events, _ = answer([limited], script("Hello"), clock=clock)
    assert clock.slept == [4.0]
    (status,) = [s for s in of(events, e.TurnStatus) if s.phase == "retrying"]
    assert status.retry_in_ms == 4_000
    assert status.label == "The model's rate limit is reached; trying again in 4 s…"


def test_wait_never_goes_beyond_the_turns_time() -> None:
    clock = Clock()
    limited = ModelError("x", retryable=True, retry_after_ms=50_000)
    model = ScriptedModel([[limited]])
    turn = turn_of(limits=TurnLimits(wall_clock_s=30))
    with pytest.raises(ModelError):
        asyncio.run(collect(agent_of(model, clock), turn))
    assert clock.slept == []


def test_failure_after_text_discards_the_message_and_begins_anew() -> None:
    events, _ = answer(
        [*script("Half an", cut=True), OVERLOADED], script("A whole answer")
    )
    created = [event.message for event in of(events, e.MessageCreated)]
    assert created == ["m1", "m2"]
    (discarded,) = of(events, e.MessageDiscarded)
    assert discarded == e.MessageDiscarded(message="m1", reason="Overloaded.")
    (completed,) = of(events, e.MessageCompleted)
    assert completed.message == "m2"


def test_failure_after_text_and_a_tool_is_raised() -> None:
    model = ScriptedModel(
        [
            script(tool_use("greet", {"name": "Ada"})),
            [*script("Half an", cut=True), OVERLOADED],
        ]
    )
    events: list[AgentEvent] = []
    with pytest.raises(ModelError):
        asyncio.run(collect(agent_of(model), turn_of(greet), events))
    assert of(events, e.MessageDiscarded) == []
    assert len(of(events, e.MessageCompleted)) == 1


def test_failure_before_text_and_after_a_tool_is_tried_again() -> None:
    thought = ThinkingBlock(thinking="hm", signature="s")
    events, requests = answer(
        script(tool_use("greet", {"name": "Ada"})),
        [*script(thought, cut=True), OVERLOADED],
        script("Done"),
    )
    assert [event.message for event in of(events, e.MessageDiscarded)] == ["m2"]
    assert len(of(events, e.ToolCompleted)) == 1
    assert requests[1] == requests[2]


def test_stream_that_just_ends_is_a_failure_never_an_answer() -> None:
    events, requests = answer(script("Half an", cut=True), script("A whole answer"))
    assert len(requests) == 2
    assert [event.message for event in of(events, e.MessageDiscarded)] == ["m1"]
    assert [event.message for event in of(events, e.MessageCompleted)] == ["m2"]


def test_failure_of_another_kind_is_raised_as_it_is() -> None:
    model = ScriptedModel([[ZeroDivisionError()]])
    with pytest.raises(ZeroDivisionError):
        asyncio.run(collect(agent_of(model), turn_of()))


# --- cancellation ------------------------------------------------------------------


def cancelled_during(
    model: ScriptedModel,
    *tools: Tool,
    when: Callable[[list[AgentEvent]], bool],
    left_behind: int = 0,
) -> tuple[list[AgentEvent], float]:
    agent = AnthropicAgent(model)
    events: list[AgentEvent] = []

    async def main() -> float:
        task = asyncio.create_task(collect(agent, turn_of(*tools), events))
        deadline = time.monotonic() + 10
        while not when(events):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
        began = time.monotonic()
        task.cancel()
        await asyncio.wait({task}, timeout=10)
        took = time.monotonic() - began
        assert task.cancelled()
        assert len(asyncio.all_tasks()) == 1 + left_behind
        return took

    took = asyncio.run(main())
    assert model.open_streams == 0
    return events, took


async def forever() -> None:
    await asyncio.sleep(3_600)


def test_cancel_while_the_model_streams_closes_the_stream() -> None:
    model = ScriptedModel([[*script("Half an", cut=True), forever]])
    events, took = cancelled_during(
        model, when=lambda events: bool(of(events, e.BlockCompleted))
    )
    assert took < 0.2
    assert of(events, e.MessageCompleted) == []


def test_cancel_while_tools_run_cancels_them_all() -> None:
    ended: list[str] = []

    @tool
    async def hang(name: str) -> None:
        try:
            await forever()
        finally:
            ended.append(name)

    uses = [tool_use("hang", {"name": name}, id_=name) for name in ("a", "b")]
    events, took = cancelled_during(
        ScriptedModel([script(*uses)]),
        hang,
        when=lambda events: len(of(events, e.ToolStarted)) == 2,
    )
    assert took < 0.2
    assert sorted(ended) == ["a", "b"]
    assert of(events, e.ToolCompleted) == []


def test_cancel_does_not_wait_for_a_stubborn_tool() -> None:
    released = False

    @tool
    async def stubborn() -> None:
        for _ in range(15):
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                if released:
                    raise

    _, took = cancelled_during(
        ScriptedModel([script(tool_use("stubborn"))]),
        stubborn,
        when=lambda events: bool(of(events, e.ToolStarted)),
        left_behind=1,
    )
    released = True
    assert took < 0.2


def test_cancel_during_the_wait_for_a_retry_is_immediate() -> None:
    limited = ModelError("x", retryable=True, retry_after_ms=60_000)
    _, took = cancelled_during(
        ScriptedModel([[limited]]),
        when=lambda events: any(
            s.phase == "retrying" for s in of(events, e.TurnStatus)
        ),
    )
    assert took < 0.2


def test_closing_the_iterator_cancels_the_tools() -> None:
    ended: list[str] = []

    @tool
    async def hang() -> None:
        try:
            await forever()
        finally:
            ended.append("hang")

    @tool
    async def quick() -> None: ...

    async def main() -> None:
        uses = [tool_use("hang", id_="a"), tool_use("quick", id_="b")]
        agent = AnthropicAgent(ScriptedModel([script(*uses)]))
        running = cast("AsyncGenerator[AgentEvent]", agent.run(turn_of(hang, quick)))
        async for event in running:
            if isinstance(event, e.ToolCompleted):
                break
        await running.aclose()
        assert ended == ["hang"]
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_tool_starts_after_its_start_was_taken() -> None:
    """Whoever writes the log has written ``tool.started`` when the tool begins."""
    ran: list[str] = []

    @tool
    async def note() -> None:
        ran.append("ran")

    async def main() -> None:
        agent = AnthropicAgent(ScriptedModel([script(tool_use("note"))]))
        running = cast("AsyncGenerator[AgentEvent]", agent.run(turn_of(note)))
        async for event in running:
            if isinstance(event, e.ToolStarted):
                break
        await asyncio.sleep(0.01)
        await running.aclose()

    asyncio.run(main())
    assert ran == []


def test_progress_for_a_slow_reader_is_merged() -> None:
    @tool
    async def busy(context: ToolContext) -> None:
        for number in range(30):
            context.progress(f"{number}", number / 30 if number < 20 else None)
            await asyncio.sleep(0.01)

    async def main() -> list[e.ToolProgress]:
        agent = AnthropicAgent(
            ScriptedModel([script(tool_use("busy")), script("Done")])
        )
        seen: list[e.ToolProgress] = []
        async for event in agent.run(turn_of(busy)):
            if isinstance(event, e.ToolProgress):
                seen.append(event)
                await asyncio.sleep(0.5)
        return seen

    first, second = asyncio.run(main())
    assert first.message == "0"
    assert (second.message, second.fraction) == ("29", 19 / 30)


def test_agent_takes_name_and_kind_from_its_model_and_closes_it() -> None:
    model = ScriptedModel([], name="offline-demo", offline=True)
    agent = AnthropicAgent(model, name="helper")
    assert (agent.name, agent.model_name, agent.offline) == (
        "helper",
        "offline-demo",
        True,
    )
    asyncio.run(agent.close())
    assert model.closed


def test_step_without_an_answer_has_no_end() -> None:
    agent = agent_of(ScriptedModel([]))
    author = Author(id="a", name="a", kind="agent")
    step = ModelStep(
        agent.model,
        ModelRequest(messages=[]),
        new_stream=lambda: MessageStream("m1", author=author, taken_ids=set),
        retry=agent.retry,
        sleep=agent.sleep,
        time_left_s=lambda: 1,
        retry_shown_text=True,
    )
    with pytest.raises(UsageError, match="no answer yet"):
        _ = step.end
