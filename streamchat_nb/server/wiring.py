"""From settings to an agent and its tools."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.errors import UsageError
from streamchat_nb.tools.registry import ToolSet, entry_point_tools, load_tools

if TYPE_CHECKING:
    from streamchat_nb.agent.model import Model
    from streamchat_nb.server.settings import Settings

__all__ = ["make_agent", "make_model", "make_tools"]

logger = logging.getLogger(__name__)

OFFLINE_MODEL = "offline-demo"


def make_agent(settings: Settings) -> Agent:
    """Return the agent of these settings.

    Raises:
        UsageError: ``settings.agent`` names nothing, or not an agent.
    """
    if not settings.agent:
        return AnthropicAgent(
            make_model(settings),
            name="assistant",
            system=settings.system_prompt,
            tool_output_bytes=settings.limits.tool_output_bytes,
        )
    module_name, _, attribute = settings.agent.partition(":")
    try:
        found = getattr(import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"StreamchatExtension.agent = {settings.agent!r} cannot be loaded: "
            f"{error}. "
            "Give it as module:attribute."
        ) from None
    agent = found if isinstance(found, Agent) else found()
    if not isinstance(agent, Agent):
        raise UsageError(
            f"StreamchatExtension.agent = {settings.agent!r} is not an Agent."
        )
    return agent


def make_model(settings: Settings) -> Model:
    """Return the model of these settings: the offline demo without a credential."""
    from streamchat_nb.agent.anthropic_model import (  # noqa: PLC0415
        AnthropicModel,
        has_credential,
    )
    from streamchat_nb.agent.offline_model import OfflineModel  # noqa: PLC0415

    base_url = settings.base_url or None
    if settings.model == OFFLINE_MODEL or not has_credential(base_url):
        return OfflineModel(pace_s=settings.offline_pace_s)
    if settings.model:
        return AnthropicModel(settings.model, base_url=base_url)
    return AnthropicModel(base_url=base_url)


def make_tools(settings: Settings) -> ToolSet:
    """Return the server-side tools: entry points and those of the settings.

    Raises:
        UsageError: A tool of ``settings.tools`` cannot be loaded; the message says
            which and why.
    """
    return ToolSet([*entry_point_tools(), *load_tools(settings.tools)])
