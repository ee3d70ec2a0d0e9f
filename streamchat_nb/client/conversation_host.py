"""What a conversation needs of its client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from streamchat_nb.client.followed_log import LogHost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from streamchat_nb.agent.agent import Agent
    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.client.session import Session
    from streamchat_nb.protocol.frames import Ack
    from streamchat_nb.tools.tool import Tool

__all__ = ["ConversationHost"]

Result = TypeVar("Result")


class ConversationHost(LogHost, Protocol):
    """What a conversation needs of its client."""

    @property
    def http(self) -> HttpApi:
        """The server."""
        ...

    def log(self, id_: str) -> FollowedLog:
        """Return the log of a conversation; all its users share it."""
        ...

    def next_id(self) -> int:
        """Return a fresh command id."""
        ...

    async def perform(self, command: ConversationCommand) -> Ack:
        """Carry out a command, over reconnects."""
        ...

    async def persist(self, attempt: Callable[[Session], Awaitable[Result]]) -> Result:
        """Try something over reconnects until the server answers."""
        ...

    async def lend(self, conversation: str, tools: Iterable[Tool]) -> None:
        """Lend tools to a conversation."""
        ...

    async def lend_agents(self, conversation: str, agents: Iterable[Agent]) -> None:
        """Lend agents to a conversation."""
        ...
