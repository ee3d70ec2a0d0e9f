from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.tools.output import clean_text, cut_middle, encode_words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "Done."),
        ("text", "text"),
        ("", "(empty text)"),
        (" \n", "(empty text)"),
        ("half \ud800 pair", "half ? pair"),
    ],
)
def test_encode_words(value: str | None, expected: str) -> None:
    assert encode_words(value) == expected


def test_cut_middle_keeps_what_fits() -> None:
    assert cut_middle("äbc", 4) == ("äbc", False)
    assert cut_middle("", 0) == ("", False)


def test_cut_middle_keeps_head_and_tail() -> None:
    text = "".join(f"{n:04}" for n in range(1_000))
    cut, truncated = cut_middle(text, 100)
    assert truncated
    assert cut.startswith("0000000100020003")
    assert cut.endswith("099709980999")
    assert "[… 3,900 characters left out …]" in cut


@pytest.mark.parametrize("text", ["\x00" * 50, "é" * 50, '"' * 100, "x" * 101])
def test_cut_middle_measures_what_travels(text: str) -> None:
    assert cut_middle(text, 100)[1] == (len(msgspec.json.encode(text)) - 2 > 100)


@given(st.text(st.characters()), st.integers(min_value=0, max_value=300))
def test_cut_middle_never_exceeds_its_limit(text: str, limit: int) -> None:
    cut, truncated = cut_middle(text, limit)
    marker = "\n[… 1,234 characters left out …]\n"
    size = len(msgspec.json.encode(cut)) - 2
    if truncated:
        assert size <= limit + len(json.dumps(marker))
        head, _, tail = cut.partition("\n[… ")
        tail = tail.partition(" …]\n")[2]
        clean = clean_text(text)
        if "[… " not in text:
            assert clean.startswith(head)
            assert clean.endswith(tail)
            # One character more would not have fitted: it is six bytes at most.
            room = limit * 3 // 4 - (len(msgspec.json.encode(head)) - 2)
            assert 0 <= room < 6
    else:
        assert size <= limit
        assert cut == clean_text(text)
