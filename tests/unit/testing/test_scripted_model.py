from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelEvent,
    ModelMessageStop,
    ModelRequest,
)
from streamchat_nb.errors import ModelError, UsageError
from streamchat_nb.protocol.content import (
    ProviderBlock,
    TextBlock,
    ThinkingBlock,
    Usage,
)
from streamchat_nb.testing.scripted_model import ScriptedModel, script, tool_use

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])


def ask(model: ScriptedModel) -> list[ModelEvent]:
    async def collect() -> list[ModelEvent]:
        return [event async for event in model.stream(ASK)]

    return asyncio.run(collect())


def test_script_is_a_whole_message() -> None:
    text = TextBlock(text="Hello there")
    assert script("Hello there") == [
        ModelBlockStart(index=0, kind="text"),
        ModelBlockDelta(index=0, kind="text", text="Hello "),
        ModelBlockDelta(index=0, kind="text", text="there"),
        ModelBlockStop(index=0, kind="text", content=text),
        ModelMessageStop(content=[text], stop_reason="end_turn", usage=Usage()),
    ]


def test_script_of_every_kind_of_block() -> None:
    blocks = [
        ThinkingBlock(thinking="hm hm"),
        tool_use("search", {"a": 1}),
        ProviderBlock(data={"type": "x"}),
    ]
    events = script(*blocks, usage=Usage(output_tokens=3))
    kinds = [event.kind for event in events if isinstance(event, ModelBlockStart)]
    assert kinds == ["thinking", "tool_use", "server_tool"]
    texts = [event.text for event in events if isinstance(event, ModelBlockDelta)]
    assert texts == ["hm ", "hm", '{"a":1}']
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    assert (stop.stop_reason, stop.usage.output_tokens) == ("tool_use", 3)


def test_script_cut_has_no_end() -> None:
    assert not any(isinstance(e, ModelMessageStop) for e in script("a", cut=True))


def test_scripted_model_plays_scripts_in_order_and_keeps_requests() -> None:
    model = ScriptedModel([script("one"), script("two")], name="n", offline=True)
    assert ask(model) == script("one")
    assert ask(model) == script("two")
    assert model.requests == [ASK, ASK]
    assert (model.name, model.offline, model.open_streams) == ("n", True, 0)


def test_scripted_model_without_a_script_left_says_so() -> None:
    model = ScriptedModel([])
    with pytest.raises(UsageError, match="Request 1 has no script"):
        ask(model)


def test_scripted_model_repeats_the_last_if_asked() -> None:
    model = ScriptedModel([script("one"), script("two")], repeat_last=True)
    assert [ask(model) for _ in range(3)][1:] == [script("two")] * 2


def test_scripted_model_raises_errors_where_they_stand() -> None:
    model = ScriptedModel([[*script("a", cut=True), ModelError("No.")]])
    with pytest.raises(ModelError, match="No"):
        ask(model)
    assert model.open_streams == 0


def test_scripted_model_waits_at_gates() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        model = ScriptedModel([[*script("a", cut=True), gate.wait, *script("b")]])
        stream = cast("AsyncGenerator[ModelEvent]", model.stream(ASK))
        for _ in script("a", cut=True):
            await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert model.open_streams == 1
        gate.set()
        assert await waiting == script("b")[0]
        await stream.aclose()
        assert model.open_streams == 0
        await model.close()
        assert model.closed

    asyncio.run(run())
