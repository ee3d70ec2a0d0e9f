"""Whether an input is what a tool's JSON Schema asks for."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_output_schema", "check_schema", "faults_of"]

_MOST_FAULTS = 5
_MOST_CHARACTERS = 200
_MOST_OUTPUT_SCHEMA_BYTES = 32_768


def check_schema(schema: dict[str, Any], *, what: str) -> None:
    """Check that a schema is one, of an object.

    Args:
        schema: The schema.
        what: What it is, for the error.

    Raises:
        UsageError: It is no JSON Schema of an object; names it and the place.
    """
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 (slow)

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise UsageError(
            f"{what} is no JSON Schema: "
            f"{_place(error.absolute_path)}{error.message[:_MOST_CHARACTERS]}"
        ) from None
    if schema.get("type") != "object":
        raise UsageError(f"{what} must be of type object.")


def check_output_schema(schema: dict[str, Any]) -> None:
    """Check the schema of an answer.

    Raises:
        InvalidInput: It is no JSON Schema of an object, or over 32 KiB.
    """
    if len(msgspec.json.encode(schema)) > _MOST_OUTPUT_SCHEMA_BYTES:
        raise InvalidInput(
            f"output_schema is over {_MOST_OUTPUT_SCHEMA_BYTES} bytes. Ask for less in "
            "one answer."
        )
    try:
        check_schema(schema, what="output_schema")
    except UsageError as error:
        raise InvalidInput(error.message) from None


def faults_of(input_: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Return what is wrong with ``input_``, at most five short lines; empty: nothing.

    References in the schema are followed within it and never fetched.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 (slow)
    from referencing import Registry  # noqa: PLC0415 (comes with jsonschema)
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    validator: Any = Draft202012Validator(schema, registry=Registry[Any]())
    errors = cast("Iterator[Any]", validator.iter_errors(input_))
    try:  # they come lazily: a broken reference shows only now
        return [
            f"{_place(error.absolute_path)}{_shortened(str(error.message))}"
            for error in islice(errors, _MOST_FAULTS)
        ]
    except Unresolvable as error:
        return [f"the tool's own schema refers to {error.ref}, which it lacks"]
    except RecursionError:
        return ["it nests too deeply"]


def _place(path: object) -> str:
    parts = [str(part) for part in cast("Iterator[Any]", path)]
    return f"{'.'.join(parts)}: " if parts else ""


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
