from __future__ import annotations

import datetime as dt
import enum
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, TypedDict

import pytest
from msgspec import Meta

from streamchat_nb.errors import ToolError, UsageError
from streamchat_nb.tools.schema import describe_function
from streamchat_nb.tools.tool import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Place:
    city: str
    tags: list[str] = field(default_factory=list[str])


class Span(TypedDict):
    first: int
    last: int


CONTEXT = ToolContext(
    conversation="c",
    turn="t",
    tool_call="x",
    report=lambda _text, _fraction: None,
    is_cancelled=lambda: False,
)


def properties(function: Callable[..., object]) -> dict[str, Any]:
    return describe_function(function).input_schema["properties"]


def call(function: Callable[..., object], **input_: object) -> object:
    positional, keywords = describe_function(function).arguments(input_, CONTEXT)
    return function(*positional, **keywords)


def test_schema_of_documented_function_is_complete() -> None:
    def search(query: str, limit: Annotated[int, Meta(ge=1, le=9)] = 5) -> str:
        """Search the books.

        Best matches first.

        Args:
            query: What to look for,
                in plain words.
            limit: How many.

        Returns:
            A list.
        """
        return f"{query}{limit}"

    described = describe_function(search)
    assert described.description == "Search the books.\n\nBest matches first."
    assert described.input_schema == {
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "description": "What to look for, in plain words.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 9,
                "description": "How many.",
                "default": 5,
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    }
    assert described.context_parameter is None


def test_schema_without_docstring_describes_by_name() -> None:
    def find_a_book() -> None: ...

    described = describe_function(find_a_book)
    assert described.description == "find a book"
    assert described.input_schema["properties"] == {}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (list[str], {"type": "array", "items": {"type": "string"}}),
        (
            dict[str, float],
            {"type": "object", "additionalProperties": {"type": "number"}},
        ),
        (Colour, {"$ref": "#/$defs/Colour"}),
        (Place, {"$ref": "#/$defs/Place"}),
        (dt.date, {"type": "string", "format": "date"}),
        (Any, {}),
    ],
)
def test_schema_of_annotation(annotation: object, expected: dict[str, Any]) -> None:
    def f(value: object) -> None: ...

    f.__annotations__["value"] = annotation
    assert properties(f) == {"value": expected}


def test_schema_shares_definitions_of_named_types() -> None:
    def f(here: Place, there: Place, colour: Colour, span: Span) -> None: ...

    definitions = describe_function(f).input_schema["$defs"]
    assert set(definitions) == {"Place", "Colour", "Span"}
    assert definitions["Colour"]["enum"] == ["blue", "red"]


def test_schema_keeps_description_of_meta_over_docstring() -> None:
    def f(a: Annotated[int, Meta(description="from meta")]) -> None:
        """Do it.

        Args:
            a: from docstring
        """

    assert properties(f)["a"]["description"] == "from meta"


def test_schema_shows_defaults_that_json_can_carry_only() -> None:
    marker = object()

    def f(
        colour: Colour = Colour.RED,
        place: Place = Place("Cork"),  # noqa: B008 (that it is shown is the point)
        anything: object = marker,
        nothing: int | None = None,
    ) -> None: ...

    f.__annotations__["anything"] = Any
    shown = properties(f)
    assert shown["colour"]["default"] == "red"
    assert shown["place"]["default"] == {"city": "Cork", "tags": []}
    assert "default" not in shown["anything"]
    assert shown["nothing"]["default"] is None
    assert describe_function(f).input_schema["required"] == []


def test_schema_leaves_out_the_context() -> None:
    def plain(query: str, context: ToolContext) -> None: ...
    def optional(context: ToolContext | None = None) -> None: ...
    def old_style(context: Optional[ToolContext] = None) -> None: ...  # noqa: UP045
    def annotated(context: Annotated[ToolContext, "the line"]) -> None: ...

    assert list(properties(plain)) == ["query"]
    for function in (plain, optional, old_style, annotated):
        described = describe_function(function)
        assert "context" not in described.input_schema["properties"]
        assert described.context_parameter is not None


