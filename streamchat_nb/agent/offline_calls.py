"""Tool calls that a person writes out: ``call NAME {json}``, one or several. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, cast

__all__ = ["CallProblem", "WrittenCall", "example_input", "parse_calls"]

_MOST_CALLS = 16
_DEEPEST_SCHEMA = 8
_START = re.compile(r"(?i)\s*call\s+")
_NAME = re.compile(r"`?([A-Za-z0-9_-]{1,64})`?(?:\s+with(?=\s*\{))?\s*")
_BETWEEN = re.compile(r"(?i)[\s,;.]*(?:and\b\s*)?(?:then\b\s*)?(?:call\s+)?")
_decoder = json.JSONDecoder()


class CallProblem(Exception):
    """The text starts like a call and is none; the message says why."""


class WrittenCall(NamedTuple):
    """One call; ``input`` is ``None`` where none was written."""

    name: str
    input: dict[str, Any] | None


def parse_calls(text: str) -> list[WrittenCall] | None:
    """Return the calls in a text, or ``None`` where it does not begin with ``call``.

    Raises:
        CallProblem: Arguments that are no JSON object, or too many calls.
    """
    start = _START.match(text)
    if start is None:
        return None
    calls: list[WrittenCall] = []
    position = start.end()
    while position < len(text):
        name = _NAME.match(text, position)
        if name is None:
            raise CallProblem(
                f"I do not understand {text[position : position + 20]!r}. Write "
                '`call NAME {"argument": "value"}`.'
            )
        input_, position = _arguments(text, name.end(), name[1])
        calls.append(WrittenCall(name[1], input_))
        if len(calls) > _MOST_CALLS:
            raise CallProblem(f"I make at most {_MOST_CALLS} calls at once.")
        between = _BETWEEN.match(text, position)
        position = between.end() if between else position
    return calls


def example_input(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an input that fits a schema: its required properties, filled plainly."""
    filled: object = _example(schema, schema, _DEEPEST_SCHEMA)
    return cast("dict[str, Any]", filled if isinstance(filled, dict) else {})


def _arguments(
    text: str, position: int, name: str
) -> tuple[dict[str, Any] | None, int]:
    if not text.startswith("{", position):
        return None, position
    try:
        value, end = _decoder.raw_decode(text, position)
    except (ValueError, RecursionError):
        raise CallProblem(
            f"The arguments of `{name}` are not a JSON object. Write for example "
            '`{"query": "Ada"}`: double quotes, closed brackets.'
        ) from None
    return value, end


def _example(schema: object, root: dict[str, Any], depth: int) -> object:
    if not isinstance(schema, dict) or depth == 0:
        return "example"
    node = cast("dict[str, Any]", schema)
    if "$ref" in node:
        return _example(_resolve(str(node["$ref"]), root), root, depth - 1)
    for key in ("const", "default"):
        if key in node:
            return node[key]
    for key in ("examples", "enum"):
        if node.get(key):
            return node[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if node.get(key):
            return _example(node[key][0], root, depth - 1)
    return _typed_example(node, root, depth)


def _typed_example(node: dict[str, Any], root: dict[str, Any], depth: int) -> object:
    kind = node.get("type", "object" if "properties" in node else "string")
    if isinstance(kind, list):
        kind = next(iter(cast("list[object]", kind)), "string")
    match kind:
        case "object":
            properties = cast("dict[str, Any]", node.get("properties", {}))
            return {
                name: _example(properties.get(name), root, depth - 1)
                for name in cast("list[str]", node.get("required", []))
            }
        case "array":
            item = _example(node.get("items", {}), root, depth - 1)
            return [item] * min(int(node.get("minItems", 0)), 10)
        case "integer" | "number":
            return _number(node)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return "example".ljust(min(int(node.get("minLength", 0)), 1000), "e")[
                : int(node.get("maxLength", 1000))
            ]


def _number(node: dict[str, Any]) -> float:
    if "minimum" in node:
        return node["minimum"]
    if "exclusiveMinimum" in node:
        return node["exclusiveMinimum"] + 1
    return min(1, node.get("maximum", 1))


def _resolve(reference: str, root: dict[str, Any]) -> object:
    node: object = root
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, dict):
            return None
        node = cast("dict[str, object]", node).get(part)
    return node
