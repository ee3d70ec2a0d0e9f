"""What the health route says of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from streamchat_nb.tools.mcp_session import McpStatus

__all__ = ["Health"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """The state of the service.

    Attributes:
        status: ``degraded`` while nothing can be saved.
        version: Of this package.
        store: Where conversations are kept.
        model: Model of the default agent.
        offline: No language model answers.
        transport: What carries requests to it: ``direct``, this program's own, or
            ``sdk``, which knows proxies; empty where another one does or none go out.
        running_turns: Turns that run now.
        loaded_conversations: Conversations in memory.
        problem: Why it is degraded.
        notice: What the store wants known.
        mcp_servers: How the MCP servers of the settings fare.
    """

    status: Literal["ok", "degraded"]
    version: str
    store: str
    model: str
    offline: bool
    running_turns: int
    loaded_conversations: int
    transport: str = ""
    problem: str | None = None
    notice: str | None = None
    mcp_servers: list[McpStatus] = field(default_factory=list[McpStatus])
