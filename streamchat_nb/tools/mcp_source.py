"""All MCP servers of the settings, and the tools that they offer now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streamchat_nb.tools.mcp_session import McpServer, McpStatus
from streamchat_nb.tools.mcp_tool import McpTool, mcp_tools

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from streamchat_nb.tools.mcp_settings import McpSettings

__all__ = ["McpServers"]


class McpServers:
    """MCP servers as a source of tools. On one event loop.

    Each is on its own: one that is slow, broken or gone takes nothing from the others.

    Args:
        settings: The servers.

    Attributes:
        version: Another number whenever what they offer has changed.
    """

    def __init__(self, settings: Iterable[McpSettings]) -> None:
        self.version = 0
        self._servers = [
            McpServer(server, on_change=self._note_change) for server in settings
        ]

    def start(self) -> None:
        """Begin to connect all; returns at once."""
        for server in self._servers:
            server.start()

    async def settled(self, *, timeout_s: float) -> None:
        """Wait until each is ready or known not to be, at most for ``timeout_s``."""
        waiting = {asyncio.ensure_future(server.settled()) for server in self._servers}
        if not waiting:
            return
        try:
            await asyncio.wait(waiting, timeout=timeout_s)
        finally:
            for wait in waiting:
                wait.cancel()

    def tools(self, *, taken: Collection[str]) -> list[McpTool]:
        """Return what they offer now, in the order of the settings.

        Made anew, and told in the log what cannot be used: once for each ``version``.

        Args:
            taken: Names of tools that are here already.
        """
        found: list[McpTool] = []
        names = set(taken)
        for server in self._servers:
            tools = mcp_tools(
                server.offers,
                caller=server,
                server=server.settings.name,
                timeout_s=server.settings.timeout_s,
                taken=names,
            )
            found.extend(tools)
            names.update(tool.name for tool in tools)
        return found

    def statuses(self) -> list[McpStatus]:
        """Return how each fares."""
        return [server.status for server in self._servers]

    async def stop(self) -> None:
        """Close all sessions; processes that were started end. Within 6 s."""
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _note_change(self) -> None:
        self.version += 1
