from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.errors import ToolError
from streamchat_nb.tools.output import clean_text, cut_middle, encode_result


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "Done."),
        ("text", "text"),
        ("", "(empty text)"),
        (" \n", "(empty text)"),
        ("half \ud800 pair", "half ? pair"),
        (3, "3"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        ([], "[]"),
        ({}, "{}"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (dt.date(1815, 12, 10), '"1815-12-10"'),
    ],
)
def test_encode_result(value: object, expected: str) -> None:
    assert encode_result(value) == expected


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, ["\ud800"], lambda: 1])
def test_encode_result_of_what_json_cannot_carry_is_a_clear_error(
    value: object,
) -> None:
    with pytest.raises(ToolError, match=r"returned a \w+ that cannot be written"):
        encode_result(value)


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
