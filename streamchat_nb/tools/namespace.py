"""The variables of a notebook: an overview, one in detail, the rows of a table.

Pure functions over the dict of a notebook's names. A model may ask for these by
itself, so what looks like a secret is left out always.
"""

from __future__ import annotations

import difflib
import inspect
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.errors import ToolError
from streamchat_nb.tools.arrays import array_table
from streamchat_nb.tools.data_digest import describe_data
from streamchat_nb.tools.libraries import is_from, type_name
from streamchat_nb.tools.llm_hook import has_hook
from streamchat_nb.tools.secret_filter import SecretFilter
from streamchat_nb.tools.tables import (
    MOST_SHOWN_ROWS,
    table_display,
    table_text,
)
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.value_text import ValueText, counted, cut
from streamchat_nb.tools.values import MOST_TEXT, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamchat_nb.tools.tables import Table

__all__ = [
    "describe_variable",
    "namespace_overview",
    "preview_table",
    "user_variables",
]

_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython", "display"})
_MOST_VARIABLES = 100
_MOST_OVERVIEW = 8_000
_MOST_LINE = 160
_MOST_VALUE = 60
_MOST_NAMES = 30
_MOST_KEYS = 8
_MOST_DOCUMENTATION = 1_500
_SHORT = (int, float, complex, type(None))
_SIZED = (list, tuple, set, frozenset, dict, str, bytes, bytearray)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)


def user_variables(namespace: Mapping[str, object]) -> dict[str, object]:
    """Return what the user has made: no modules, nothing of IPython, no ``_names``.

    Functions and classes are the user's when the notebook has defined them.
    """
    here = namespace.get("__name__", "__main__")
    return {
        name: value
        for name, value in list(namespace.items())
        if not name.startswith("_")
        and name not in _OF_IPYTHON
        and not isinstance(value, ModuleType)
        and (
            not isinstance(value, (type, *_FUNCTIONS))
            or getattr(value, "__module__", None) == here
        )
    }


def namespace_overview(namespace: Mapping[str, object]) -> str:
    """Return the user's variables, a line each: name, type, size, what is in it.

    At most 100, the latest, and about 8,000 characters. Objects of other classes
    are named by their type alone: nothing of theirs runs.
    """
    variables = user_variables(namespace)
    if not variables:
        return "There are no variables."
    writer = ValueText(SecretFilter())
    names = list(variables)[-_MOST_VARIABLES:]
    lines: list[str] = []
    room = _MOST_OVERVIEW
    for name in reversed(names):
        line = cut(_overview_line(name, variables[name], writer), _MOST_LINE)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    older = len(variables) - len(lines)
    if older:
        lines.append(f"and {counted(older, 'older variable')}")
    return "\n".join(lines)


def describe_variable(namespace: Mapping[str, object], name: str) -> ToolResult:
    """Return a variable's digest; of a function its signature and documentation.

    Raises:
        ToolError: The user has no variable of that name; says which there are.
    """
    value = _variable(namespace, name)
    if isinstance(value, (type, *_FUNCTIONS)):
        return ToolResult(output=_of_callable(name, value))
    return ToolResult(output=describe_data(value, name=name).text)


def preview_table(
    namespace: Mapping[str, object],
    name: str,
    *,
    rows: int = 20,
    columns: Sequence[str] | None = None,
) -> ToolResult:
    """Return the first rows of a frame or an array, also as a table for people.

    Args:
        namespace: The notebook's names.
        name: The variable.
        rows: How many rows, 1 to 50; clamped.
        columns: Which columns, by label; ``None`` for all. Those whose names say that
            they hold a secret are left out in any case.

    Raises:
        ToolError: There is no such variable or column, or it is no table.
    """
    value = _variable(namespace, name)
    secrets = SecretFilter()
    writer = ValueText(secrets)
    table = _table(name, value, writer)
    labels = [column.label for column in table.columns]
    for column in columns or ():
        if column not in labels:
            raise ToolError(
                _missing("column", column, labels), code="tool_input_invalid"
            )
    wanted = labels if columns is None else columns
    shown = table.only({label for label in wanted if not secrets.hides(label)})
    rows = min(max(rows, 1), MOST_SHOWN_ROWS)
    title = writer.cell(name, _MOST_VALUE)
    text = table_text(shown, writer, rows=rows, limit=2 * MOST_TEXT)
    display = table_display(shown, writer, rows=rows, title=title)
    return ToolResult(
        output=secrets.without_secrets(f"{title}: {text}"), display=(display,)
    )


