"""The server's tools: those that are always there, and what MCP servers offer now."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from streamchat_nb.errors import UsageError
from streamchat_nb.tools.mcp_settings import read_mcp_file
from streamchat_nb.tools.registry import ToolSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.server.settings import Settings
    from streamchat_nb.tools.mcp_session import McpStatus
    from streamchat_nb.tools.mcp_settings import McpSettings
    from streamchat_nb.tools.mcp_source import McpServers

__all__ = ["ServerTools"]

START_WAIT_S = 10.0
"""Until then after the start, a turn waits for MCP servers that still connect."""


class ServerTools:
    """Tools that every conversation has. On one event loop.

    Args:
        make_tools: Makes those that are always there; called once, on a thread.
        settings: The server's settings; none of their MCP servers holds up the start.
    """

    def __init__(self, make_tools: Callable[[], ToolSet], settings: Settings) -> None:
        self._make_tools = make_tools
        self._settings = settings
        self._own = ToolSet()
        self._now = self._own
        self._mcp: McpServers | None = None
        self._version = 0
        self._wait_until = 0.0

    async def start(self) -> None:
        """Make the tools, and begin to connect MCP servers; may be tried again.

        Raises:
            UsageError: A tool of the settings, or the file of MCP servers, cannot be
                loaded.
        """
        self._own = self._now = await asyncio.to_thread(self._make_tools)
        servers = _mcp_servers(self._settings)
        if servers and self._mcp is None:
            # Only who has MCP servers pays for what talks to them.
            from streamchat_nb.tools.mcp_source import McpServers  # noqa: PLC0415

            self._mcp = McpServers(servers)
            self._mcp.start()
            self._wait_until = time.monotonic() + START_WAIT_S

    async def settled(self) -> None:
        """Wait, soon after the start, for MCP servers that have not answered yet."""
        left_s = self._wait_until - time.monotonic()
        if self._mcp is not None and left_s > 0:
            await self._mcp.settled(timeout_s=left_s)

    def current(self) -> ToolSet:
        """Return the tools that there are now."""
        if self._mcp is not None and self._mcp.version != self._version:
            self._version = self._mcp.version
            offered = self._mcp.tools(taken=self._own)
            self._now = ToolSet([*self._own.values(), *offered])
        return self._now

    def mcp_statuses(self) -> list[McpStatus]:
        """Return how each MCP server fares."""
        return [] if self._mcp is None else self._mcp.statuses()

    async def stop(self) -> None:
        """Close the sessions with MCP servers, within 6 s. Idempotent."""
        if self._mcp is not None:
            await self._mcp.stop()


def _mcp_servers(settings: Settings) -> tuple[McpSettings, ...]:
    servers = settings.mcp_servers
    if settings.mcp_file is None:
        return servers
    more = read_mcp_file(settings.mcp_file)
    if twice := {one.name for one in servers} & {one.name for one in more}:
        raise UsageError(
            f"Two MCP servers are called {min(twice)}: in mcp_servers and in mcp_file. "
            "Rename one."
        )
    return (*servers, *more)
