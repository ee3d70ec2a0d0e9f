"""A tool of an MCP server as one of ours: named, checked and bounded."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
from typing_extensions import override

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.mcp_result import mcp_result
from streamchat_nb.tools.tool import Tool, ToolContext, ToolResult
from streamchat_nb.tools.validation import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = ["McpCaller", "McpTool", "mcp_tools", "tool_name"]

logger = logging.getLogger(__name__)

_MOST_NAME = 64
_MOST_DESCRIPTION = 4_000
_MOST_SCHEMA_BYTES = 65_536
_DIGEST = 6
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class McpCaller(Protocol):
    """Who runs calls at a server."""

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        on_progress: Callable[[float, float | None, str | None], None],
    ) -> dict[str, Any]:
        """Call a tool by its own name; returns its result as on the wire.

        Raises:
            ToolError: The server is not there, refused or broke.
        """
        ...


class McpTool(Tool):
    """A tool that an MCP server offers.

    What it says of itself is not trusted: only a tool that says that it reads and
    nothing else runs without a person's agreement.

    Args:
        name: Its name here.
        offer: What the server says of it, as on the wire; its schema is checked.
        caller: Who runs its calls.
        server: The server's name.
        timeout_s: Longest run, in seconds.
    """

    def __init__(
        self,
        name: str,
        offer: Mapping[str, Any],
        *,
        caller: McpCaller,
        server: str,
        timeout_s: float,
    ) -> None:
        self.name = name
        self.description = _description(offer, server)
        self.input_schema = cast("dict[str, Any]", offer["inputSchema"])
        self.label = f"Using {name}…"
        self.timeout_s = timeout_s
        hints = cast("dict[str, Any]", offer.get("annotations") or {})
        only_reads = hints.get("readOnlyHint") is True
        self.risk = "read" if only_reads else "write"
        self.needs_approval = not only_reads
        self.name_at_server = str(offer["name"])
        self._caller = caller

    @override
    async def call(self, input_: dict[str, Any], context: ToolContext) -> ToolResult:
        """Run it at the server.

        Cancellation: the server is told.

        Raises:
            ToolError: The server is not there, refused or broke.
        """

        def report(done: float, total: float | None, message: str | None) -> None:
            fraction = done / total if total else None
            count = f"{done:g} of {total:g}" if total else f"{done:g}"
            context.progress(message or count, fraction)

        return mcp_result(await self._caller.call(self.name_at_server, input_, report))


def mcp_tools(
    offers: Iterable[Mapping[str, Any]],
    *,
    caller: McpCaller,
    server: str,
    timeout_s: float,
    taken: Collection[str],
) -> list[McpTool]:
    """Return the tools of a server that can be used; others are told in the log.

    Args:
        offers: What the server offers, as on the wire.
        caller: Who runs their calls.
        server: The server's name.
        timeout_s: Longest run of each, in seconds.
        taken: Names of other tools.
    """
    found: dict[str, McpTool] = {}
    for offer in offers:
        problem = _problem(offer)
        if problem:
            logger.warning(
                "Tool %.80r of the MCP server %s is left out: %s",
                offer.get("name"),
                server,
                problem,
            )
            continue
        name = tool_name(server, str(offer["name"]), taken={*taken, *found})
        found[name] = McpTool(
            name, offer, caller=caller, server=server, timeout_s=timeout_s
        )
    return list(found.values())


def tool_name(server: str, tool: str, *, taken: Collection[str]) -> str:
    """Return what a tool is called here: ``server_tool``, valid and not taken.

    The same every time for the same names. A part of a digest stands at the end where
    the name is cut, or would be another tool's.
    """
    name = _NO_NAME.sub("_", f"{server}_{tool}")
    if len(name) <= _MOST_NAME and name not in taken:
        return name
    full = f"{server}\0{tool}"
    for attempt in range(1_000):
        digest = hashlib.sha256(f"{full}\0{attempt}".encode()).hexdigest()[:_DIGEST]
        name_now = f"{name[: _MOST_NAME - _DIGEST - 1]}_{digest}"
        if name_now not in taken:
            return name_now
    raise UsageError(f"There is no name left for a tool of the MCP server {server}.")


def _problem(offer: Mapping[str, Any]) -> str:
    """Return why a tool cannot be used; empty where it can."""
    if not isinstance(offer.get("name"), str) or not offer["name"]:
        return "it has no name"
    schema = offer.get("inputSchema")
    if not isinstance(schema, dict):
        return "it has no input schema"
    if len(msgspec.json.encode(schema)) > _MOST_SCHEMA_BYTES:
        return f"its input schema is over {_MOST_SCHEMA_BYTES:,} bytes"
    try:
        check_schema(cast("dict[str, Any]", schema), what="its input schema")
    except UsageError as error:
        return error.message
    return ""


def _description(offer: Mapping[str, Any], server: str) -> str:
    """Return what a model reads of a tool; nothing invisible, and not too much."""
    said = str(offer.get("description") or offer.get("title") or "")
    text = "".join(c for c in said if c.isprintable() or c in "\n\t").strip()
    if len(text) > _MOST_DESCRIPTION:
        text = f"{text[:_MOST_DESCRIPTION]}…"
    return text or f"The tool {offer['name']} of {server}."[:_MOST_DESCRIPTION]
