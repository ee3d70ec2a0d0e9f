from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.transcript.selection import write_within


@given(st.lists(st.text(max_size=40), max_size=20), st.integers(20, 400))
def test_head_and_tail_are_kept_within_the_limit(
    pieces: list[str], limit_bytes: int
) -> None:
    kept = write_within(
        [partial(str, piece) for piece in pieces],
        limit_bytes=limit_bytes,
        left_out="[gap]",
    )
    whole = "\n\n".join(pieces).encode("utf-8", "replace")
    if kept == pieces:
        return
    at = kept.index("[gap]")
    head, tail = kept[:at], kept[at + 1 :]
    assert pieces[: len(head)] == head
    assert pieces[len(pieces) - len(tail) :] == tail
    assert len("\n\n".join(kept).encode("utf-8", "replace")) <= limit_bytes
    assert len(whole) + 2 > limit_bytes - len("[gap]") - 2


def test_what_is_left_out_is_not_written() -> None:
    written: list[int] = []

    def write(number: int) -> str:
        written.append(number)
        return "x" * 100

    writers = [partial(write, number) for number in range(1_000)]
    kept = write_within(writers, limit_bytes=1_000, left_out="gap")
    assert kept.count("gap") == 1
    assert 6 <= len(kept) <= 11
    assert len(written) <= 12
