from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from streamchat_nb.client.structured_output import StructuredOutput
from streamchat_nb.errors import StreamchatError, UsageError
from streamchat_nb.tools.validation import check_output_schema


class Person(msgspec.Struct):
    name: str
    born: int


@dataclass
class People:
    people: list[Person]


class Town(TypedDict):
    name: str


class Place(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=2)
    visits: int


@pytest.mark.parametrize(
    ("wanted", "text", "value"),
    [
        (Person, '{"name": "Ada", "born": 1815}', Person(name="Ada", born=1815)),
        (
            People,
            '{"people": [{"name": "Ada", "born": 1815}]}',
            People(people=[Person(name="Ada", born=1815)]),
        ),
        (Town, '{"name": "Bern"}', {"name": "Bern"}),
        (Place, '{"name": "Bern", "visits": 2}', Place(name="Bern", visits=2)),
        ({"type": "object"}, '{"any": [1]}', {"any": [1]}),
    ],
    ids=["struct", "dataclass", "typed-dict", "pydantic", "schema"],
)
def test_what_is_wanted_has_a_schema_and_reads_an_answer(
    wanted: Any, text: str, value: Any
) -> None:
    output = StructuredOutput(wanted)

    check_output_schema(output.schema)
    assert output.schema["type"] == "object"
    assert output.read(text) == value


@pytest.mark.parametrize("wanted", [int, list[int], 5, {"type": "array"}, "a text"])
def test_what_has_no_fields_is_refused(wanted: Any) -> None:
    with pytest.raises(UsageError, match="output"):
        StructuredOutput(wanted)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [(Person, '{"name": "Ada"}'), (Place, '{"name": "B", "visits": 1}'), (Person, "?")],
)
def test_text_of_another_shape_is_refused_with_a_reason(wanted: Any, text: str) -> None:
    with pytest.raises(StreamchatError, match="not of the wanted shape") as caught:
        StructuredOutput(wanted).read(text)
    assert caught.value.code == "output_invalid"
