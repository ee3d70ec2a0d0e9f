"""The agents that a server has besides its default one, by name."""

from __future__ import annotations

import importlib
import inspect
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override

from streamchat_nb.agent.agent import Agent
from streamchat_nb.errors import InvalidInput, UsageError
from streamchat_nb.tools.installed import entry_points

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
    from importlib.metadata import EntryPoint

    from streamchat_nb.agent.agent import AgentEvent, Turn
    from streamchat_nb.agent.model import ModelDescription
    from streamchat_nb.protocol.events import BlockDelta

__all__ = ["AGENT_NAME", "AgentCatalog", "NamedAgent", "listed", "load_agent"]

ENTRY_POINT_GROUP = "streamchat_nb.agents"
AGENT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_NAMES_TOLD = 20


class AgentCatalog:
    """Loads agents by name, each when it is first wanted.

    Args:
        places: ``module:attribute`` by name, as ``load_agent`` takes it. They go before
            those that installed packages register in the entry-point group
            ``streamchat_nb.agents``.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._entries: dict[str, EntryPoint] = {}
        for entry in sorted(
            entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name
        ):
            if entry.name not in places and AGENT_NAME.fullmatch(entry.name):
                self._entries.setdefault(entry.name, entry)

    @property
    def names(self) -> list[str]:
        """All names: those of the settings first."""
        return [*self._places, *self._entries]

    def __contains__(self, name: object) -> bool:
        return name in self._places or name in self._entries

    def load(self, name: str) -> Agent:
        """Return an agent; its name is then this one.

        Raises:
            InvalidInput: There is none of this name.
            UsageError: It cannot be loaded, or is no agent; says which and why.
        """
        place = self._places.get(name)
        entry = self._entries.get(name)
        if place is not None:
            return load_agent(
                place, name=name, what=f"StreamchatExtension.agents[{name!r}]"
            )
        if entry is None:
            raise InvalidInput(
                f"There is no agent {name!r}; there is {listed(self.names)}."
            )
        what = f"The agent of entry point {name}"
        return load_agent(entry.value, name=name, what=what)


class NamedAgent(Agent):
    """An agent under the name that a server's settings give it.

    Args:
        agent: The agent.
        name: How users choose it.
    """

    def __init__(self, agent: Agent, name: str) -> None:
        self._agent = agent
        self.name = name
        self.description = agent.description
        self.model_name = agent.model_name
        self.offline = agent.offline
        self.shapes_answers = agent.shapes_answers

    @override
    async def run(self, turn: Turn) -> AsyncIterator[AgentEvent]:
        running = cast("AsyncGenerator[AgentEvent]", self._agent.run(turn))
        async with aclosing(running) as events:
            async for event in events:
                yield event

    @override
    def run_showing(
        self, turn: Turn, show: Callable[[BlockDelta], bool]
    ) -> AsyncIterator[AgentEvent]:
        return self._agent.run_showing(turn, show)

    @property
    @override
    def transport(self) -> str:
        return self._agent.transport

    @override
    async def models(self) -> list[ModelDescription]:
        return await self._agent.models()

    @override
    async def warm(self) -> None:
        await self._agent.warm()

    @override
    async def close(self) -> None:
        await self._agent.close()


def load_agent(place: str, *, what: str, name: str | None = None) -> Agent:
    """Import an agent.

    Args:
        place: ``module:attribute`` of an ``Agent`` or its class, of a compiled graph,
            of an async generator function, or of a function without arguments that
            returns one of these.
        what: Where this was said, for errors.
        name: What to call it; its own name when ``None``.

    Raises:
        UsageError: It cannot be loaded, or is none of these; says which and why.
    """
    from streamchat_nb.agent.any_agent import agent_of  # noqa: PLC0415 - may be heavy

    value = _imported(place, what)
    try:
        if _makes_one(value):
            value = cast("Callable[[], object]", value)()
        agent = agent_of(value, name=name)
    except UsageError as error:
        raise UsageError(f"{what} = {place!r}: {error.message}") from None
    except Exception as error:
        raise UsageError(
            f"{what} = {place!r} made no agent: {type(error).__name__}: {error}"
        ) from error
    return agent if name in (None, agent.name) else NamedAgent(agent, name)


def listed(names: list[str]) -> str:
    """Return names for an error's sentence."""
    if not names:
        return "none"
    shown = ", ".join(repr(name) for name in names[:_MOST_NAMES_TOLD])
    more = len(names) - _MOST_NAMES_TOLD
    return f"{shown} and {more} more" if more > 0 else shown


def _imported(place: str, what: str) -> object:
    module_name, _, path = place.partition(":")
    if not module_name or not path:
        raise UsageError(
            f"{what} = {place!r} names no agent; give it as module:attribute."
        )
    try:
        value: object = importlib.import_module(module_name)
        for part in path.split("."):
            value = getattr(value, part)
    except Exception as error:
        raise UsageError(
            f"{what} = {place!r} cannot be loaded: {type(error).__name__}: {error}. "
            "Give it as module:attribute."
        ) from error
    return value


def _makes_one(value: object) -> bool:
    """Say whether it is to be called: a class, or a function without arguments."""
    if isinstance(value, type):
        return True
    if not inspect.isroutine(value) or inspect.isasyncgenfunction(value):
        return False
    function: Any = value
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True
