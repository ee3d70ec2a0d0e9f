from __future__ import annotations

import datetime as dt
import decimal
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from streamchat_nb.protocol.content import TableDisplay
from streamchat_nb.tools.values import MOST_TEXT, result_of

numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
polars: Any = pytest.importorskip("polars")
pydantic: Any = pytest.importorskip("pydantic")
attrs: Any = pytest.importorskip("attrs")


class Unprintable:
    __module__ = "__main__"

    @override
    def __repr__(self) -> str:
        raise ValueError("no")


def _table(value: object) -> TableDisplay:
    (display,) = result_of(value).display
    assert isinstance(display, TableDisplay)
    return display


def test_result_of_frame_has_shape_types_statistics_and_first_rows() -> None:
    frame = pandas.DataFrame(
        {
            "price": [1.5, float("nan"), float("inf"), 3.5],
            "city": ["Paris", None, "Paris", "Rome"],
            "when": pandas.date_range("2024-03-30", periods=4, tz="Europe/Paris"),
            "ok": [True, False, True, True],
        }
    )
    assert result_of(frame).output.splitlines() == [
        "pandas DataFrame, 4 rows, 4 columns",
        "",
        (
            "- price (float64): 1 missing, 1 infinite, min 1.5, median 2.5, mean 2.5, "
            "std 1.41421, max 3.5"
        ),
        '- city (str): 1 missing, 2 distinct, most often "Paris" (67%)',
        (
            f"- when ({frame.when.dtype}): min 2024-03-30T00:00:00+01:00, "
            "max 2024-04-02T00:00:00+02:00"
        ),
        "- ok (bool): 3 true",
        "",
        "First 4 rows, as CSV:",
        "price,city,when,ok",
        "1.5,Paris,2024-03-30T00:00:00+01:00,True",
        "NaN,NaN,2024-03-31T00:00:00+01:00,False",
        "inf,Paris,2024-04-01T00:00:00+02:00,True",
        "3.5,Rome,2024-04-02T00:00:00+02:00,True",
    ]
    assert _table(frame).rows[0] == [
        "1.5",
        "Paris",
        "2024-03-30T00:00:00+01:00",
        "True",
    ]
    assert _table(frame).total_rows == 4


def test_result_of_polars_frame() -> None:
    frame = polars.DataFrame(
        {
            "n": [1, 2, None],
            "x": [0.5, float("nan"), float("inf")],
            "city": ["Paris", "Paris", "Rome"],
            "tags": [["a"], [], None],
            "ok": [True, False, None],
            "day": [dt.date(2024, 1, 1), dt.date(2024, 1, 3), None],
        }
    )
    assert result_of(frame).output.splitlines() == [
        "polars DataFrame, 3 rows, 6 columns",
        "",
        "- n (Int64): 1 missing, min 1, median 1.5, mean 1.5, std 0.707107, max 2",
        "- x (Float64): 1 NaN, 1 infinite, always 0.5",
        '- city (String): 2 distinct, most often "Paris" (67%)',
        "- tags (List(String)): 1 missing",
        "- ok (Boolean): 1 missing, 1 true",
        "- day (Date): 1 missing, min 2024-01-01, max 2024-01-03",
        "",
        "First 3 rows, as CSV:",
        "n,x,city,tags,ok,day",
        '1,0.5,Paris,"[""a""]",True,2024-01-01',
        "2,NaN,Paris,[],False,2024-01-03",
        "None,inf,Rome,None,None,None",
    ]
    assert _table(frame["city"]).columns == ["city"]


