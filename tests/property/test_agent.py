"""Whatever a model and its tools do, everything that begins ends exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from copy import deepcopy
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.agent.agent import AgentEvent, Turn, TurnLimits
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.closing import open_ends
from streamchat_nb.agent.history import history_of
from streamchat_nb.agent.retry import RetryPolicy
from streamchat_nb.conversation.state import Fold
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import (
    AssistantBlock,
    Author,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from streamchat_nb.testing.request_validation import check_request
from streamchat_nb.testing.scripted_model import ScriptedModel, ScriptStep, script
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.registry import ToolSet
from streamchat_nb.tools.tool import ToolContext, ToolResult

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

USER = Author(id="u", name="U", kind="user")


@tool
async def fine(n: int, context: ToolContext) -> str:
    """Work."""
    context.progress(f"{n}")
    await asyncio.sleep(0)
    context.progress("nearly")
    return "x" * n


@tool
def threaded(n: int) -> list[int]:
    """Work on a thread."""
    return [n]


@tool(sequential=True)
async def alone() -> ToolResult:
    """Work alone."""
    return ToolResult(output="", status="unknown")


@tool
async def raises() -> None:
    """Fail."""
    raise LookupError("\ud800")


@tool
async def leaves() -> None:
    """Try to end the process."""
    raise SystemExit


@tool(timeout_s=0.005)
async def hangs() -> None:
    """Hang."""
    await asyncio.sleep(60)


@tool(needs_approval=True)
async def careful() -> None:
    """Wait for a person."""


TOOLS = ToolSet([fine, threaded, alone, raises, leaves, hangs, careful])


def use(id_: str, name: str, n: int) -> ToolUseBlock:
    return ToolUseBlock(id=id_, name=name, input={"n": n} if n else {})


uses = st.builds(
    use,
    st.sampled_from(["a", "b", "c.d"]),
    st.sampled_from([*TOOLS, "fine", "threaded", "unheard_of"]),
    st.integers(0, 3),
)
contents: st.SearchStrategy[AssistantBlock] = st.one_of(
    st.builds(TextBlock, text=st.sampled_from(["word", "two words", " ", ""])),
    st.builds(
        ThinkingBlock,
        thinking=st.sampled_from(["hm", "well then"]),
        signature=st.sampled_from([None, "s"]),
    ),
    uses,
)
faults: st.SearchStrategy[list[ScriptStep]] = st.sampled_from(
    [
        [],  # the stream just ends
        [ModelError("over", code="model_overloaded", retryable=True)],
        [ModelError("no", code="model_request_invalid", retryable=False)],
        [RuntimeError("a bug")],
    ]
)


@st.composite
def scripts(draw: st.DrawFn) -> list[ScriptStep]:
    steps: list[ScriptStep] = list(
        script(
            *draw(st.lists(contents, max_size=4)),
            stop_reason=draw(st.sampled_from([None, None, "pause_turn", "max_tokens"])),
        )
    )
    if draw(st.integers(0, 3)):
        return steps
    return steps[: draw(st.integers(0, len(steps) - 1))] + draw(faults)


limits = st.builds(TurnLimits, steps=st.integers(1, 4), tool_calls=st.integers(1, 6))


def user_asks(fold: Fold, turn: str) -> None:
    for event in (
        e.MessageCreated(
            message=f"{turn}-user",
            role="user",
            author=USER,
            content=[TextBlock(text="Go on")],
        ),
        e.TurnStarted(message=f"{turn}-user", agent="assistant"),
    ):
        write(fold, event, turn)


def write(fold: Fold, event: e.Event, turn: str) -> e.Event:
    stamped = msgspec.structs.replace(event, seq=fold.seq + 1, turn=turn)
    fold.apply(stamped)
    return stamped


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0 * seconds)


async def run(
    agent: AnthropicAgent, fold: Fold, turn: str, limits: TurnLimits, most_events: int
) -> list[e.Event]:
    """Run a turn until it ends, fails, or is stopped after so many events."""
    numbers = count(1)
    job = Turn(
        conversation="c",
        turn=turn,
        history=history_of(fold.state, until_turn=turn),
        tools=TOOLS,
        limits=limits,
        new_message_id=lambda: f"{turn}-m{next(numbers)}",
    )
    written: list[e.Event] = []
    running = cast("AsyncGenerator[AgentEvent]", agent.run(job))
    try:
        async for event in running:
            written.append(write(fold, event, turn))
            if len(written) >= most_events:
                break
    except (ModelError, RuntimeError):
        pass
    finally:
        await running.aclose()
    return written


def check_ends(written: list[e.Event]) -> None:
    begun = Counter[str]()
    ended = Counter[str]()
    for event in written:
        match event:
            case e.MessageCreated():
                begun[event.message] += 1
            case e.MessageCompleted() | e.MessageDiscarded():
                ended[event.message] += 1
                assert begun[event.message] == 1
            case e.ToolRequested():
                begun[event.tool_call] += 1
            case e.ToolStarted():
                begun[f"run of {event.tool_call}"] += 1
                ended[f"run of {event.tool_call}"] += 1
                assert begun[event.tool_call] == 1
                assert not ended[event.tool_call]
            case e.ToolProgress():
                assert begun[f"run of {event.tool_call}"] == 1
                assert not ended[event.tool_call]
            case e.ToolCompleted():
                assert event.output
                ended[event.tool_call] += 1
                assert begun[event.tool_call] == 1
            case e.BlockStarted():
                begun[f"{event.message}/{event.block}"] += 1
            case e.BlockCompleted():
                ended[f"{event.message}/{event.block}"] += 1
            case _:
                pass
    assert set(begun.values()) <= {1}
    assert set(ended.values()) <= {1}
    whole = {name for name in begun if "/" not in name}
    assert whole == {name for name in ended if "/" not in name}


def check_valid(history: list[dict[str, Any]]) -> None:
    check_request({"model": "m", "max_tokens": 1, "messages": history})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(scripts(), min_size=1, max_size=8), limits, st.integers(1, 200), st.data()
)
def test_everything_ends_once_and_the_next_request_is_valid(
    models: list[list[ScriptStep]],
    limits: TurnLimits,
    most_events: int,
    data: st.DataObject,
) -> None:
    model = ScriptedModel(models, repeat_last=True)
    agent = AnthropicAgent(
        model, sleep=no_sleep, retry=RetryPolicy(jitter=lambda: 0), system="s"
    )
    fold = Fold()
    for turn in ("t1", "t2"):
        user_asks(fold, turn)
        before = deepcopy(fold.state)
        written = asyncio.run(run(agent, fold, turn, limits, most_events))
        cut = data.draw(st.integers(0, len(written)), label="cut")
        check_cut(Fold(before), written[:cut], turn)
        check_cut(fold, written, turn, applied=True)
    assert model.open_streams == 0
    for request in model.requests:
        if request.messages[-1]["role"] == "user":  # not after a pause
            check_valid(request.messages)


def check_cut(
    fold: Fold, written: list[e.Event], turn: str, *, applied: bool = False
) -> None:
    """Close the turn where it stands; all has ended once and may go on."""
    if not applied:
        for event in written:
            fold.apply(event)
    ends = [
        write(fold, end, turn)
        for end in open_ends(fold.state, turn, status="interrupted")
    ]
    check_ends([*written, *ends])
    assert open_ends(fold.state, turn, status="interrupted") == []
    assert all(message.status != "streaming" for message in fold.state.messages)
    history = history_of(fold.state)
    check_valid(history)
    assert seen_text(written) <= shown_text(fold)


def seen_text(written: list[e.Event]) -> set[str]:
    """Return the words of answers that were not discarded."""
    gone = {ev.message for ev in written if isinstance(ev, e.MessageDiscarded)}
    return {
        ev.delta.strip()
        for ev in written
        if isinstance(ev, e.BlockDelta) and ev.kind == "text" and ev.message not in gone
    }


def shown_text(fold: Fold) -> set[str]:
    return {
        word
        for message in fold.state.messages
        for block in message.blocks
        for word in [*block.text.split(), ""]
    }
