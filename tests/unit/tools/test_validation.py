from __future__ import annotations

from typing import Any, cast

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.validation import check_schema, faults_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
    },
    "required": ["query"],
    "additionalProperties": False,
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def test_faults_of_valid_input_are_none() -> None:
    assert faults_of({"query": "ada", "places": [{"city": "Cork"}]}, SCHEMA) == []


def test_faults_say_what_and_where() -> None:
    faults = faults_of({"places": [{}, {"city": 5}], "extra": 1}, SCHEMA)
    assert "places.1.city: 5 is not of type 'string'" in faults
    assert "'query' is a required property" in faults
    assert any("extra" in fault for fault in faults)


def test_faults_are_few_and_short() -> None:
    places = [{"city": ["x" * 1_000]}] * 50
    faults = faults_of({"query": "", "places": places}, SCHEMA)
    assert len(faults) == 5
    assert max(map(len, faults)) < 250


def test_faults_of_a_broken_reference_blame_the_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/None"}}}
    assert faults_of({"a": 1}, schema) == [
        "the tool's own schema refers to /$defs/None, which it lacks"
    ]


def test_faults_never_fetch_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object, **__: object) -> None:
        pytest.fail("a schema made this program fetch something")

    monkeypatch.setattr("urllib.request.urlopen", fetch)
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}
    assert "refers to" in faults_of({"a": 1}, schema)[0]


def test_faults_of_endless_nesting_end() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}},
    }
    nested: dict[str, Any] = {}
    for _ in range(50_000):
        nested = {"next": nested}
    assert faults_of(nested, schema) == ["it nests too deeply"]


def test_check_schema_accepts_an_object() -> None:
    check_schema(SCHEMA, what="The input schema of tool search")


def test_check_schema_names_tool_and_place() -> None:
    broken = {"type": "object", "properties": {"a": {"type": "strin"}}}
    with pytest.raises(UsageError, match=r"search is no JSON Schema: properties\.a"):
        check_schema(broken, what="The input schema of tool search")
    with pytest.raises(UsageError, match="no JSON Schema: 5 is not"):
        check_schema(cast("dict[str, Any]", 5), what="The input schema of tool search")


def test_check_schema_refuses_anything_but_an_object() -> None:
    with pytest.raises(UsageError, match="must be of type object"):
        check_schema({"type": "string"}, what="The input schema of tool search")
