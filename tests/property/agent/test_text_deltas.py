"""What is read of a text at a glance is what is read of it step by step."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.text_deltas import MOST_BYTES, more_text
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from streamchat_nb.agent.model import ModelEvent

DELTA = "content_block_delta"
BEGIN = [
    {"type": "message_start", "message": {"model": "m"}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "thinking"}},
]


def delta(index: object, **changes: object) -> dict[str, Any]:
    return {"type": DELTA, "index": index, "delta": changes}


def said(index: object, text: str) -> dict[str, Any]:
    return delta(index, type="text_delta", text=text)


def cited(text: str) -> dict[str, Any]:
    return delta(0, type="text_delta", text=text, citation={"a": 1})


def said_without_a_type(text: str) -> dict[str, Any]:
    return delta(0, text=text)


def thought(text: str) -> dict[str, Any]:
    return delta(1, type="thinking_delta", thinking=text)


texts = st.text(max_size=8) | st.sampled_from(
    ["", "\\", '"', "\n\n", "event: x\ndata: ", "\ud800", "\r", "é", "🙂", "}}"]
)
indexes: st.SearchStrategy[object] = st.sampled_from([0, 0, 0, 1, 2, True, 0.0])
deltas: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(said, st.just(0), texts),
    st.builds(said, indexes, texts),
    st.builds(said_without_a_type, texts),
    st.builds(cited, texts),
    st.builds(thought, texts),
    st.just({"type": "ping"}),
    st.just({"type": "content_block_stop", "index": 0}),
    st.just({"type": "message_stop"}),
)


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """Return an event as one of the ways of writing it has it."""
    event = draw(deltas)
    between = draw(st.sampled_from([(",", ":"), (",", ":"), (", ", ": ")]))
    data = json.dumps(event, separators=between, ensure_ascii=draw(st.booleans()))
    data = data[:-1] + draw(st.sampled_from(["", "", "    ", "\t"])) + "}"
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]))
    name = draw(st.sampled_from([event["type"], event["type"], DELTA, ""]))
    named = f"event: {name}{end}" if name else ""
    return f"{named}data: {data}{end}{end}".encode("utf-8", "surrogatepass")


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Return a stream in pieces: nearly always cut between events."""
    begin = [f"data: {json.dumps(event)}\n\n".encode() for event in BEGIN]
    parts = begin + draw(st.lists(events(), max_size=12))
    whole = b"".join(parts)
    if draw(st.booleans()):
        places = draw(st.lists(st.integers(0, len(parts)), max_size=12))
        marks = sorted({0, len(parts), *places})
        return [b"".join(parts[a:b]) for a, b in pairwise(marks)]
    places = draw(st.lists(st.integers(0, len(whole)), max_size=12))
    marks = sorted({0, len(whole), *places})
    return [whole[a:b] for a, b in pairwise(marks)]


def new_reader() -> MessageReader:
    return MessageReader(MessageAccumulator(new_tool_id=lambda: "t"))


def fed(reader: MessageReader, piece: bytes) -> list[ModelEvent] | str:
    try:
        return reader.feed(piece)
    except ModelError as error:
        return error.message


@settings(max_examples=max(500, settings().max_examples))
@given(streams())
def test_text_at_a_glance_is_the_same_as_step_by_step(stream: list[bytes]) -> None:
    quick, slow = new_reader(), new_reader()
    for piece in stream:
        more = quick.go_on(piece)
        events = [more] if more is not None else fed(quick, piece)
        assert events == fed(slow, piece)
        assert quick.progress == slow.progress
        assert (quick.complete, quick.is_at_fault) == (slow.complete, slow.is_at_fault)
    rest = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    assert fed(quick, rest) == fed(slow, rest)
    stop = b'data: {"type":"message_stop"}\n\n'
    assert fed(quick, stop) == fed(slow, stop)


def written(*texts: str, **json_options: Any) -> bytes:
    return b"".join(
        b"event: content_block_delta\ndata: %s\n\n"
        % json.dumps(said(0, text), **json_options).encode()
        for text in texts
    )


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_usual_deltas_are_read_at_a_glance(separators: tuple[str, str]) -> None:
    words = [" word", '\\ "quoted"\n', "é", "🙂"]
    for text in words:
        assert more_text(written(text, separators=separators)) == (0, text, 1)
    whole = written(*words, separators=separators)
    assert more_text(whole) == (0, "".join(words), len(words))


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        written(""),
        written("a" * MOST_BYTES),
        written("a")[:-1],
        written("a") + b"\n",
        written("a") + written("b").replace(b'"index": 0', b'"index": 1'),
        written("a").replace(b"\n", b"\r\n"),
        written("a").replace(b'"index": 0', b'"index": 00'),
        written("a").replace(b'"a"', b'"\xff"'),
        written("a").replace(b'"a"', b'"\\ud800"'),
        written("a").replace(b'"a"', b'"a", "citation": {}'),
    ],
)
def test_what_takes_a_closer_look_is_left_to_it(chunk: bytes) -> None:
    assert more_text(chunk) is None