def test_schema_of_context_imported_for_type_checkers_only() -> None:
    names: dict[str, Any] = {}
    source = "def f(query: 'str', context: 'ToolContext') -> 'Nowhere': ..."
    exec(source, names)  # noqa: S102 (a module without the import is the case)
    assert list(properties(names["f"])) == ["query"]


def test_schema_of_two_contexts_is_refused() -> None:
    def f(a: ToolContext, b: ToolContext) -> None: ...

    with pytest.raises(UsageError, match="ToolContext twice"):
        describe_function(f)


def test_schema_without_annotation_names_the_parameter() -> None:
    def f(query, limit: int) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    with pytest.raises(UsageError, match="'query' of f has no type annotation"):
        describe_function(f)  # pyright: ignore[reportUnknownArgumentType]


def test_schema_of_star_parameters_is_refused() -> None:
    def f(*names: str) -> None: ...
    def g(**names: str) -> None: ...

    with pytest.raises(UsageError, match=r"f takes \*names"):
        describe_function(f)
    with pytest.raises(UsageError, match=r"g takes \*\*names"):
        describe_function(g)


def test_schema_of_unresolvable_annotation_names_the_parameter() -> None:
    def f(amount: Decimal) -> None: ...

    with pytest.raises(UsageError, match=r"'amount' of f cannot be resolved.*Decimal"):
        describe_function(f)


@pytest.mark.parametrize("annotation", [CONTEXT.__class__.progress, complex, object])
def test_schema_of_what_json_cannot_carry_names_the_parameter(
    annotation: object,
) -> None:
    def f(value: object) -> None: ...

    f.__annotations__["value"] = annotation
    with pytest.raises(UsageError, match="'value' of f"):
        describe_function(f)


def test_schema_of_builtin_without_signature_is_refused() -> None:
    with pytest.raises(UsageError, match="type has no signature"):
        describe_function(type)


def test_schema_of_method_leaves_out_self() -> None:
    class Shelf:
        def find(self, title: str) -> str:
            return title

    assert list(properties(Shelf().find)) == ["title"]
    assert call(Shelf().find, title="Emma") == "Emma"


def test_schema_of_wrapped_function_is_that_of_the_function() -> None:
    def double(number: int) -> int:
        """Double it."""
        return number * 2

    @functools.wraps(double)
    def wrapper(*args: int, **kwargs: int) -> int:
        return double(*args, **kwargs)

    assert properties(wrapper) == {"number": {"type": "integer"}}
    assert call(wrapper, number=4) == 8


def test_arguments_are_typed() -> None:
    def f(colour: Colour, place: Place, days: list[dt.date]) -> object:
        return colour, place, days

    assert call(f, colour="blue", place={"city": "Cork"}, days=["1815-12-10"]) == (
        Colour.BLUE,
        Place("Cork"),
        [dt.date(1815, 12, 10)],
    )


def test_arguments_left_out_keep_the_default() -> None:
    marker: list[int] = []

    def f(a: int, b: list[int] = marker) -> list[int]:
        return [*b, a] if b is not marker else b

    assert call(f, a=1) is marker


def test_arguments_take_whole_floats_as_integers() -> None:
    def f(a: int, b: list[int], c: dict[str, int], d: float) -> object:
        return a, b, c, d

    result = call(f, a=5.0, b=[1.0, 2], c={"x": 3.0}, d=2)
    assert repr(result) == "(5, [1, 2], {'x': 3}, 2.0)"


def test_arguments_of_wrong_value_name_the_parameter() -> None:
    def f(day: dt.date) -> None: ...

    with pytest.raises(ToolError, match="'day' cannot be used"):
        call(f, day="2023-02-30")


def test_arguments_fill_positional_only_and_context() -> None:
    def f(a: int, b: int = 2, /, c: int = 3, *, context: ToolContext) -> object:
        return a, b, c, context

    assert call(f, a=1) == (1, 2, 3, CONTEXT)
    assert call(f, a=1, b=5, c=6) == (1, 5, 6, CONTEXT)

    def g(context: ToolContext, a: int, /) -> object:
        return context, a

    assert call(g, a=1) == (CONTEXT, 1)
