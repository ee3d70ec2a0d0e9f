from __future__ import annotations

import pytest

from streamchat_nb.agent.event_stream import EventSplitter
from streamchat_nb.errors import ModelError


def split(*chunks: bytes, ended: bool = True) -> list[tuple[str, bytes]]:
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events + splitter.end() if ended else events


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_splitter_any_line_end_splits(newline: bytes) -> None:
    lines = [b"event: one", b"data: 1", b"", b"event: two", b"data: 2", b"", b""]
    assert split(newline.join(lines), ended=False) == [("one", b"1"), ("two", b"2")]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_splitter_byte_by_byte_gives_the_same(newline: bytes) -> None:
    text = "event: é\ndata: ä\ndata: ö\n\ndata: ü\n\n".encode()
    stream = text.replace(b"\n", newline)
    single = [stream[i : i + 1] for i in range(len(stream))]
    assert split(*single) == split(stream)
    assert split(stream) == [("é", "ä\nö".encode()), ("", "ü".encode())]


def test_splitter_comments_ids_and_unknown_fields_are_left_out() -> None:
    stream = b": hello\nid: 7\nretry: 10\nnonsense\ndata: 1\n\n"
    assert split(stream) == [("", b"1")]


def test_splitter_one_space_after_the_colon_is_removed() -> None:
    assert split(b"data:  1\n\ndata:2\n\n") == [("", b" 1"), ("", b"2")]


def test_splitter_name_without_data_is_forgotten() -> None:
    assert split(b"event: one\n\ndata: 1\n\n") == [("", b"1")]


def test_splitter_name_does_not_outlive_its_event() -> None:
    assert split(b"event: one\ndata: 1\n\ndata: 2\n\n") == [("one", b"1"), ("", b"2")]


def test_splitter_byte_order_mark_is_skipped_however_cut() -> None:
    stream = b"\xef\xbb\xbfdata: 1\n\n"
    for cut in range(len(stream)):
        assert split(stream[:cut], stream[cut:]) == [("", b"1")]


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r", b"\r\n", b"\n\n"])
def test_splitter_last_event_without_blank_line_counts(tail: bytes) -> None:
    assert split(b"event: end\ndata: 1" + tail) == [("end", b"1")]


def test_splitter_end_twice_gives_the_last_event_once() -> None:
    splitter = EventSplitter()
    splitter.feed(b"data: 1")
    assert splitter.end() == [("", b"1")]
    assert splitter.end() == []


def test_splitter_line_without_end_over_the_bound_is_refused() -> None:
    splitter = EventSplitter(event_bytes=100)
    splitter.feed(b"data: " + b"x" * 90)
    with pytest.raises(ModelError) as caught:
        splitter.feed(b"x" * 10)
    assert caught.value.code == "model_stream_malformed"


def test_splitter_event_of_many_lines_over_the_bound_is_refused() -> None:
    splitter = EventSplitter(event_bytes=100)
    with pytest.raises(ModelError, match="more than 100 bytes"):
        splitter.feed(b"data: 12345678\n" * 10)


def test_splitter_bound_is_per_event() -> None:
    splitter = EventSplitter(event_bytes=100)
    assert len(splitter.feed((b"data: " + b"x" * 80 + b"\n\n") * 10)) == 10
