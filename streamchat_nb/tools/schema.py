"""What a function takes, as JSON Schema, and validated input back as its arguments."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.errors import ToolError, UsageError
from streamchat_nb.tools.tool import ToolContext

if TYPE_CHECKING:
    from collections.abc import Callable

    import docstring_parser

__all__ = ["FunctionSchema", "describe_function"]

_REFUSED_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


@dataclass(frozen=True, kw_only=True)
class FunctionSchema:
    """A function as a model sees it.

    Attributes:
        description: The docstring's text without its sections; the function's name
            in words when there is none.
        input_schema: JSON Schema (draft 2020-12), an object; one property for each
            parameter, no others allowed.
        parameters: In the order of the signature.
        types: Resolved annotation of each, the context's left out.
        context_parameter: Name of the one that gets the ``ToolContext``, if any.
    """

    description: str
    input_schema: dict[str, Any]
    parameters: tuple[inspect.Parameter, ...]
    types: dict[str, Any]
    context_parameter: str | None

    def arguments(
        self, input_: dict[str, Any], context: ToolContext
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and keyword arguments for validated input.

        A parameter that ``input_`` leaves out keeps the function's default.

        Raises:
            ToolError: A value passed the schema and still is not of its type (a
                date that no calendar has); the message names the parameter.
        """
        given = {
            name: _typed(input_[name], annotation, name)
            for name, annotation in self.types.items()
            if name in input_
        }
        if self.context_parameter is not None:
            given[self.context_parameter] = context
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                positional.append(given.get(parameter.name, parameter.default))
            elif parameter.name in given:
                keywords[parameter.name] = given[parameter.name]
        return positional, keywords


def describe_function(function: Callable[..., Any]) -> FunctionSchema:
    """Describe a function by its type hints and its docstring.

    Everything msgspec has a schema for may be a parameter: plain types, ``Literal``,
    ``Annotated[..., Meta(...)]``, optionals, lists, dicts, enums, dataclasses,
    typed dicts, dates. A parameter annotated as ``ToolContext`` is filled in when the
    tool runs and is not part of the schema.

    Raises:
        UsageError: A parameter cannot be described; the message names it and says
            what to write.
    """
    name = _name_of(function)
    try:
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError):
        raise UsageError(
            f"{name} has no signature that can be read; wrap it in a Python function."
        ) from None
    types: dict[str, Any] = {}
    context_parameter: str | None = None
    for parameter in signature.parameters.values():
        annotation = _resolved(function, name, parameter)
        if not _is_context(annotation):
            types[parameter.name] = annotation
        elif context_parameter is None:
            context_parameter = parameter.name
        else:
            raise UsageError(
                f"{name} takes a ToolContext twice; one parameter is enough."
            )
    from docstring_parser import parse  # noqa: PLC0415 - only who makes a tool pays

    documentation = parse(inspect.getdoc(function) or "")
    described = {
        item.arg_name: " ".join((item.description or "").split())
        for item in documentation.params
    }
    return FunctionSchema(
        description=_description(documentation) or name.replace("_", " "),
        input_schema=_input_schema(name, signature, types, described),
        parameters=tuple(signature.parameters.values()),
        types=types,
        context_parameter=context_parameter,
    )


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _description(documentation: docstring_parser.Docstring) -> str:
    parts = [documentation.short_description, documentation.long_description]
    return "\n\n".join(part.strip() for part in parts if part and part.strip())


def _resolved(
    function: Callable[..., Any], name: str, parameter: inspect.Parameter
) -> object:
    stars = _REFUSED_KINDS.get(parameter.kind)
    if stars is not None:
        raise UsageError(
            f"{name} takes {stars}{parameter.name}; a tool needs named parameters, "
            "because a model has to know what it may give."
        )
    if parameter.annotation is inspect.Parameter.empty:
        raise UsageError(
            f"Parameter {parameter.name!r} of {name} has no type annotation; write "
            f"for example '{parameter.name}: str'."
        )
    # Each parameter alone: an unreadable return type must not matter. The context's
    # name is given because it is often imported for type checkers only.
    holder = SimpleNamespace(__annotations__={"it": parameter.annotation})
    names = {
        "ToolContext": ToolContext,
        **getattr(inspect.unwrap(function), "__globals__", {}),
    }
    try:
        return typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
    except Exception as error:  # an annotation is a program and may fail in any way
        raise UsageError(
            f"The annotation of parameter {parameter.name!r} of {name} cannot be "
            f"resolved ({type(error).__name__}: {error}); import its names where the "
            "module can see them at run time."
        ) from error


def _is_context(annotation: object) -> bool:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        choices = set(typing.get_args(annotation)) - {type(None)}
        return choices == {ToolContext}
    return isinstance(annotation, type) and issubclass(annotation, ToolContext)


def _input_schema(
    name: str,
    signature: inspect.Signature,
    types: dict[str, Any],
    described: dict[str, str],
) -> dict[str, Any]:
    for parameter, annotation in types.items():
        _check_describable(name, parameter, annotation)
    schemas, components = msgspec.json.schema_components(
        types.values(), ref_template="#/$defs/{name}"
    )
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter, schema in zip(types, schemas, strict=True):
        entry = dict(schema)
        description = described.get(parameter)
        if description and "description" not in entry:
            entry["description"] = description
        given = signature.parameters[parameter].default
        if given is inspect.Parameter.empty:
            required.append(parameter)
        elif (default := _json_default(given)) is not msgspec.UNSET:
            entry["default"] = default
        properties[parameter] = entry
    result: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    if components:
        result["$defs"] = components
    return result


def _check_describable(name: str, parameter: str, annotation: object) -> None:
    try:
        msgspec.json.schema(annotation)
    except Exception as error:
        shown = getattr(annotation, "__name__", None) or str(annotation)
        raise UsageError(
            f"Parameter {parameter!r} of {name} is of type {shown}, which JSON cannot "
            "carry; take plain values, an enum or a dataclass instead."
        ) from error


def _json_default(default: object) -> object:
    """Return a default as JSON shows it, ``UNSET`` where it cannot."""
    try:
        return msgspec.to_builtins(default)
    except Exception:  # noqa: BLE001 (some value that only the function knows)
        return msgspec.UNSET


def _typed(value: object, annotation: object, parameter: str) -> object:
    wanted: Any = annotation
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        pass
    # JSON Schema counts 5.0 as an integer, msgspec does not.
    try:
        return msgspec.convert(_whole_numbers(value), wanted)
    except msgspec.ValidationError as error:
        raise ToolError(
            f"The value of {parameter!r} cannot be used: {error}.",
            code="tool_input_invalid",
        ) from None


def _whole_numbers(value: object) -> object:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            items = cast("list[object]", value)
            return [_whole_numbers(item) for item in items]
        case dict():
            entries = cast("dict[str, object]", value)
            return {key: _whole_numbers(item) for key, item in entries.items()}
        case _:
            return value
