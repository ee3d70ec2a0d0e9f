"""From settings to an agent and its tools."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.errors import UsageError
from streamchat_nb.tools.registry import ToolSet, entry_point_tools, load_tools

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.agent.cassette import CassetteMode
    from streamchat_nb.agent.model import Model
    from streamchat_nb.server.settings import Settings

__all__ = ["make_agent", "make_model", "make_tools", "model_for"]

logger = logging.getLogger(__name__)

OFFLINE_MODEL = "offline-demo"


def make_agent(settings: Settings) -> Agent:
    """Return the agent of these settings.

    Raises:
        UsageError: ``settings.agent`` names nothing, or not an agent, or one for
            which there is a cassette that it would not use; or as ``make_model``.
    """
    if not settings.agent:
        return AnthropicAgent(
            make_model(settings),
            name="assistant",
            system=settings.system_prompt,
            tool_output_bytes=settings.limits.tool_output_bytes,
        )
    if settings.cassette is not None:
        raise UsageError(
            "StreamchatExtension.cassette is for the built-in agent. Leave it out, and "
            "give your agent a CassetteModel."
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


def model_for(
    settings: Settings, cassette: str, *, root: Path, mode: CassetteMode = "auto"
) -> Model:
    """Return the model of these settings behind a cassette that a client names.

    Args:
        settings: Its own cassette, if it has one, is not used.
        cassette: As ``path_below`` takes it.
        root: The folder that the cassette must be in.
        mode: As in ``CassetteModel``.

    Raises:
        InvalidInput: As ``path_below``.
        UsageError: As ``make_model``.
    """
    from streamchat_nb.agent.cassette import path_below  # noqa: PLC0415

    path = path_below(root, cassette)
    return make_model(replace(settings, cassette=path, cassette_mode=mode))


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
