"""What of this notebook may answer its conversations: agents that run in its kernel."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.client.sync_client import SyncConversation

__all__ = ["LentAgents", "wanted_agent"]


def wanted_agent(value: object) -> Agent | str:
    """Return an agent of this notebook, or the name of one that is elsewhere.

    Args:
        value: A name, or what ``agent_of`` takes.

    Raises:
        UsageError: It is none of these; says what to do.
    """
    if isinstance(value, str):
        return value
    from streamchat_nb.agent.any_agent import agent_of  # noqa: PLC0415 - when wanted

    return agent_of(value)


class LentAgents:
    """The agents of this process, by conversation and name. Safe from any thread.

    A cell that runs again replaces its agent; several chats on one conversation add to
    each other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: dict[str, dict[str, Agent]] = {}

    def lend(self, conversation: SyncConversation, agent: Agent) -> str:
        """Lend an agent to a conversation, besides those lent before.

        Returns:
            Its name.

        Raises:
            StreamchatError: The server does not take it; those before stay.
        """
        with self._lock:
            before = self._agents.get(conversation.id, {})
            merged = {**before, agent.name: agent}
            conversation.lend_agents(merged.values())
            self._agents[conversation.id] = merged
        return agent.name
