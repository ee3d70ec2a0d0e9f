from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import TableDisplay, TextDisplay
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.values import result_of

if TYPE_CHECKING:
    from collections.abc import Iterator

numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
polars: Any = pytest.importorskip("polars")
pydantic: Any = pytest.importorskip("pydantic")
attrs: Any = pytest.importorskip("attrs")


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Pair(NamedTuple):
    left: int
    right: int


class Record(msgspec.Struct, rename="camel"):
    first_name: str


class Unprintable:
    __module__ = "__main__"

    @override
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "Done."),
        ("text", "text"),
        ("", "(empty text)"),
        ("half \ud800 pair", "half ? pair"),
        (True, "true"),
        (3, "3"),
        (10**40, str(10**40)),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Colour.RED, "red"),
        ([], "[]"),
        ({}, "{}"),
        (["ada", "ADA"], '["ada","ADA"]'),
        ((1, [2, None]), "[1,[2,null]]"),
        ({3}, "[3]"),
        (range(3), "[0,1,2]"),
        (collections.deque([1]), "[1]"),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": [1, float("inf")]}, '{"a":[1,"inf"]}'),
        ({1: "a", (1, 2): "b", None: 0}, '{"1":"a","(1, 2)":"b","None":0}'),
        ({1: "a", "1": "b"}, '{"1":"a","1 (str)":"b"}'),
        (collections.Counter("aa"), '{"a":2}'),
        (Point(1, 2.5), '{"x":1,"y":2.5}'),
        (Point, "<class 'test_values.Point'>"),
        (Pair(1, 2), '{"left":1,"right":2}'),
        (Record("Ada"), '{"firstName":"Ada"}'),
        (attrs.make_class("Sized", ["size"])(3), '{"size":3}'),
        (pydantic.create_model("Model", size=int)(size=3), '{"size":3}'),
        (dt.date(1815, 12, 10), "1815-12-10"),
        ([dt.timedelta(seconds=1), decimal.Decimal("1.10")], '["0:00:01","1.10"]'),
        (b"", "0 bytes"),
        (b"\x00ab", r"3 bytes, beginning b'\x00ab'"),
        (memoryview(b"abcdef")[::2], "3 bytes, beginning b'ace'"),
        ([b"abc"], '["<3 bytes>"]'),
        (Unprintable(), "<Unprintable; its repr raised ValueError>"),
        ([Unprintable()], '["<Unprintable; its repr raised ValueError>"]'),
        (numpy.int64(3), "3"),
        (numpy.float32(0.5), "0.5"),
        (numpy.longdouble(0.5), "0.5"),
        (numpy.bool_(True), "true"),
        (numpy.array(7), "7"),
        (
            numpy.datetime64("2024-01-01T00:00:00", "ns"),
            "2024-01-01T00:00:00.000000000",
        ),
        (pandas.NaT, "NaT"),
        (pandas.NA, "<NA>"),
        (
            {"frame": pandas.DataFrame({"a": [1]})},
            '{"frame":"<pandas DataFrame (1, 1)>"}',
        ),
        (["a\u202eb"], '["a\\\\u202eb"]'),
    ],
)
def test_result_of_plain_value(value: object, expected: str) -> None:
    output = result_of(value).output
    assert output.replace(f"'{__name__}.", "'test_values.") == expected


def test_result_stays_a_result() -> None:
    result = ToolResult(output="x", status="error")
    assert result_of(result) is result


@pytest.mark.parametrize(
    "value", [map(str, [1]), iter([1]), (n for n in [1]), zip("a")]
)
def test_result_of_what_gives_its_values_once_is_refused(value: Iterator[int]) -> None:
    with pytest.raises(ToolError, match="gives its values only once"):
        result_of(value)
    assert len(list(value)) == 1, "nothing of it was read"


def test_result_of_file_is_its_representation() -> None:
    assert result_of(io.StringIO("text")).output.startswith("<_io.StringIO")


def test_result_that_contains_itself_ends() -> None:
    value: list[Any] = [1]
    value += [value, value]
    output = result_of(value).output
    assert len(output) <= 100_000
    assert output.startswith("[1,[1,[1,")


def test_result_of_millions_is_bounded_and_reads_only_what_it_shows() -> None:
    began = time.perf_counter()
    output = result_of(list(range(3_000_000))).output
    took_s = time.perf_counter() - began
    numbers = json.loads(output)
    assert numbers[:3] == [0, 1, 2]
    assert numbers[-1] == f"… {3_000_000 - len(numbers) + 1:,} more"
    assert len(output) <= 100_000
    assert took_s < 2


def test_result_of_dict_says_what_it_leaves_out() -> None:
    value = json.loads(result_of({f"k{n}": "x" * 1_000 for n in range(500)}).output)
    more = value.pop("…")
    assert more == f"{500 - len(value):,} more"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=40,
    )
)
def test_result_of_any_json_is_json(value: object) -> None:
    output = result_of(value).output
    assert output
    output.encode()
    if isinstance(value, (list, dict)):
        json.loads(output)


def test_result_of_object_whose_everything_fails() -> None:
    class Hostile:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

        def __len__(self) -> int:
            raise RuntimeError("len")

    class Broken(dict[str, int]):
        __module__ = "__main__"

        @override
        def items(self) -> Any:
            raise RuntimeError("items")

    assert "Hostile" in result_of(Hostile()).output
    assert result_of(Broken()).output == "<Broken; reading it raised RuntimeError>"


def _hooked(answer: object) -> object:
    class Hooked:
        __module__ = "__main__"

        def __llm__(self) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

        @override
        def __repr__(self) -> str:
            return "not to be seen"

    return Hooked()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("what I say", "what I say"),
        ({"a": 1}, '{"a":1}'),
        (("text", TextDisplay(text="shown")), "text"),
        (("text",), "text"),
        ((), "(empty text)"),
        (ValueError("hidden reason"), "<Hooked; its __llm__() raised ValueError>"),
        (map(str, [1]), "<map>"),
        (ToolResult(output="mine", status="error"), "mine"),
    ],
)
def test_object_says_itself_what_a_model_sees(answer: object, expected: str) -> None:
    assert result_of(_hooked(answer)).output == expected


def test_hook_is_asked_wherever_its_object_is() -> None:
    hooked = _hooked("mine")
    assert result_of([hooked, {"a": hooked}]).output == '["mine",{"a":"mine"}]'
    frame = result_of(pandas.DataFrame({"a": [hooked]}))
    assert frame.output.endswith("a\nmine")
    assert "not to be seen" not in str(frame)
    assert result_of(_hooked(hooked)).output == "<Hooked>"
    assert result_of(type(hooked)).output.startswith("<class")


def test_hook_shows_values_to_people_within_bounds() -> None:
    frame = pandas.DataFrame({"a": [1]})
    shown = result_of(_hooked(("text", frame, TextDisplay(text="x" * 200_000))))
    assert [type(display) for display in shown.display] == [TableDisplay]


def test_async_hook_is_refused() -> None:
    class Later:
        async def __llm__(self) -> str:
            return "later"

    assert "is async" in result_of(Later()).output


def test_nothing_of_data_is_imported_for_other_values() -> None:
    script = (
        "import sys\n"
        "from streamchat_nb.tools.values import result_of\n"
        "from streamchat_nb.tools.data_digest import describe_data\n"
        "for value in ('a', 1, [1], {'a': object()}, b'x', object()):\n"
        "    result_of(value), describe_data(value, name='x')\n"
        "heavy = {'pandas', 'polars', 'numpy', 'matplotlib', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
