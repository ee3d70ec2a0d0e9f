"""What is told of models: by their endpoint, and where it says nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.context_sizes import context_tokens_of
from streamchat_nb.agent.model import ModelDescription
from streamchat_nb.errors import ModelError
from streamchat_nb.server.model_choices import ModelChoices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamchat_nb.agent.agent import Turn
    from streamchat_nb.protocol.agent_events import AgentEvent


class ListingAgent(Agent):
    """An agent whose endpoint lists ``found``, or raises it."""

    model_name = "us.anthropic.claude-opus-4-5-20251101-v1:0"

    def __init__(self, found: list[ModelDescription] | ModelError) -> None:
        self._found = found

    @override
    async def models(self) -> list[ModelDescription]:
        if isinstance(self._found, ModelError):
            raise self._found
        return self._found

    @override
    def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        raise AssertionError("nobody asks it")


def sizes(found: list[ModelDescription] | ModelError) -> dict[str, int | None]:
    listed = asyncio.run(ModelChoices().of(ListingAgent(found)))
    return {entry.id: entry.context_tokens for entry in listed.models}


def test_what_the_endpoint_says_of_a_model_goes_before_what_is_known() -> None:
    found = [
        ModelDescription(id="claude-sonnet-5-5", name="Sonnet", context_tokens=500_000),
        ModelDescription(id="claude-haiku-4-5", name="Haiku"),
        ModelDescription(id="llama", name="llama"),
    ]
    assert sizes(found) == {
        ListingAgent.model_name: 200_000,
        "claude-sonnet-5-5": 500_000,
        "claude-haiku-4-5": 200_000,
        "llama": None,
    }


def test_the_servers_own_model_is_known_where_the_endpoint_lists_none() -> None:
    assert sizes([]) == {ListingAgent.model_name: 200_000}
    refused = ModelError("The key is wrong.", code="model_authentication")
    assert sizes(refused) == {ListingAgent.model_name: 200_000}


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-sonnet-5-5", 1_000_000),
        ("claude-haiku-4-5@20251001", 200_000),
        ("claude-of-somebody", None),
        ("", None),
    ],
)
def test_context_of_a_model(model: str, tokens: int | None) -> None:
    assert context_tokens_of(model) == tokens
