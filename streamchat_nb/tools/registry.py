"""Sets of tools: gathered from names and entry points, frozen for a turn."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from typing_extensions import override

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.decorator import TOOL_NAME, FunctionTool, tool
from streamchat_nb.tools.installed import entry_points
from streamchat_nb.tools.langchain import LangChainTool, is_langchain_tool
from streamchat_nb.tools.tool import Tool
from streamchat_nb.tools.validation import check_schema

__all__ = ["ENTRY_POINT_GROUP", "ToolSet", "entry_point_tools", "load_tools"]

ENTRY_POINT_GROUP = "streamchat_nb.tools"
"""Packages that are installed offer tools under this group."""

logger = logging.getLogger(__name__)


class ToolSet(Mapping[str, Tool]):
    """Tools by name, sorted, unchangeable.

    Args:
        tools: In any order; the very same tool twice counts once.

    Raises:
        UsageError: Two different tools share a name (both are told), or a name or
            an input schema cannot be used.
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        by_name: dict[str, Tool] = {}
        for item in tools:
            if not TOOL_NAME.fullmatch(item.name):
                raise UsageError(
                    f"{item.name!r} ({_origin(item)}) cannot be the name of a tool; "
                    "use 1 to 64 letters, digits, '_' and '-'."
                )
            other = by_name.setdefault(item.name, item)
            if other is not item:
                raise UsageError(
                    f"Two tools are called {item.name}: {_origin(other)} and "
                    f"{_origin(item)}. Leave one out or rename it, for example by "
                    "@tool(name=…)."
                )
            if not isinstance(item, FunctionTool):  # made here, right by making
                what = f"The input schema of tool {item.name}"
                check_schema(item.input_schema, what=what)
        self._tools = MappingProxyType(dict(sorted(by_name.items())))

    @override
    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    @override
    def __len__(self) -> int:
        return len(self._tools)

    @override
    def __repr__(self) -> str:
        return f"ToolSet({', '.join(self._tools)})"

    def definitions(self) -> list[dict[str, Any]]:
        """Return what a model is told of each, sorted by name: the same every time."""
        return [
            {
                "name": item.name,
                "description": item.description,
                "input_schema": item.input_schema,
            }
            for item in self._tools.values()
        ]


def load_tools(names: Sequence[str]) -> list[Tool]:
    """Import tools by ``module:attribute``.

    The attribute is a function, a ``Tool``, a LangChain tool, or a list or tuple of
    these.

    Raises:
        UsageError: A name cannot be loaded or is no tool; says which and why.
    """
    found: list[Tool] = []
    for name in names:
        found.extend(_tools_in(_import(name), name))
    return found


def entry_point_tools() -> list[Tool]:
    """Return the tools that installed packages offer, by entry point name.

    One that is broken, or named like one before it, is left out with a warning in
    the log: another package's fault must not keep a server from starting.
    """
    found: dict[str, Tool] = {}
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        try:
            tools = _tools_in(entry.load(), entry.value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (any code may run here)
            logger.warning(
                "The tools of entry point %s (%s) are left out: %s: %s",
                entry.name,
                entry.value,
                type(error).__name__,
                error,
            )
            continue
        for item in tools:
            other = found.setdefault(item.name, item)
            if other is not item:
                logger.warning(
                    "Tool %s of entry point %s (%s) is left out: %s has that name",
                    item.name,
                    entry.name,
                    entry.value,
                    _origin(other),
                )
    return list(found.values())


def _import(name: str) -> object:
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise UsageError(
            f"{name!r} does not name a tool; write 'module:function', for example "
            "'my_tools:search'."
        )
    try:
        value: object = importlib.import_module(module_name)
    except Exception as error:
        raise UsageError(
            f"Tool {name!r} cannot be loaded: importing {module_name} failed with "
            f"{type(error).__name__}: {error}"
        ) from error
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise UsageError(
                f"Tool {name!r} cannot be loaded: {module_name} has no {path!r}."
            ) from None
    return value


def _tools_in(value: object, name: str) -> list[Tool]:
    match value:
        case Tool():
            return [value]
        case list() | tuple():
            items = cast("Sequence[Any]", value)
            return [found for item in items for found in _tools_in(item, name)]
        case _ if is_langchain_tool(value):
            return [LangChainTool(cast("Any", value))]
        case _ if callable(value) and not isinstance(value, type):
            return [tool(value)]
        case _:
            raise UsageError(
                f"{name!r} is a {type(value).__name__}; a tool is a function, a Tool, "
                "a LangChain tool, or a list of them."
            )


def _origin(item: Tool) -> str:
    if isinstance(item, FunctionTool):
        return cast("FunctionTool[..., Any]", item).origin
    return f"{type(item).__module__}:{type(item).__qualname__}"
