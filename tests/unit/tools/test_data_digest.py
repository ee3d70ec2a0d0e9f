from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.data_digest import DigestColumn, describe_data

numpy: Any = pytest.importorskip("numpy")
pandas: Any = pytest.importorskip("pandas")
polars: Any = pytest.importorskip("polars")
pydantic: Any = pytest.importorskip("pydantic")
attrs: Any = pytest.importorskip("attrs")

KEY = "sk-" + "proj-" + "aB3" * 12
NOTE = "(Parts that look like secrets were left out.)"


def _people() -> Any:
    return pandas.DataFrame(
        {"name": ["Ada", "Alan"], "password": ["lovelace", "turing"], "age": [36, None]}
    )


def test_digest_is_exactly_what_leaves() -> None:
    digest = describe_data(_people(), name="people")
    assert digest.text.splitlines() == [
        "people: pandas DataFrame, 2 rows, 2 columns; 1 more not shown",
        "",
        "- name (str): 2 distinct",
        "- age (float64): 1 missing, always 36",
        "",
        "First 2 rows, as CSV:",
        "name,age",
        "Ada,36.0",
        "Alan,NaN",
        "",
        NOTE,
    ]
    assert digest.columns == (
        DigestColumn(name="name", dtype="str", included=True),
        DigestColumn(name="password", dtype="str", included=False, reason="secret"),
        DigestColumn(name="age", dtype="float64", included=True),
    )
    assert digest.has_secrets


def test_columns_are_allowed_by_name_also_those_that_seem_secret() -> None:
    digest = describe_data(_people(), name="people", columns=["password"])
    assert "lovelace" in digest.text
    assert "Ada" not in digest.text
    assert "name" not in digest.text
    assert [column.reason for column in digest.columns] == ["denied", "", "denied"]
    nothing = describe_data(_people(), name="people", columns=[])
    assert nothing.text == (
        "people: pandas DataFrame, 2 rows, 0 columns; 3 more not shown"
    )


def test_column_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"no column 'x'; there are: 'name', 'pass"):
        describe_data(_people(), name="people", columns=["x", "age"])
    with pytest.raises(UsageError, match="total is a int and has no columns"):
        describe_data(3, name="total", columns=["x"])


def test_index_can_be_denied_like_a_column() -> None:
    frame = _people().set_index(["name", "age"])
    digest = describe_data(frame, name="people", columns=["age", "password"])
    assert "Ada" not in digest.text
    assert "name" not in digest.text
    assert "- age (index, float64): 1 missing, always 36" in digest.text
    labels = [column.name for column in digest.columns]
    assert labels == ["name", "age", "password"]


def test_rows_and_limit_are_kept() -> None:
    frame = pandas.DataFrame({"n": range(100), "text": ["long " * 50] * 100})
    assert "First" not in describe_data(frame, name="f", rows=0).text
    assert "First 50 rows" in describe_data(frame, name="f", rows=50, limit=9_000).text
    for limit in (0, 400, 1_000):
        text = describe_data(frame, name="f", rows=50, limit=limit).text
        assert len(text) <= max(limit, 400)


_LABELS = st.lists(
    st.sampled_from([f"label{n}" for n in range(8)]),
    min_size=1,
    max_size=6,
    unique=True,
)


@st.composite
def _frames(draw: st.DrawFn) -> tuple[Any, list[str], list[str], dict[str, list[str]]]:
    """Return a frame, its labels, those that are allowed and the values of each."""
    labels = draw(_LABELS)
    allowed = [label for label in labels if draw(st.booleans())]
    rows = draw(st.integers(1, 12))
    values = {
        label: [f"{place + 1}{row:02}77{place + 1}" for row in range(rows)]
        for place, label in enumerate(labels)
    }
    data: dict[str, Any] = {}
    for label, texts in values.items():
        kind = draw(st.sampled_from(["text", "number", "category", "list", "object"]))
        match kind:
            case "number":
                data[label] = [int(text) for text in texts]
            case "category":
                data[label] = pandas.Categorical(texts)
            case "list":
                data[label] = [[text, {"a": text}] for text in texts]
            case "object":
                data[label] = pandas.Series(
                    [text.encode() for text in texts], dtype=object
                )
            case _:
                data[label] = [f"{text} and more" for text in texts]
    if draw(st.booleans()):
        return (
            polars.DataFrame(
                {k: [str(v) for v in column] for k, column in data.items()}
            ),
            labels,
            allowed,
            values,
        )
    frame = pandas.DataFrame(data)
    for label in labels:
        if draw(st.integers(0, 3)) == 0:
            append = not isinstance(frame.index, pandas.RangeIndex)
            hashable = [str(value) for value in frame.pop(label)]
            frame = frame.set_index(pandas.Index(hashable, name=label), append=append)
    frame.columns.name = draw(st.sampled_from([None, labels[0]]))
    return frame, labels, allowed, values


