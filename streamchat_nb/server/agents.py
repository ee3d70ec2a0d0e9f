"""Who answers which conversation: the server's agent, or as its settings choose."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

import msgspec
from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.agent.model import Effort  # noqa: TC001 - msgspec reads it
from streamchat_nb.errors import InvalidInput, StreamchatError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from streamchat_nb.agent.agent import AgentEvent, Turn

__all__ = [
    "BUILT_IN",
    "AbsentAgent",
    "AgentChoice",
    "AgentDescription",
    "Agents",
    "description_of",
]

BUILT_IN = "assistant"
"""Name of the built-in agent."""
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
        effort: How much work the model puts in, for the built-in agent.
        thinking: Whether the model thinks before it answers, likewise.
    """

    agent: str | None = None
    model: str | None = None
    cassette: str | None = None
    cassette_mode: Literal["auto", "record", "replay"] | None = None
    effort: Effort | None = None
    thinking: bool | None = None

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


OPTIONS = frozenset(AgentChoice.__struct_fields__) - {"agent"}
"""Of these, the settings that are for the built-in agent."""


class AgentDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One agent, as people choose from them.

    Attributes:
        name: How it is chosen.
        description: What it is for, in a line.
        model: Shown beside its answers; empty when it has none.
        offline: No language model runs.
        where: Which side runs it: this server, or the kernel that lends it.
        default: It answers where nobody chooses.
        problem: Why it cannot be had, if so.
    """

    name: str
    description: str = ""
    model: str = ""
    offline: bool = False
    where: Literal["server", "kernel"] = "server"
    default: bool = False
    problem: str | None = None


class AbsentAgent(Agent):
    """Stands for an agent that cannot be had any more: each turn says why.

    Args:
        name: What the conversation chose.
        error: Why.
    """

    def __init__(self, name: str, error: StreamchatError) -> None:
        self.name = name
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
        names: Gives the names of agents besides the default one; called once, by
            ``open``, on a thread.

    Attributes:
        names: All names, the default one first; there once it is opened.
    """

    names: list[str]

    def __init__(
        self,
        make: Callable[[AgentChoice], Agent],
        names: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._make = make
        self._find_names = names
        self._agents: dict[AgentChoice, Agent] = {}
        self._problems: dict[str, StreamchatError] = {}
        # A lock is there as long as somebody makes this agent, or waits for it.
        self._making: WeakValueDictionary[AgentChoice, asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def open(self) -> Agent:
        """Make the default agent and return it.

        Raises:
            UsageError: The server's own settings cannot be used.
        """
        self.names = []
        agent = await self.get(AgentChoice())
        others = await asyncio.to_thread(lambda: list(self._find_names()))
        self.names = list(dict.fromkeys([agent.name, *others]))
        return agent

    def __contains__(self, name: object) -> bool:
        return name is None or name in self.names

    async def get(self, choice: AgentChoice) -> Agent:
        """Return the agent of a choice; what it does not take is passed over.

        One that takes long to make keeps nobody waiting who asks for another one.

        Raises:
            InvalidInput: There is no such agent, or it cannot be had so.
            UsageError: The server's own settings cannot be used.
        """
        choice = self._effective(choice)
        making = self._making.setdefault(choice, asyncio.Lock())
        async with making:
            agent = self._agents.pop(choice, None)
            if agent is None:
                agent = await asyncio.to_thread(self._made, choice)
            self._agents[choice] = agent
            return agent

    def check(self, name: str | None, chosen: Iterable[str]) -> None:
        """Check that an agent takes what is chosen for it.

        Args:
            name: The agent; ``None`` for the default one.
            chosen: Names of settings, as in ``AgentChoice``.

        Raises:
            InvalidInput: It is not the built-in one, and one of them is for that.
        """
        options = [option for option in chosen if option in OPTIONS]
        name = name or self.names[0]
        if options and name != BUILT_IN:
            hint = f"; choose agent {BUILT_IN!r} too" if BUILT_IN in self.names else ""
            raise InvalidInput(
                f"{options[0]} can be chosen for the built-in agent only, and {name!r} "
                f"brings its own{hint}."
            )

    async def describe(self) -> list[AgentDescription]:
        """Return what people choose from, the default agent first.

        One that cannot be loaded is among them and says why.
        """
        found: list[AgentDescription] = []
        for position, name in enumerate(self.names):
            problem = self._problems.get(name)
            if problem is None:
                try:
                    agent = await self.get(AgentChoice(agent=name))
                except StreamchatError as error:
                    problem = self._problems[name] = error
                else:
                    found.append(description_of(agent, default=position == 0))
            if problem is not None:
                found.append(AgentDescription(name=name, problem=problem.message))
        return found

    async def close_unused(self, used: set[int]) -> None:
        """Close the agents longest not asked for, over the bound.

        Those of the server's settings stay.

        Args:
            used: ``id()`` of agents that answer now. A closed one that is used after
                all connects again.
        """
        excess = len(self._agents) - MOST_AGENTS
        idle = [
            choice
            for choice, agent in self._agents.items()
            if id(agent) not in used and choice != AgentChoice(agent=choice.agent)
        ]
        # Out of everybody's reach first: others may come here while one is closed.
        unused = [self._agents.pop(choice) for choice in idle[: max(0, excess)]]
        for agent in unused:
            await agent.close()

    async def close(self) -> None:
        """Close all."""
        agents, self._agents = list(self._agents.values()), {}
        for agent in agents:
            await agent.close()

    def _effective(self, choice: AgentChoice) -> AgentChoice:
        """Return a choice without the default's name, and without what is not taken."""
        name = choice.agent
        if self.names and name in (None, self.names[0]):
            name = self.names[0]
            choice = msgspec.structs.replace(choice, agent=None)
        return choice if name in (None, BUILT_IN) else AgentChoice(agent=choice.agent)

    def _made(self, choice: AgentChoice) -> Agent:
        try:
            return self._make(choice)
        except UsageError as error:
            if choice == AgentChoice():
                raise
            raise InvalidInput(error.message) from None


def description_of(
    agent: Agent,
    *,
    where: Literal["server", "kernel"] = "server",
    default: bool = False,
) -> AgentDescription:
    """Return what people are told of an agent."""
    return AgentDescription(
        name=agent.name,
        description=agent.description,
        model=agent.model_name,
        offline=agent.offline,
        where=where,
        default=default,
    )
