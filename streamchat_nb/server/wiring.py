"""From settings to an agent and its tools."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.endpoint import credential_hint, is_at_anthropic
from streamchat_nb.agent.model import DEFAULT_MODEL
from streamchat_nb.agent.prices import price_of
from streamchat_nb.errors import InvalidInput, UsageError
from streamchat_nb.server.agent_catalog import AgentCatalog, listed, load_agent
from streamchat_nb.server.agents import BUILT_IN, AgentChoice
from streamchat_nb.tools.registry import ToolSet, entry_point_tools, load_tools

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.agent.model import Model
    from streamchat_nb.server.settings import Settings

__all__ = ["agent_names", "make_agent", "make_model", "make_tools"]

logger = logging.getLogger(__name__)

OFFLINE_MODEL = "offline-demo"


def make_agent(
    settings: Settings, choice: AgentChoice, *, root: Path | None = None
) -> Agent:
    """Return the agent of these settings, as a conversation chose it.

    Args:
        settings: The server's settings.
        choice: What a conversation's settings say.
        root: The folder that a conversation's cassette must be in; ``None`` where
            conversations may have none.

    Raises:
        UsageError: The settings name nothing, or not an agent, or one for which there
            is a cassette that it would not use; or as ``make_model``.
        InvalidInput: The choice is not to be had here.
    """
    catalog = AgentCatalog(settings.agents)
    name = choice.agent or settings.agent or BUILT_IN
    if choice.agent is None and _replaces_built_in(settings):
        _refuse_options(choice, "this server")
        if settings.cassette is not None:
            raise UsageError(
                "StreamchatExtension.cassette is for the built-in agent. Leave it out, "
                "and give your agent a CassetteModel."
            )
        return load_agent(settings.agent, what="StreamchatExtension.agent")
    if name in catalog:
        _refuse_options(choice, repr(name))
        return catalog.load(name)
    if name == BUILT_IN and not _replaces_built_in(settings):
        return AnthropicAgent(
            _chosen_model(settings, choice, root),
            name=BUILT_IN,
            system=settings.system_prompt,
            server_tools=settings.server_tools,
            thinking=_first(choice.thinking, settings.thinking),
            effort=choice.effort or settings.effort,
            price=price_of(
                choice.model or settings.model or DEFAULT_MODEL,
                own=settings.prices,
                at_anthropic=is_at_anthropic(settings.base_url or None),
            ),
            tool_output_bytes=settings.limits.tool_output_bytes,
        )
    known = listed(agent_names(settings))
    if choice.agent is None:
        raise UsageError(
            f"StreamchatExtension.agent = {name!r} is none of the agents that there "
            f"are by name: {known}. Give one of these, or an agent as module:attribute."
        )
    raise InvalidInput(f"There is no agent {name!r}; there is {known}.")


def agent_names(settings: Settings) -> list[str]:
    """Return the names of the agents, but for one that ``settings.agent`` locates."""
    built_in = [] if _replaces_built_in(settings) else [BUILT_IN]
    return list(dict.fromkeys([*built_in, *AgentCatalog(settings.agents).names]))


def _replaces_built_in(settings: Settings) -> bool:
    """Say whether the default agent is given by its place, and not by a name."""
    return ":" in settings.agent


def _refuse_options(choice: AgentChoice, whose: str) -> None:
    if choice != AgentChoice(agent=choice.agent):
        raise InvalidInput(
            "A model and a cassette can be chosen for the built-in agent only; "
            f"{whose} has its own."
        )


def _first(chosen: bool | None, setting: bool | None) -> bool | None:
    return setting if chosen is None else chosen


def make_model(settings: Settings) -> Model:
    """Return the model of these settings, behind their cassette if they have one.

    Without a credential it is the offline demo. That is recorded only where it was
    asked for: it must not stand for a model in a cassette.

    Raises:
        UsageError: To be recorded takes a credential, and there is none.
    """
    model = _endpoint_model(settings)
    if settings.cassette is None:
        return model
    from streamchat_nb.agent.cassette import CassetteModel  # noqa: PLC0415

    is_stand_in = model.offline and settings.model != OFFLINE_MODEL
    return CassetteModel(
        None if is_stand_in else model,
        settings.cassette,
        mode=settings.cassette_mode,
        timing=settings.cassette_timing,
        name=settings.model or None,
    )


def _chosen_model(settings: Settings, choice: AgentChoice, root: Path | None) -> Model:
    if choice.model:
        settings = replace(settings, model=choice.model)
    if choice.cassette is not None:
        settings = replace(
            settings,
            cassette=_cassette_below(root, choice.cassette),
            cassette_mode=choice.cassette_mode or "auto",
        )
    model = make_model(settings)
    if choice.model and model.offline and choice.model != OFFLINE_MODEL:
        raise InvalidInput(
            f"{choice.model} cannot be asked: there is no credential for it. "
            f"{credential_hint()}"
        )
    return model


def _cassette_below(root: Path | None, cassette: str) -> Path:
    from streamchat_nb.agent.cassette import path_below  # noqa: PLC0415

    if root is None:
        raise InvalidInput("This server plays no cassettes of conversations.")
    return path_below(root, cassette)


def _endpoint_model(settings: Settings) -> Model:
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
