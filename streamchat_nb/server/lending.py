"""What one connection lends to conversations, and how it answers their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamchat_nb.protocol.commands import (
    AcceptTool,
    FinishTool,
    OfferTools,
    ReportTool,
)
from streamchat_nb.protocol.frames import Ack

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.protocol.connection import ToolCommand
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.service import Principal, Service
    from streamchat_nb.server.tool_desk import ToolDesk

__all__ = ["Lending"]


class Lending:
    """Takes the commands of a connection that lends tools.

    Args:
        service: The service.
        say: Sends a frame to the connection, without waiting.
    """

    def __init__(self, service: Service, say: Callable[[Frame], None]) -> None:
        self._service = service
        self._say = say
        self._desks: dict[str, ToolDesk] = {}
        self._client = ""

    async def perform(
        self, principal: Principal, client: str, command: ToolCommand
    ) -> Ack | None:
        """Carry out a command; returns its answer, if it has one.

        Args:
            principal: Whose connection it is.
            client: Id of the client, the same after a reconnect.
            command: What it says.

        Raises:
            NotFound: No such conversation.
            Conflict: A lease is not current, or a name is taken.
            InvalidInput: A tool cannot be used as it is described.
        """
        self._client = client
        turns = await self._service.conversation_turns(principal, command.conversation)
        match command:
            case OfferTools():
                turns.offer_tools(client, command.tools, self._say)
                self._desks[command.conversation] = turns.desk
            case AcceptTool():
                turns.desk.accept(client, command)
            case ReportTool():
                turns.desk.report(client, command)
                return None
            case FinishTool():
                duplicate = turns.desk.finish(client, command)
                return Ack(re=command.id, duplicate=duplicate)
            case _:
                assert_never(command)
        return Ack(re=command.id)

    def close(self) -> None:
        """The connection is gone; what it lends waits a little for it to come back."""
        for desk in self._desks.values():
            desk.leave(self._client, self._say)
        self._desks.clear()
