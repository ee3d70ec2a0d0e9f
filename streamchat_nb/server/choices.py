"""Who answers which conversation: one of the server's agents, or one that is lent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamchat_nb.errors import InvalidInput, StreamchatError
from streamchat_nb.server.agent_catalog import listed
from streamchat_nb.server.agent_desk import LentAgent
from streamchat_nb.server.agents import AbsentAgent, AgentChoice, description_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.server.agents import AgentDescription, Agents
    from streamchat_nb.server.turns import ConversationTurns

__all__ = ["Choices"]


class Choices:
    """Finds the agent that a conversation's settings choose.

    Args:
        agents: The server's agents.
    """

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def first(self, choice: AgentChoice) -> Agent:
        """Return who answers a conversation that is only made now.

        Raises:
            InvalidInput: The server has no such agent, or it cannot be had so.
        """
        return await self._get(choice, None, chosen=choice.settings())

    async def restored(self, turns: ConversationTurns) -> Agent:
        """Return who answers, as was chosen before; one that says why if nobody can."""
        settings = turns.log.state.settings
        try:
            choice = AgentChoice.of(settings)
            if choice.agent in self._agents:
                return await self._agents.get(choice)
        except StreamchatError as error:
            # It could be had when it was chosen; the conversation is to be read still.
            return AbsentAgent(str(settings.get("agent") or "assistant"), error)
        return LentAgent(choice.agent or "", turns.agents)

    async def changed(
        self, turns: ConversationTurns, change: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Agent]:
        """Return a conversation's settings after a change, and who answers then.

        What is chosen for the built-in agent stays chosen while another one answers.

        Args:
            turns: The conversation.
            change: What changes, by the names of ``AgentChoice``; ``None`` takes a
                choice back.

        Raises:
            InvalidInput: There is no such setting, or nobody can answer so.
        """
        known = AgentChoice.__struct_fields__
        if unknown := sorted(set(change) - set(known)):
            names = ", ".join(sorted(known))
            raise InvalidInput(
                f"There is no setting {unknown[0]!r}; there are {names}."
            )
        changed = {**turns.log.state.settings, **change}
        settings = {key: value for key, value in changed.items() if value is not None}
        chosen = [key for key, value in change.items() if value is not None]
        agent = await self._get(AgentChoice.of(settings), turns, chosen=chosen)
        return settings, agent

    async def described(
        self, turns: ConversationTurns | None
    ) -> list[AgentDescription]:
        """Return what people choose from: the server's agents, and those that are lent.

        Args:
            turns: The conversation that they are lent to; ``None`` for none.
        """
        described = await self._agents.describe()
        if turns is not None:
            for name in turns.agents.offers():
                lent = LentAgent(name, turns.agents)
                described.append(description_of(lent, where="kernel"))
        return described

    async def _get(
        self,
        choice: AgentChoice,
        turns: ConversationTurns | None,
        *,
        chosen: Iterable[str],
    ) -> Agent:
        self._agents.check(choice.agent, chosen)
        if choice.agent in self._agents:
            return await self._agents.get(choice)
        name = choice.agent or ""
        lent = {} if turns is None else turns.agents.offers()
        if turns is None or name not in lent:
            names = listed([*self._agents.names, *lent])
            raise InvalidInput(
                f"There is no agent {name!r}; there is {names}. One that a kernel "
                "lends can be chosen while it is lent."
            )
        return LentAgent(name, turns.agents)
