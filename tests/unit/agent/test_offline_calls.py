from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from streamchat_nb.agent.offline_calls import (
    CallProblem,
    WrittenCall,
    example_input,
    parse_calls,
)

Calls = list[tuple[str, dict[str, Any] | None]]
WRITTEN: list[tuple[str, Calls]] = [
    ("call a", [("a", None)]),
    ("Call `a`.", [("a", None)]),
    ("call a {}", [("a", {})]),
    ('call a with {"x": 1}', [("a", {"x": 1})]),
    ('call a {"x": {"y": "}"}}', [("a", {"x": {"y": "}"}})]),
    ('call a {"x": 1} and b {"y": 2}', [("a", {"x": 1}), ("b", {"y": 2})]),
    ('call a {"x": 1} and call b', [("a", {"x": 1}), ("b", None)]),
    ('call a {"x": 1}\ncall a {"x": 2}\n', [("a", {"x": 1}), ("a", {"x": 2})]),
    ("call a, b; c", [("a", None), ("b", None), ("c", None)]),
]


@pytest.mark.parametrize(("text", "calls"), WRITTEN)
def test_parse_calls(text: str, calls: Calls) -> None:
    assert parse_calls(text) == [WrittenCall(*call) for call in calls]


@pytest.mark.parametrize("text", ["", "hello", "please call a", "callback", "call"])
def test_parse_calls_none(text: str) -> None:
    assert parse_calls(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('call a {"x": ', "not a JSON object"),
        ("call a {x: 1}", "not a JSON object"),
        ("call a {" + '"x": {' * 100_000, "not a JSON object"),
        ("call !", "do not understand"),
        ("call a ?", "do not understand"),
        ("call " + "a " * 17, "at most 16"),
    ],
)
def test_parse_calls_refuses(text: str, reason: str) -> None:
    with pytest.raises(CallProblem, match=reason):
        parse_calls(text)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {}},
    {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 3, "maxLength": 5},
            "long": {"type": "string", "minLength": 12},
            "plain": {"type": "string"},
            "count": {"type": "integer", "minimum": 5},
            "above": {"type": "integer", "exclusiveMinimum": 7},
            "below": {"type": "number", "maximum": -3},
            "flag": {"type": "boolean"},
            "none": {"type": "null"},
            "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "choice": {"enum": ["red", "green"]},
            "fixed": {"const": 7},
            "default": {"type": "integer", "default": 3},
            "sample": {"type": "string", "examples": ["Ada"]},
            "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "kinds": {"type": ["string", "null"]},
            "inner": {"$ref": "#/$defs/Inner"},
            "optional": {"type": "string"},
        },
        "required": [
            *("text", "long", "plain", "count", "above", "below", "flag", "none"),
            *("items", "choice", "fixed", "default", "sample", "either", "kinds"),
            "inner",
        ],
        "additionalProperties": False,
        "$defs": {
            "Inner": {
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
            }
        },
    },
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_example_input_fits_its_schema(schema: dict[str, Any]) -> None:
    filled = example_input(schema)
    jsonschema.validate(filled, schema)
    assert set(filled) == set(schema.get("required", []))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/missing"},
        {"type": "string"},
        {"type": "object", "properties": {}, "required": ["unnamed"]},
        {
            "type": "object",
            "properties": {"again": {"$ref": "#"}},
            "required": ["again"],
        },
    ],
)
def test_example_input_of_odd_schemas_is_an_object(schema: dict[str, Any]) -> None:
    assert isinstance(example_input(schema), dict)
