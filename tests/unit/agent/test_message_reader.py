from __future__ import annotations

import json

import pytest

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import ModelBlockDelta, ModelEvent, ModelMessageStop
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import TextBlock

MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}


def new_reader(*, body_bytes: int = 1_000_000) -> MessageReader:
    accumulator = MessageAccumulator(request_id="req_1")
    return MessageReader(accumulator, body_bytes=body_bytes)


def read(body: bytes) -> list[ModelEvent]:
    reader = new_reader()
    return [*reader.feed(body), *reader.end()]


def test_reader_json_body_becomes_a_message() -> None:
    reader = new_reader()
    body = ("\ufeff\n" + json.dumps(MESSAGE) + "\n").encode()
    for start in range(0, len(body), 7):
        before = reader.progress
        assert reader.feed(body[start : start + 7]) == []
        assert reader.progress >= before
    events = reader.end()
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    assert stop.content == [TextBlock(text="Hi")]
    assert stop.usage.input_tokens == 3
    assert reader.complete


@pytest.mark.parametrize(
    ("body", "code", "retryable"),
    [
        (b"", "model_stream_truncated", True),
        (b" \r\n", "model_stream_truncated", True),
        (json.dumps(MESSAGE).encode()[:-1], "model_stream_truncated", True),
        (b'{"choices": []}', "model_stream_malformed", False),
        (b'{"content": "text", "type": "message"}', "model_stream_malformed", False),
        (b"<html></html>", "model_stream_malformed", False),
        (b": nothing else\n\n", "model_stream_truncated", True),
        (b'{"error": {"type": "not_found_error"}}', "model_not_found", False),
    ],
)
def test_reader_other_bodies_are_refused(
    body: bytes, code: str, *, retryable: bool
) -> None:
    with pytest.raises(ModelError) as caught:
        read(body)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert caught.value.request_id == "req_1"


def test_reader_body_over_the_bound_is_refused() -> None:
    reader = new_reader(body_bytes=100)
    reader.feed(b'{"content": "')
    with pytest.raises(ModelError, match="too large"):
        reader.feed(b"x" * 100)


def delta(text: str) -> bytes:
    data = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": text},
    }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


ERROR = b'data: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'


def test_reader_events_before_a_fault_in_one_chunk_come_first() -> None:
    reader = new_reader()
    events = reader.feed(delta("a") + delta("b") + ERROR + delta("c"))
    texts = [event.text for event in events if isinstance(event, ModelBlockDelta)]
    assert texts == ["ab"]
    for call in (reader.check, reader.end, lambda: reader.feed(b"")):
        with pytest.raises(ModelError, match="overloaded"):
            call()


def test_reader_last_event_before_truncation_comes_first() -> None:
    reader = new_reader()
    reader.feed(delta("a"))
    reader.feed(delta("b").rstrip())
    events = reader.end()
    assert [e.text for e in events if isinstance(e, ModelBlockDelta)] == ["b"]
    with pytest.raises(ModelError) as caught:
        reader.check()
    assert caught.value.code == "model_stream_truncated"


def test_reader_without_fault_has_nothing_to_check() -> None:
    reader = new_reader()
    reader.feed(delta("a"))
    reader.check()
    assert not reader.complete
