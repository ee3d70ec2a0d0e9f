"""The server's settings: one frozen value, made once from the traits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from streamchat_nb.agent.agent import TurnLimits
from streamchat_nb.agent.prices import Price
from streamchat_nb.protocol.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamchat_nb.agent.cassette import CassetteMode, CassetteTiming
    from streamchat_nb.agent.model import Effort
    from streamchat_nb.tools.mcp_settings import McpSettings

__all__ = ["DEFAULT_SYSTEM_PROMPT", "Settings"]

DEFAULT_SYSTEM_PROMPT = (
    "You are a helpful assistant in a Jupyter notebook. Answer in Markdown, briefly "
    "and exactly. Use the tools you are given when they help, and say so when you "
    "do not know something."
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the traits of ``StreamchatExtension`` said, read once.

    Attributes:
        agent: Who answers where a conversation chooses nobody: a name, or the
            ``module:attribute`` of one that takes the built-in agent's place; empty
            for the built-in agent.
        agents: More agents, ``module:attribute`` by name; see ``load_agent``.
        model: Model id; empty for the endpoint's default.
        base_url: Endpoint that speaks the Messages API; empty for Anthropic's.
        effort: How much work the model puts in; ``None``: as it does by itself.
        thinking: Whether it thinks before it answers; ``None``: as it does by itself.
        server_tools: Tools that the endpoint runs itself; see ``ModelRequest``.
        prices: What models cost, by their ids; go before those that are known.
        system_prompt: Instructions for the built-in agent.
        tools: ``module:function`` of each server-side tool, besides entry points.
        mcp_servers: Servers that offer tools by the Model Context Protocol.
        mcp_file: A file of more of them; ``None`` for none.
        store_path: SQLite file, or ``None`` to keep everything in memory.
        token_lifetime_s: Life of a JWT, at most 300 seconds.
        authenticate_timeout_s: Seconds a socket may wait with ``authenticate``.
        limits: Bounds on what clients send and the server keeps.
        turn_limits: Where a turn stops by itself.
        cassette: File that the built-in agent's model is played from and recorded in;
            ``None`` for none.
        cassette_mode: What is played and what recorded; see ``CassetteModel``.
        cassette_timing: At once, or at the pace of the recording.
        offline_pace_s: Seconds between two words of the offline demo.
        tool_approvals: By a tool's name: ``ask`` a person first, or ``allow`` it
            without; others go by their risk. What runs any code always asks.
        approval_timeout_s: How long a person has to answer, in seconds; ``None``: as
            long as it takes.
        on_no_subscribers: Whether a turn that nobody follows goes on or is cancelled.
        no_subscribers_timeout_s: Seconds until it is cancelled.
        drain_timeout_s: Seconds that running turns may go on for while the server
            stops.
        trash_days: How many days a deleted conversation can be restored; 0: never.
    """

    agent: str = ""
    agents: Mapping[str, str] = field(default_factory=dict[str, str])
    model: str = ""
    base_url: str = ""
    effort: Effort | None = None
    thinking: bool | None = None
    server_tools: tuple[str | dict[str, Any], ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    system_prompt: str = DEFAULT_SYSTEM_PROMPT
    tools: tuple[str, ...] = ()
    mcp_servers: tuple[McpSettings, ...] = ()
    mcp_file: Path | None = None
    store_path: Path | None = None
    token_lifetime_s: int = 300
    authenticate_timeout_s: float = 30.0
    limits: Limits = field(default_factory=Limits)
    turn_limits: TurnLimits = field(default_factory=TurnLimits)
    cassette: Path | None = None
    cassette_mode: CassetteMode = "auto"
    cassette_timing: CassetteTiming = "instant"
    offline_pace_s: float = 0.03
    tool_approvals: Mapping[str, str] = field(default_factory=dict[str, str])
    approval_timeout_s: float | None = None
    on_no_subscribers: Literal["continue", "cancel"] = "continue"
    no_subscribers_timeout_s: float = 60.0
    drain_timeout_s: float = 10.0
    trash_days: float = 30.0