def test_lazy_frame_is_told_by_its_schema_and_never_collected() -> None:
    asked: list[str] = []

    def read(_frame: object) -> Any:
        asked.append("collected")
        return polars.DataFrame({"a": [1]})

    lazy = polars.DataFrame({"a": [1], "b": ["x"]}).lazy()
    counting = lazy.map_batches(read, schema={"a": polars.Int64})
    result = result_of(counting)
    assert (
        "polars LazyFrame (not collected), rows not counted, 1 column" in result.output
    )
    assert "- a (Int64)" in result.output
    assert result.display == ()
    assert asked == []
    broken = result_of(lazy.select(polars.col("none")))
    assert broken.output.startswith("<polars LazyFrame; describing it raised polars")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pandas.DataFrame(), "0 rows, 0 columns"),
        (pandas.DataFrame({"a": []}), "- a (float64)"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "a,a (2)\n1,2"),
        (pandas.DataFrame([[1, 2, 3]], columns=["a", "a (2)", "a"]), "a,a (2),a (3)"),
        (pandas.DataFrame([[1, 2]], columns=[0, "x"]), "0,x\n1,2"),
        (pandas.DataFrame({("a", "x"): [1], ("a", ""): [2]}), "a / x,a\n1,2"),
        (pandas.DataFrame({"": [1]}), "- (no name) (int64): always 1"),
        (pandas.DataFrame({"a": [1]}, index=["i"]), "- index (index, str): 1 distinct"),
        (pandas.DataFrame({"a": [1]}, index=[7]), "index,a\n7,1"),
        (pandas.DataFrame({"a": pandas.Categorical(["x", "y", "x"])}), "2 distinct"),
        (pandas.DataFrame({"a": [[1, 2], {"b": 1}]}), "- a (object): holds list, dict"),
        (pandas.DataFrame({"a": [Unprintable()]}), "its repr raised ValueError>"),
        (pandas.DataFrame({"a": ["x\ny,\u202e\x1b[0m"]}), '"x\\ny,\\u202e\\x1b[0m"'),
        (pandas.DataFrame({"a": ["x" * 10**6]}), "xxx…"),
        (pandas.DataFrame({"a": [2**62 + 1, 3]}), "max 4611686018427387905"),
        (pandas.DataFrame({"a": [1e308, 1.5e308, -1e308]}), "max 1.5e+308"),
        (pandas.DataFrame({"a": [1 + 2j]}), "- a (complex128)"),
        (pandas.DataFrame({"a": [1, "x", None]}), "1 missing, 2 distinct"),
        (pandas.DataFrame({"a": [1, None]}, dtype="Int64"), "a\n1\n<NA>"),
        (pandas.DataFrame({"a": [True, None]}, dtype="boolean"), "1 missing, 1 true"),
        (pandas.DataFrame({"a": pandas.array([1, 0], "Sparse[int]")}), "min 0"),
        (pandas.DataFrame({"a": [dt.timedelta(1)]}), "always 1 day"),
        (
            pandas.DataFrame({"a": pandas.period_range("2024", periods=2, freq="Y")}),
            "2024",
        ),
        (
            pandas.Series([1, 2], name="n"),
            "pandas Series, 2 rows, 1 column\n\n- n (int64)",
        ),
        (pandas.Series([1.5], index=["mean"]), "index,value\nmean,1.5"),
        (pandas.Index(["a", "b"], name="key"), "- key (str): 2 distinct"),
        (
            pandas.MultiIndex.from_tuples([("a", 1)], names=["x", None]),
            "x,level 1\na,1",
        ),
        (
            pandas.DataFrame(
                {"a": [1]}, index=pandas.MultiIndex.from_tuples([("p", 2)])
            ),
            "level 0,level 1,a\np,2,1",
        ),
        (polars.Series("s", [None, None]), "- s (Null): 2 missing"),
        (polars.DataFrame({"s": [{"a": 1}]}), "- s (Struct"),
        (polars.DataFrame({"s": [b"xy"]}), "s\n<2 bytes>"),
        (polars.DataFrame({"s": [list(range(100_000))]}), 's\n"[0,1,2'),
        (
            polars.DataFrame({"s": [object()]}, schema={"s": polars.Object}),
            "s\n<object",
        ),
        (polars.DataFrame({"s": [decimal.Decimal("1.5")]}), "always 1.5"),
        (
            polars.DataFrame({"s": ["a", "b"]}, schema={"s": polars.Categorical}),
            "2 dist",
        ),
    ],
)
def test_result_of_unusual_frame(frame: object, expected: str) -> None:
    result = result_of(frame)
    assert expected in result.output
    assert len(result.output) <= MOST_TEXT
    for display in result.display:
        assert isinstance(display, TableDisplay)
        assert all(len(cell) <= 80 for row in display.rows for cell in row)


def test_result_of_wide_frame_is_bounded_and_says_what_is_left_out() -> None:
    frame = pandas.DataFrame(numpy.ones((60, 2_000)))
    frame.columns = [f"column number {n}" for n in range(2_000)]
    result = result_of(frame)
    assert len(result.output) <= MOST_TEXT
    assert "2,000 columns" in result.output.splitlines()[0]
    assert " more\n" in result.output
    table = _table(frame)
    assert (len(table.columns), len(table.rows)) == (30, 50)
    assert (table.title, table.total_rows) == ("30 of 2,000 columns", 60)


def test_result_of_frame_with_huge_cells_fits_an_event() -> None:
    frame = pandas.DataFrame([["€" * 10_000] * 40] * 60)
    result = result_of(frame)
    assert len(msgspec.json.encode([result.output, result.display])) < 130_000


def test_sample_sees_all_phases_of_data_that_repeats_itself() -> None:
    rows = 10_000_000
    frame = pandas.DataFrame(
        {
            "n": numpy.arange(rows) % 60,
            "side": pandas.Categorical.from_codes(numpy.arange(rows) % 2, ["l", "r"]),
        }
    )
    result_of(frame.head())  # what is loaded at first use is not counted
    began = time.perf_counter()
    output = result_of(frame).output
    took_s = time.perf_counter() - began
    assert "- n (int64): min 0, median 29, mean 29" in output.replace("29.5", "29")
    assert "max 59" in output
    assert "2 distinct among" in output
    assert "(Statistics of one row in 41: 243,903 of 10,000,000.)" in output
    assert took_s < 2


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=8))
def test_result_of_frame_of_any_text_is_bounded(rows: list[list[str]]) -> None:
    columns = ["a", "b", "c"]
    frames = [
        pandas.DataFrame(rows, columns=columns),
        polars.DataFrame(rows, schema=columns, orient="row"),
    ]
    for frame in frames:
        result = result_of(frame)
        assert len(result.output) <= MOST_TEXT
        result.output.encode()
        table = _table(frame)
        assert len(table.rows) == len(rows)
        msgspec.json.encode(table)
