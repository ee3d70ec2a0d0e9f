"""Answers as Python values: what ``ask(output=…)`` takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.errors import StreamchatError, UsageError

if TYPE_CHECKING:
    from streamchat_nb.client.answer import Answer

__all__ = ["StructuredOutput"]

_REFERENCES = "#/$defs/{name}"


class StructuredOutput:
    """A shape that an answer has, as a JSON Schema and as a Python type.

    Args:
        wanted: A pydantic model, a dataclass, a ``TypedDict``, a ``NamedTuple`` or an
            msgspec ``Struct``; or a JSON Schema of an object, which gives a ``dict``.

    Attributes:
        schema: JSON Schema of an object.

    Raises:
        UsageError: It is nothing of that kind.
    """

    def __init__(self, wanted: Any) -> None:  # noqa: ANN401 - any of those types
        self._wanted = wanted
        self.schema = _schema_of(wanted)
        if self.schema.get("type") != "object" and "$ref" not in self.schema:
            raise UsageError(
                "output must be an object: a class with fields, not a single value or "
                "a list. Put the list into a field."
            )

    def of(self, answer: Answer) -> Answer:
        """Return an answer with its ``output``; it has none if it was not completed.

        Raises:
            StreamchatError: As ``read``.
        """
        if answer.status != "completed":
            return answer
        return msgspec.structs.replace(answer, output=self.read(answer.text))

    def read(self, text: str) -> Any:  # noqa: ANN401 - an instance of what was wanted
        """Return the value that an answer's text stands for.

        Raises:
            StreamchatError: ``output_invalid``, the text is not of this shape.
        """
        try:
            if isinstance(self._wanted, dict):
                return msgspec.json.decode(text)
            if _is_pydantic(self._wanted):
                return self._wanted.model_validate_json(text)
            return msgspec.json.decode(text, type=self._wanted, strict=False)
        except ValueError as error:  # pydantic's and msgspec's are both of it
            raise StreamchatError(
                f"The answer is not of the wanted shape: {_fault_of(error)[:500]}",
                code="output_invalid",
            ) from None


def _fault_of(error: ValueError) -> str:
    """Return what is wrong, without pydantic's advertisement of its pages."""
    errors: Any = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}"
        for fault in errors()
    )


def _is_pydantic(wanted: Any) -> bool:  # noqa: ANN401
    return isinstance(wanted, type) and hasattr(wanted, "model_validate_json")


def _schema_of(wanted: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(wanted, dict):
        return cast("dict[str, Any]", wanted)
    if _is_pydantic(wanted):
        return wanted.model_json_schema()
    try:
        ((schema,), definitions) = msgspec.json.schema_components(
            [wanted], ref_template=_REFERENCES
        )
    except (TypeError, msgspec.ValidationError):
        raise UsageError(
            f"output cannot be {wanted!r}. Give a pydantic model, a dataclass, a "
            "TypedDict, an msgspec Struct, or a JSON Schema of an object."
        ) from None
    name = schema.get("$ref", "").rpartition("/")[2]
    # The object itself at the top: endpoints want to see its type there.
    whole = {**schema} if name not in definitions else {**definitions[name]}
    if definitions:
        whole["$defs"] = definitions
    return whole
