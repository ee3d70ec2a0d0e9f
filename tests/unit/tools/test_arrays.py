from __future__ import annotations

from typing import Any

import pytest

from streamchat_nb.protocol.content import TableDisplay
from streamchat_nb.tools.values import MOST_TEXT, result_of

numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
polars: Any = pytest.importorskip("polars")
pydantic: Any = pytest.importorskip("pydantic")
attrs: Any = pytest.importorskip("attrs")


def _table(value: object) -> TableDisplay:
    (display,) = result_of(value).display
    assert isinstance(display, TableDisplay)
    return display


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (numpy.array([]), "numpy ndarray, shape (0,), float64, empty"),
        (
            numpy.array([[1.0, numpy.nan], [numpy.inf, 2.0]]),
            (
                "numpy ndarray, shape (2, 2), float64\n1 NaN, 1 infinite, "
                "min 1, median 1.5, mean 1.5, std 0.707107, max 2\n"
                'Values: [[1.0,"nan"],["inf",2.0]]'
            ),
        ),
        (numpy.array([True, False]), "1 true\nValues: [true,false]"),
        (numpy.array(["b", "a", "b"]), '2 distinct, most often "b" (67%)'),
        (numpy.array([None, {"a": 1}]), 'Values: [null,{"a":1}]'),
        (
            numpy.array(["2024-01-01", "NaT"], "datetime64[D]"),
            "1 NaT, always 2024-01-01",
        ),
        (
            numpy.zeros((3, 50, 50)),
            "First values: [[[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0],",
        ),
        (numpy.arange(1_000)[::-3], "min 0, median 499.5, mean 499.5"),
        (numpy.ma.masked_array([1, 99], [False, True]), "always 1\nValues: [1,null]"),
        (numpy.array([(1, "x")], [("n", int), ("s", "U1")]), 'Values: [[1,"x"]]'),
        (numpy.array([numpy.float16(60_000)] * 3), "always 60000"),
        (numpy.array([1 + 1j]), 'Values: ["(1+1j)"]'),
    ],
)
def test_result_of_array(array: object, expected: str) -> None:
    output = result_of(array).output
    assert expected in output
    assert len(output) <= MOST_TEXT


def test_array_of_one_or_two_dimensions_is_a_table_for_people() -> None:
    assert _table(numpy.array([1, 2])).rows == [["1"], ["2"]]
    assert _table(numpy.zeros((2, 3))).columns == ["0", "1", "2"]
    fields = numpy.array([(1, "x")], [("n", int), ("s", "U1")])
    assert _table(fields).columns == ["n", "s"]
    big = _table(numpy.zeros((100, 100)))
    assert (len(big.rows), len(big.columns), big.total_rows) == (50, 30, 100)
    assert result_of(numpy.zeros((2, 2, 2))).display == ()
