from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import TableDisplay
from streamchat_nb.tools.namespace import (
    describe_variable,
    namespace_overview,
    preview_table,
    user_variables,
)

if TYPE_CHECKING:
    from streamchat_nb.tools.tool import ToolResult

numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
polars: Any = pytest.importorskip("polars")

KEY = "sk-" + "proj-" + "aB3" * 12


def price(amount: float, rate: float = 0.19) -> float:
    """Add the tax."""
    return amount * (1 + rate)


price.__module__ = "__main__"


class Loud:
    """Runs something whenever it is looked at."""

    __module__ = "__main__"

    @override
    def __repr__(self) -> str:
        raise AssertionError("looked at")

    def __len__(self) -> int:
        raise AssertionError("counted")


def _namespace() -> dict[str, object]:
    return {
        "__name__": "__main__",
        "_": 1,
        "_hidden": 2,
        "In": [],
        "Out": {},
        "get_ipython": print,
        "sys": sys,
        "sqrt": math.sqrt,
        "OrderedDict": dict,
        "total": 3,
        "greeting": "hello\n" * 100,
        "api_key": "lovelace",
        "note": f"use {KEY}",
        "items": [1, 2],
        "options": {"a": 1, "b": 2},
        "price": price,
        "Loud": Loud,
        "loud": Loud(),
        "frame": pandas.DataFrame({"n": range(60), "secret": ["lovelace"] * 60}),
        "lazy": polars.DataFrame({"a": [1]}).lazy(),
        "matrix": numpy.zeros((3, 4)),
        "nothing": None,
    }


def test_overview_has_a_line_for_each_variable_the_latest_first() -> None:
    assert namespace_overview(_namespace()).splitlines() == [
        "nothing: NoneType = None",
        "matrix: numpy ndarray, shape (3, 4)",
        "lazy: polars LazyFrame",
        'frame: pandas DataFrame, shape (60, 2), columns ["n","secret"]',
        "loud: Loud",
        "Loud: type()",
        "price: function(amount: 'float', rate: 'float' = 0.19) -> 'float'",
        'options: dict, 2 items, keys ["a","b"]',
        "items: list, 2 items",
        'note: str, 48 characters = "use [secret left out]"',
        "api_key: str, 8 characters = [secret left out]",
        'greeting: str, 600 characters = "' + "hello\\n" * 8 + 'hel…"',
        "total: int = 3",
    ]


def test_overview_of_what_cannot_be_counted_is_its_type() -> None:
    class Broken(dict[str, int]):
        __module__ = "__main__"

        @override
        def __len__(self) -> int:
            raise RuntimeError("len")

    series = pandas.Series({"columns": 1})
    overview = namespace_overview({"broken": Broken(), "series": series})
    assert overview == "series: pandas Series, shape (1,)\nbroken: Broken"


def test_overview_is_bounded() -> None:
    huge = "x" * 10**6
    namespace: dict[str, object] = {f"name{n}": huge for n in range(5_000)}
    text = namespace_overview(namespace)
    assert len(text) <= 8_100
    assert text.startswith("name4999: str, 1,000,000 characters")
    assert text.splitlines()[-1].endswith("older variables")
    wide = namespace_overview({"x" * 10_000: pandas.DataFrame(columns=range(10_000))})
    assert len(wide) <= 160
    assert namespace_overview({"_": 1}) == "There are no variables."


def test_variables_of_the_user() -> None:
    names = set(user_variables(_namespace()))
    assert {"total", "price", "Loud", "frame"} <= names
    assert not names & {"_", "_hidden", "In", "Out", "get_ipython", "sys", "sqrt"}


def test_describe_variable() -> None:
    namespace = _namespace()
    frame = describe_variable(namespace, "frame").output
    assert frame.startswith("frame: pandas DataFrame, 60 rows, 1 column; 1 more not")
    assert "lovelace" not in frame
    assert "lovelace" not in describe_variable(namespace, "api_key").output
    assert KEY not in describe_variable(namespace, "note").output
    assert describe_variable(namespace, "total").output == "total: 3"
    assert describe_variable(namespace, "price").output == (
        "function price(amount: 'float', rate: 'float' = 0.19) -> 'float'"
        "\n\nAdd the tax."
    )
    assert describe_variable(namespace, "Loud").output.startswith(
        "class Loud()\n\nRuns"
    )
    assert "repr raised AssertionError" in describe_variable(namespace, "loud").output


@pytest.mark.parametrize("name", ["tota", "_hidden", "sys", "In", ""])
def test_describe_of_what_is_no_variable_is_a_clear_error(name: str) -> None:
    with pytest.raises(ToolError, match="There is no variable") as caught:
        describe_variable(_namespace(), name)
    assert ("did you mean 'total'?" in caught.value.message) == (name == "tota")
    assert "total, greeting, api_key" in caught.value.message


def _table(result: ToolResult) -> TableDisplay:
    (display,) = result.display
    assert isinstance(display, TableDisplay)
    return display


def test_preview_is_text_and_a_table() -> None:
    result = preview_table(_namespace(), "frame", rows=3)
    assert result.output.endswith("First 3 rows, as CSV:\nn\n0\n1\n2")
    table = _table(result)
    assert (table.title, table.columns, table.total_rows) == ("frame", ["n"], 60)
    assert table.rows == [["0"], ["1"], ["2"]]
    many = preview_table(_namespace(), "frame", rows=1_000)
    assert len(_table(many).rows) == 50
    assert len(_table(preview_table(_namespace(), "frame", rows=-5)).rows) == 1


def test_preview_shows_secret_columns_to_nobody() -> None:
    namespace = _namespace()
    for columns in (None, ["n", "secret"], ["secret"]):
        result = preview_table(namespace, "frame", columns=columns)
        assert "lovelace" not in str(result)
    namespace["keys"] = polars.DataFrame({"a": [KEY]})
    assert KEY not in str(preview_table(namespace, "keys"))


def test_preview_of_chosen_columns_and_of_arrays() -> None:
    namespace = _namespace()
    namespace["wide"] = pandas.DataFrame({"a": [1], "b": [2], "c": [3]})
    assert _table(preview_table(namespace, "wide", columns=["c", "a"])).rows == [
        ["1", "3"]
    ]
    assert len(_table(preview_table(namespace, "matrix")).rows) == 3
    with pytest.raises(ToolError, match=r"no column 'x'\. There are: a, b, c"):
        preview_table(namespace, "wide", columns=["x"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("total", "total is a int, not a table"),
        ("lazy", "lazy is lazy and has no rows before it is collected"),
        ("missing", "There is no variable 'missing'"),
    ],
)
def test_preview_of_no_table_is_a_clear_error(name: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        preview_table(_namespace(), name)
