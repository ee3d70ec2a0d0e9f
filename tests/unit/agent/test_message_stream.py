from __future__ import annotations

import msgspec
import pytest

from streamchat_nb.agent.message_stream import MessageStream
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStart,
    ModelBlockStop,
    ModelMessageStop,
)
from streamchat_nb.protocol import events as e
from streamchat_nb.protocol.content import Author, TextBlock, ToolUseBlock, Usage
from streamchat_nb.testing.scripted_model import script, tool_use

AGENT = Author(id="a", name="A", kind="agent")


def stream(*taken: str) -> MessageStream:
    return MessageStream("m1", author=AGENT, taken_ids=lambda: set(taken))


def test_message_is_created_at_its_first_block() -> None:
    following = stream()
    assert not following.created
    assert following.feed(ModelBlockStart(index=0, kind="text")) == [
        e.MessageCreated(message="m1", role="assistant", author=AGENT),
        e.BlockStarted(message="m1", block="b0", kind="text"),
    ]
    assert following.created
    assert not following.text_shown


def test_writing_is_told_at_the_first_text_once() -> None:
    following = stream()
    following.feed(ModelBlockStart(index=0, kind="text"))
    status = e.TurnStatus(phase="responding", label="Agent is writing…")
    delta = e.BlockDelta(message="m1", block="b0", kind="text", delta="x")
    model_delta = ModelBlockDelta(index=0, kind="text", text="x")
    assert following.feed(model_delta) == [status, delta]
    assert following.text_shown
    assert following.feed(model_delta) == [delta]


def test_deltas_are_of_the_turn_and_their_bytes_are_counted() -> None:
    following = MessageStream("m1", author=AGENT, taken_ids=set, turn="t1")
    following.feed(ModelBlockStart(index=0, kind="text"))
    (_, delta) = following.feed(ModelBlockDelta(index=0, kind="text", text="é"))
    shown: list[e.BlockDelta] = []

    def show(delta: e.BlockDelta) -> bool:
        shown.append(delta)
        return len(shown) == 1

    middle = ModelBlockDelta(index=0, kind="text", text="\ud800x")
    assert following.pass_on(show, middle)
    assert not following.pass_on(show, middle)
    wanted = e.BlockDelta(message="m1", block="b0", kind="text", delta="", turn="t1")
    assert delta == msgspec.structs.replace(wanted, delta="é")
    assert shown == [msgspec.structs.replace(wanted, delta="\ud800x")] * 2
    assert following.delta_bytes == 2 + 4


def test_first_text_is_not_passed_on_as_writing_is_told_with_it() -> None:
    following = stream()
    following.feed(ModelBlockStart(index=0, kind="text"))
    first = ModelBlockDelta(index=0, kind="text", text="x")
    assert not following.pass_on(lambda _: True, first)
    assert following.delta_bytes == 0


def test_thinking_is_not_writing() -> None:
    following = stream()
    following.feed(ModelBlockStart(index=0, kind="thinking"))
    assert following.feed(ModelBlockDelta(index=0, kind="thinking", text="hm")) == [
        e.BlockDelta(message="m1", block="b0", kind="thinking", delta="hm")
    ]
    assert not following.text_shown


def test_blocks_are_numbered_as_they_begin_whatever_their_index() -> None:
    following = stream()
    names = [
        event.block
        for index in (3, 7)
        for event in following.feed(ModelBlockStart(index=index, kind="text"))
        if isinstance(event, e.BlockStarted)
    ]
    assert names == ["b0", "b1"]
    content = TextBlock(text="x")
    assert following.feed(ModelBlockStop(index=7, kind="text", content=content)) == [
        e.BlockCompleted(message="m1", block="b1", kind="text", content=content)
    ]


def test_end_of_message_without_a_block_creates_it() -> None:
    following = stream()
    stop = ModelMessageStop(content=[], stop_reason="end_turn", usage=Usage())
    assert following.feed(stop) == [
        e.MessageCreated(message="m1", role="assistant", author=AGENT)
    ]
    assert following.end == stop


def test_end_keeps_all_that_the_model_said() -> None:
    following = stream()
    stop = ModelMessageStop(
        content=[TextBlock(text="x")],
        stop_reason="refusal",
        usage=Usage(output_tokens=3),
        request_id="req_1",
        model="m",
    )
    following.feed(stop)
    assert following.end == stop


def test_tool_uses_get_ids_of_their_own_the_same_in_block_and_message() -> None:
    following = stream("toolu_1")
    uses: list[str] = []
    for event in script(tool_use("f"), tool_use("f"), tool_use("f", id_="new")):
        uses += [
            given.content.id
            for given in following.feed(event)
            if isinstance(given, e.BlockCompleted)
            and isinstance(given.content, ToolUseBlock)
        ]
    assert uses == ["toolu_1-2", "toolu_1-3", "new"]
    assert following.end is not None
    ids = [b.id for b in following.end.content if isinstance(b, ToolUseBlock)]
    assert ids == uses


def test_block_that_never_began_is_the_models_fault() -> None:
    with pytest.raises(KeyError):
        stream().feed(ModelBlockDelta(index=0, kind="text", text="x"))