@given(_frames(), st.integers(0, 20))
def test_denied_column_is_nowhere(
    made: tuple[Any, list[str], list[str], dict[str, list[str]]], rows: int
) -> None:
    frame, labels, allowed, values = made
    digest = describe_data(frame, name="frame", columns=allowed, rows=rows)
    for label in labels:
        if label in allowed:
            assert f"- {label} (" in digest.text
        else:
            assert label not in digest.text
            assert not any(value in digest.text for value in values[label])
    included = {column.name for column in digest.columns if column.included}
    assert included == set(allowed)
    assert {column.name for column in digest.columns} == set(labels)


def test_secret_in_a_cell_is_left_out_wherever_it_would_be() -> None:
    frame = pandas.DataFrame(
        {
            "note": [f"{'x ' * 10} {KEY}", "plain"],
            "nested": [{"token": "lovelace", "n": 1}, [KEY]],
            f"by {KEY}": [1, 2],
            "always": [KEY, KEY],
        }
    ).set_index(pandas.Index([KEY, "i"], name="key"))
    digest = describe_data(frame, name="frame")
    assert KEY[:10] not in digest.text
    assert "lovelace" not in digest.text
    assert "most often" in digest.text
    assert digest.text.endswith(NOTE)


@pytest.mark.parametrize("distance", range(0, 90, 7))
def test_secret_that_a_cut_would_halve_is_left_out(distance: int) -> None:
    text = f"{'x' * distance} {KEY}"
    for value in (pandas.DataFrame({"a": [text]}), [text], {"a": text}, {text: 1}):
        assert KEY[:12] not in describe_data(value, name="v", limit=400).text


@dataclasses.dataclass
class Login:
    user: str
    pin: str = dataclasses.field(repr=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "v: null"),
        (3, "v: 3"),
        ("", "v: (empty text)"),
        ("text", "v: text"),
        ({"a": [1], "api_key": "x"}, 'v: {"a":[1],"api_key":"[secret left out]"}'),
        ({"deep": [{"password": {"a": 1}}]}, '[{"password":"[secret left out]"}]}'),
        (Login("ada", "1815"), 'v: {"user":"ada"}'),
        (
            attrs.make_class(
                "Login", {"user": attrs.field(), "pin": attrs.field(repr=False)}
            )(1, 1815),
            'v: {"user":1}',
        ),
        (
            pydantic.create_model(
                "Login", user=int, pin=(int, pydantic.Field(repr=False))
            )(user=1, pin=1815),
            'v: {"user":1}',
        ),
        ((n for n in [1]), "v: generator; not read, as its values come only once"),
        (numpy.arange(3), "v: numpy ndarray, shape (3,), int64\nmin 0, median 1"),
        (b"abc", "v: 3 bytes, beginning b'abc'"),
        (KEY, "v: [secret left out]"),
    ],
)
def test_digest_of_what_has_no_columns(value: object, expected: str) -> None:
    digest = describe_data(value, name="v")
    assert expected in digest.text
    assert digest.columns == ()
    assert digest.has_secrets == (NOTE in digest.text)
    assert digest.has_secrets == ("secret" in expected)


def test_value_whose_name_says_that_it_is_a_secret_is_left_out() -> None:
    digest = describe_data("lovelace", name="db_password")
    assert digest.text == f"db_password: [secret left out]\n\n{NOTE}"


def test_fields_of_an_array_are_columns() -> None:
    array = numpy.array([(1, "lovelace")], [("id", int), ("secret", "U9")])
    digest = describe_data(array, name="array")
    assert "lovelace" not in digest.text
    assert "secret" not in digest.text.removesuffix(NOTE)
    assert [column.included for column in digest.columns] == [True, False]


def test_lazy_frame_shares_its_schema() -> None:
    lazy = polars.DataFrame({"a": [1], "b": ["x"]}).lazy()
    digest = describe_data(lazy, name="lazy", columns=["b"])
    assert digest.text == (
        "lazy: polars LazyFrame (not collected), rows not counted, 1 column; "
        "1 more not shown\n\n- b (String)"
    )
    broken = describe_data(lazy.select(polars.col("none")), name="lazy")
    assert re.match("lazy: polars LazyFrame; describing it raised polars", broken.text)


def test_object_says_itself_what_is_shared() -> None:
    class Patient:
        __module__ = "__main__"

        def __init__(self, answer: object) -> None:
            self.answer = answer

        def __llm__(self) -> object:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    assert describe_data(Patient("well"), name="p").text == "p: well"
    assert describe_data(Patient({"n": 1}), name="p").text == 'p: {"n":1}'
    assert KEY not in describe_data(Patient(f"has {KEY}"), name="p").text
    assert describe_data(Patient(Patient("inner")), name="p").text == "p: Patient"
    failed = describe_data(Patient(ValueError("ill")), name="p").text
    assert failed == "p: <Patient; its __llm__() raised ValueError>"
    shared = describe_data(Patient(_people()), name="p", columns=["age"])
    assert "Ada" not in shared.text
    assert "- age (float64)" in shared.text


@given(st.text(), st.text(), st.integers(0, 900))
def test_digest_of_any_text_is_bounded(name: str, value: str, limit: int) -> None:
    for one in (value, [value], {value: value}, polars.DataFrame({"a": [value]})):
        text = describe_data(one, name=name, limit=limit).text
        assert len(text) <= max(limit, 400)
        text.encode()
