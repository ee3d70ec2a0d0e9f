"""Who answers which conversation: the server's agent, or as its settings choose."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.errors import StreamchatError

__all__ = ["AbsentAgent", "AgentChoice", "Agents"]

MOST_AGENTS = 32


class AgentChoice(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """What a conversation's settings say about who answers; ``None``: as the server's.

    Attributes:
        agent: Name of an agent.
        model: Model id, for the built-in agent.
        cassette: File that the model is played from and recorded in, a path relative
            to the server's root folder.
        cassette_mode: What is played and what recorded; see ``CassetteModel``.
    """

    agent: str | None = None
    model: str | None = None
    cassette: str | None = None
    cassette_mode: Literal["auto", "record", "replay"] | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> AgentChoice:
        """Return the choice in a conversation's settings; others are passed over.

        Raises:
            InvalidInput: One of them is not what it should be.
        """
        known = {key: settings.get(key) for key in cls.__struct_fields__}
        try:
            return msgspec.convert(known, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"settings: {error}") from None

    def settings(self) -> dict[str, Any]:
        """Return it as settings; what is not chosen is left out."""
        return msgspec.to_builtins(self)


class AbsentAgent(Agent):
    """Stands for an agent that cannot be had any more: each turn says why.

    Args:
        error: Why.
    """

    name = "assistant"

    def __init__(self, error: StreamchatError) -> None:
        self._error = error

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        raise self._error
        yield  # an iterator, as all agents are


class Agents:
    """Makes agents when they are first needed, and closes those long not used.

    Args:
        make: Makes the agent of a choice. Called on a thread: it may import a model's
            SDK, which takes seconds.
    """

    def __init__(self, make: Callable[[AgentChoice], Agent]) -> None:
        self._make = make
        self._agents: dict[AgentChoice, Agent] = {}
        self._making = asyncio.Lock()

    async def get(self, choice: AgentChoice) -> Agent:
        """Return the agent of a choice.

        Raises:
            InvalidInput: There is no such agent, or it cannot be had so.
            UsageError: The server's own settings cannot be used.
        """
        async with self._making:
            agent = self._agents.pop(choice, None)
            if agent is None:
                agent = await asyncio.to_thread(self._made, choice)
            self._agents[choice] = agent
            return agent

    async def close_unused(self, used: set[int]) -> None:
        """Close the agents longest not asked for, over the bound.

        Args:
            used: ``id()`` of agents that answer now. A closed one that is used after
                all connects again.
        """
        excess = len(self._agents) - MOST_AGENTS
        idle = [
            c
            for c, agent in self._agents.items()
            if id(agent) not in used and c != AgentChoice()
        ]
        for choice in idle[: max(0, excess)]:
            await self._agents.pop(choice).close()

    async def close(self) -> None:
        """Close all."""
        agents, self._agents = list(self._agents.values()), {}
        for agent in agents:
            await agent.close()

    def _made(self, choice: AgentChoice) -> Agent:
        try:
            return self._make(choice)
        except UsageError as error:
            if choice == AgentChoice():
                raise
            raise InvalidInput(error.message) from None
