"""Streams, however the network cuts them: recorded ones, our own, and made-up ones."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamchat_nb.agent.accumulator import MessageAccumulator
from streamchat_nb.agent.message_reader import MessageReader
from streamchat_nb.agent.model import (
    ModelBlockDelta,
    ModelBlockStop,
    ModelEvent,
    ModelMessageStop,
)
from streamchat_nb.agent.offline_rules import Reply, ToolCall
from streamchat_nb.agent.offline_stream import reply_frames
from streamchat_nb.errors import ModelError
from streamchat_nb.protocol.content import TextBlock, ToolUseBlock
from tests.model_events import begins_with, joined
from tests.property.agent.recorded_streams import (
    RECORDED,
    each_recording,
    end_of_message,
    recording,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST: dict[str, Any] = {"model": "m", "messages": []}
OWN = b"".join(
    data
    for _, data in reply_frames(
        Reply(
            text="One é\n\ntwo 🦉 three.",
            calls=(ToolCall(name="a", input={"query": "“Ada” 🦉", "limit": 5}),),
            stop_reason="tool_use",
        ),
        REQUEST,
        pace_s=0.0,
    )
)


def read(
    chunks: Iterable[bytes], *, lenient: bool = False
) -> tuple[list[ModelEvent], str]:
    """Return the events of a response and the code of its fault, empty for none."""
    numbers = itertools.count()
    accumulator = MessageAccumulator(
        lenient=lenient, new_tool_id=lambda: f"new_{next(numbers)}"
    )
    reader = MessageReader(accumulator)
    events: list[ModelEvent] = []
    try:
        for chunk in chunks:
            events.extend(reader.feed(chunk))
            reader.check()
        events.extend(reader.end())
        reader.check()
    except ModelError as error:
        return joined(events), error.code
    return joined(events), ""


def pieces(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


def tries(stream: bytes, most: int) -> int:
    """Return how often to read a stream: long ones less often, none for too long."""
    return max(4, min(most, 400_000 // len(stream)))


def assert_truncated(stream: bytes, length: int, whole: list[ModelEvent]) -> None:
    events, code = read([stream[:length]])
    assert code in {"model_stream_truncated", "model_stream_malformed"}, length
    assert not any(isinstance(event, ModelMessageStop) for event in events)
    assert begins_with(whole, events), length


CUTS = st.lists(st.integers(min_value=0, max_value=10**9), max_size=12)


# --- recorded streams ------------------------------------------------------------


@each_recording
def test_recorded_stream_split_anywhere_gives_the_same_events(name: str) -> None:
    stream = recording(name)
    expected = read([stream])

    @settings(max_examples=tries(stream, 25), deadline=None)
    @given(cuts=CUTS)
    def holds(cuts: list[int]) -> None:
        assert read(pieces(stream, cuts)) == expected

    holds()
    step = 1 if len(stream) < 10_000 else 5
    assert read(stream[i : i + step] for i in range(0, len(stream), step)) == expected


@each_recording
@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_recorded_stream_with_other_line_ends_is_the_same(
    name: str, newline: bytes
) -> None:
    stream = recording(name)
    other = stream.replace(b"\n", newline)
    for size in (1 if len(stream) < 10_000 else 5, 4096):
        chunks = [other[i : i + size] for i in range(0, len(other), size)]
        assert read(chunks) == read([stream])


@each_recording
def test_recorded_stream_cut_anywhere_is_never_whole(name: str) -> None:
    stream = recording(name)
    whole, code = read([stream])
    end = end_of_message(stream)
    assert bool(code) or isinstance(whole[-1], ModelMessageStop)
    # Around every line end, and evenly in between.
    count = tries(stream, 40)
    edges = [i for i in range(end) if stream[i : i + 1] == b"\n"]
    near = {
        edge + shift for edge in edges[:: len(edges) // count + 1] for shift in (0, 1)
    }
    for length in sorted({*near, *range(0, end, end // count + 1), end - 1}):
        if length < end:
            assert_truncated(stream, length, whole)
    if not code:
        assert read([stream[:end]]) == (whole, "")


@each_recording
def test_recorded_tool_input_is_the_whole_of_its_parts(name: str) -> None:
    events, _ = read([recording(name)])
    parts: dict[int, str] = {}
    for event in events:
        if isinstance(event, ModelBlockDelta) and event.kind == "tool_use":
            parts[event.index] = parts.get(event.index, "") + event.text
        if isinstance(event, ModelBlockStop) and event.index in parts:
            assert isinstance(event.content, ToolUseBlock)
            assert event.content.input == json.loads(parts.pop(event.index))
    assert not parts or name.startswith(("incomplete", "tool_use_inv", "spliced"))


def test_recorded_streams_are_the_known_ones() -> None:
    recording(min(RECORDED, default="none"))
    faults = {name: read([stream])[1] for name, stream in RECORDED.items()}
    assert {name: code for name, code in faults.items() if code} == {
        "incomplete_partial_json_response.txt": "model_stream_truncated",
        "tool_use_invalid_json_response.txt": "model_stream_malformed",
        "spliced-message-start.chunks.txt#0": "model_stream_malformed",
    }
    assert len(RECORDED) >= 66


# --- our own ---------------------------------------------------------------------


def test_own_stream_cut_at_every_byte_is_never_whole() -> None:
    end = end_of_message(OWN)
    whole, _ = read([OWN])
    for length in range(end):
        assert_truncated(OWN, length, whole)
    assert read([OWN[:end]])[1] == ""


def test_own_stream_split_at_every_byte_gives_the_same_events() -> None:
    expected = read([OWN])
    for cut in range(len(OWN)):
        assert read([OWN[:cut], OWN[cut:]]) == expected


@given(cuts=CUTS, newline=st.sampled_from([b"\n", b"\r", b"\r\n"]))
@settings(deadline=None)
def test_own_stream_split_anywhere_gives_the_same_events(
    cuts: list[int], newline: bytes
) -> None:
    assert read(pieces(OWN.replace(b"\n", newline), cuts)) == read([OWN])


def test_lenient_stream_cut_before_the_stop_reason_is_never_whole() -> None:
    end = OWN.index(b"}", OWN.index(b'"stop_reason":"tool_use"'))
    for length in range(end):
        events, code = read([OWN[:length]], lenient=True)
        assert code
        assert not any(isinstance(event, ModelMessageStop) for event in events)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1),
    inputs=st.lists(st.dictionaries(st.text(), JSON), max_size=3),
    cuts=CUTS,
)
@settings(deadline=None)
def test_any_message_arrives_as_it_was_sent(
    text: str, inputs: list[dict[str, Any]], cuts: list[int]
) -> None:
    calls = tuple(ToolCall(name="n", input=input_) for input_ in inputs)
    frames = reply_frames(Reply(text=text, calls=calls), REQUEST, pace_s=0.0)
    stream = b"".join(data for _, data in frames)
    events, code = read(pieces(stream, cuts))
    assert code == ""
    stop = events[-1]
    assert isinstance(stop, ModelMessageStop)
    first, *uses = stop.content
    assert first == TextBlock(text=text)
    assert [use.input for use in uses if isinstance(use, ToolUseBlock)] == inputs


# --- anything at all -------------------------------------------------------------

LINES = OWN.split(b"\n")


@given(
    soup=st.lists(
        st.sampled_from(LINES) | st.binary(max_size=40) | st.just(b""), max_size=40
    ),
    cuts=CUTS,
    lenient=st.booleans(),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_end_in_one_message_or_one_error(
    soup: list[bytes], cuts: list[int], *, lenient: bool
) -> None:
    stream = b"\n".join(soup)
    events, code = read([stream], lenient=lenient)
    ends = [i for i, event in enumerate(events) if isinstance(event, ModelMessageStop)]
    assert ends == ([] if code else [len(events) - 1])
    assert read(pieces(stream, cuts), lenient=lenient) == (events, code)


@given(edits=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 255))))
@settings(deadline=None)
def test_changed_bytes_never_give_a_tool_call_of_another_shape(
    edits: list[tuple[int, int]],
) -> None:
    stream = bytearray(OWN)
    for place, value in edits:
        stream[place % len(stream)] = value
    events, code = read([bytes(stream)])
    if not code:
        stop = events[-1]
        assert isinstance(stop, ModelMessageStop)
        closed = [e for e in events if isinstance(e, ModelBlockStop)]
        # A block whose end was lost closes with the message, after those behind it.
        in_order = sorted(closed, key=lambda block: block.index)
        assert stop.content == [block.content for block in in_order]