def _variable(namespace: Mapping[str, object], name: str) -> object:
    variables = user_variables(namespace)
    if name not in variables:
        raise ToolError(
            _missing("variable", name, list(variables)), code="tool_input_invalid"
        )
    return variables[name]


def _missing(noun: str, name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name[:100], names[:1_000], n=1)
    meant = f"; did you mean {close[0]!r}?" if close else "."
    there = ", ".join(names[-_MOST_NAMES:])
    known = f" There are: {there}." if names else " There are none."
    return f"There is no {noun} {name[:100]!r}{meant}{known}"


def _table(name: str, value: object, writer: ValueText) -> Table:
    table = None
    if not has_hook(value):
        table = table_of(value, writer)
        if is_from(value, "numpy", "ndarray"):
            table = array_table(value, writer)
    if table is None:
        raise ToolError(
            f"{name} is a {type_name(value)}, not a table; describe it instead.",
            code="tool_input_invalid",
        )
    if table.rows is None:
        raise ToolError(
            f"{name} is lazy and has no rows before it is collected; describe it, or "
            "collect it in Python.",
            code="tool_input_invalid",
        )
    return table


def _overview_line(name: str, value: object, writer: ValueText) -> str:
    line = f"{writer.cell(name, _MOST_VALUE)}: {type_name(value)}"
    if isinstance(value, (type, *_FUNCTIONS)):
        return f"{line}{_signature(value)}"
    try:
        size = _size(value)
        content = _content(name, value, writer)
    except Exception:  # noqa: BLE001 (a dict of somebody's own making, say)
        return line
    return "".join([line, f", {size}" if size else "", content])


def _content(name: str, value: object, writer: ValueText) -> str:
    secrets = writer.secrets
    if secrets is not None and secrets.hides(name):
        return f" = {secrets.left_out()}"
    if isinstance(value, str):
        return f' = "{writer.cell(value, _MOST_VALUE)}"'
    if isinstance(value, _SHORT):
        return f" = {writer.cell(value, _MOST_VALUE)}"
    if isinstance(value, dict):
        keys = list(islice(cast("dict[object, object]", value), _MOST_KEYS))
        return f", keys {writer.cell(keys, _MOST_VALUE)}" if keys else ""
    if any(is_from(value, library, "DataFrame") for library in ("pandas", "polars")):
        columns = list(cast("Any", value).columns[:_MOST_KEYS])
        return f", columns {writer.cell(columns, _MOST_VALUE)}" if columns else ""
    return ""


def _size(value: object) -> str:
    if isinstance(value, _SIZED):
        return counted(
            len(cast("Any", value)), "character" if isinstance(value, str) else "item"
        )
    if is_from(value, "polars", "LazyFrame"):
        return ""
    try:
        shape = tuple(int(length) for length in cast("Any", value).shape)
    except Exception:  # noqa: BLE001 (anybody's attribute)
        return ""
    return f"shape {shape}"


def _of_callable(name: str, value: object) -> str:
    kind = "class" if isinstance(value, type) else "function"
    text = inspect.getdoc(value) or "It has no documentation."
    writer = ValueText(SecretFilter())
    described = writer.text(text, _MOST_DOCUMENTATION)
    return f"{kind} {name}{_signature(value)}\n\n{described}"


def _signature(value: object) -> str:
    """Return ``"(x, y=1)"``; defaults that are no plain values are not written."""
    try:
        signature = inspect.signature(cast("Any", value))
    except (TypeError, ValueError):
        return "(…)"
    return cut(ValueText(SecretFilter()).text(str(signature), 200), 200)
