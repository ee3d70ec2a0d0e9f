from __future__ import annotations

import itertools
import re
from typing import Any

import msgspec
import pytest

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent, ModelMessageStop
from streamchat_nb.agent.offline_rules import Fault, Reply, ToolCall
from streamchat_nb.agent.offline_samples import SAMPLES
from streamchat_nb.agent.offline_stream import (
    error_body,
    reply_frames,
    reply_message,
    request_digest,
)
from streamchat_nb.protocol.content import TextBlock, ToolUseBlock

REQUEST: dict[str, Any] = {
    "model": "m-1",
    "messages": [{"role": "user", "content": "Hi"}],
}
CALLS = Reply(
    text="I call two.",
    calls=(
        ToolCall(name="a", input={"text": "é" * 30}),
        ToolCall(name="b", input={}),
    ),
    stop_reason="tool_use",
)


def frames(reply: Reply, pace_s: float = 0.0) -> list[tuple[float, bytes]]:
    return list(itertools.islice(reply_frames(reply, REQUEST, pace_s=pace_s), 1000))


def events(reply: Reply) -> list[ModelEvent]:
    reader = MessageReader(MessageAccumulator())
    return [event for _, data in frames(reply) for event in reader.feed(data)]


def stop(reply: Reply) -> ModelMessageStop:
    last = events(reply)[-1]
    assert isinstance(last, ModelMessageStop)
    return last


def test_frames_are_a_valid_stream() -> None:
    end = stop(CALLS)
    digest = request_digest(REQUEST)
    assert end.content == [
        TextBlock(text="I call two."),
        ToolUseBlock(id=f"toolu_{digest}_0", name="a", input={"text": "é" * 30}),
        ToolUseBlock(id=f"toolu_{digest}_1", name="b", input={}),
    ]
    assert (end.stop_reason, end.model) == ("tool_use", "m-1")
    assert end.usage.input_tokens
    assert end.usage.output_tokens


def test_frames_stream_markdown_word_by_word() -> None:
    text = SAMPLES["everything"]
    deltas = [
        event.text
        for event in events(Reply(text=text))
        if isinstance(event, ModelBlockDelta)
    ]
    assert "".join(deltas) == text
    assert all(re.fullmatch(r"\S+\s*", delta) for delta in deltas)


def test_frames_and_message_say_the_same() -> None:
    reader = MessageReader(MessageAccumulator())
    reader.feed(b"event: message\ndata: ")
    whole = reader.feed(msgspec.json.encode(reply_message(CALLS, REQUEST)) + b"\n\n")
    last = whole[-1]
    assert isinstance(last, ModelMessageStop)
    assert last.content == stop(CALLS).content
    assert last.stop_reason == stop(CALLS).stop_reason


def test_frames_wait_before_text_and_input_only() -> None:
    waits = [delay_s for delay_s, data in frames(CALLS, 0.5) if b"_delta" in data]
    assert waits[:-1] == [0.5] * (len(waits) - 1)
    assert waits[-1] == 0.0  # message_delta
    thinking, *others = [d for d, data in frames(CALLS, 0.5) if b"_delta" not in data]
    assert thinking == 0.6
    assert set(others) == {0.0}


def test_frames_first_word_takes_twelve_times_as_long() -> None:
    assert frames(Reply(text="a"), 0.02)[0][0] == pytest.approx(0.24)
    assert frames(Reply(text="a"), 0.0)[0][0] == 0.0


def test_frames_own_pace_of_a_reply_goes_first() -> None:
    reply = Reply(text="a b", pace_s=0.25)
    assert {delay_s for delay_s, _ in frames(reply, 9.0)[1:]} == {0.0, 0.25}


def test_frames_error_comes_last() -> None:
    last = frames(Reply(text="a", fault=Fault(kind="error")))[-1][1]
    assert last.startswith(b"event: error\n")
    assert b"overloaded_error" in last


def test_frames_cut_has_no_end() -> None:
    data = b"".join(d for _, d in frames(Reply(text="a", fault=Fault(kind="cut"))))
    assert b"content_block_stop" not in data
    assert b"message_stop" not in data


def test_frames_stall_is_pings_for_minutes() -> None:
    tail = frames(Reply(text="a", fault=Fault(kind="stall")))[-900:]
    assert all(b"ping" in data and delay_s > 0 for delay_s, data in tail)


def test_digest_depends_on_model_and_messages_only() -> None:
    same = {"messages": REQUEST["messages"], "model": "m-1", "max_tokens": 1}
    assert request_digest(same) == request_digest(REQUEST)
    assert request_digest({**REQUEST, "model": "m-2"}) != request_digest(REQUEST)
    assert re.fullmatch("[0-9a-f]{24}", request_digest(REQUEST))


def test_error_body_has_the_shape_of_the_api() -> None:
    assert error_body("api_error", "No.", "req_1") == {
        "type": "error",
        "error": {"type": "api_error", "message": "No."},
        "request_id": "req_1",
    }
