"""What one connection lends to conversations: functions, and whole agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from streamchat_nb.protocol.commands import (
    AcceptAgent,
    AcceptTool,
    FinishAgent,
    FinishTool,
    OfferAgents,
    OfferTools,
    ReportAgent,
    ReportTool,
)
from streamchat_nb.protocol.frames import Ack

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.protocol.commands import (
        AgentCommand,
        LendingCommand,
        ToolCommand,
    )
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.server.principal import Principal
    from streamchat_nb.server.service import Service
    from streamchat_nb.server.turns import ConversationTurns

__all__ = ["Lending"]


class Lending:
    """Takes the commands of a connection that lends tools or agents.

    Args:
        service: The service.
        say: Sends a frame to the connection, without waiting.
    """

    def __init__(self, service: Service, say: Callable[[Frame], None]) -> None:
        self._service = service
        self._say = say
        self._lent_to: dict[str, ConversationTurns] = {}
        self._client = ""

    async def perform(
        self, principal: Principal, client: str, command: LendingCommand
    ) -> Ack | None:
        """Carry out a command; returns its answer, if it has one now.

        Args:
            principal: Whose connection it is.
            client: Id of the client, the same after a reconnect.
            command: What it says.

        Raises:
            NotFound: No such conversation.
            Conflict: A lease is not current, or a name is taken.
            InvalidInput: A tool cannot be used as it is described, or an agent said
                what is not in its place.
        """
        self._client = client
        turns = await self._service.conversation_turns(principal, command.conversation)
        match command:
            case OfferAgents() | AcceptAgent() | ReportAgent() | FinishAgent():
                return self._lend_agents(turns, client, command)
            case _:
                return self._lend_tools(turns, client, command)

    def _lend_tools(
        self, turns: ConversationTurns, client: str, command: ToolCommand
    ) -> Ack | None:
        match command:
            case OfferTools():
                turns.offer_tools(client, command.tools, self._say)
                self._lent_to[command.conversation] = turns
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

    def _lend_agents(
        self, turns: ConversationTurns, client: str, command: AgentCommand
    ) -> Ack | None:
        match command:
            case OfferAgents():
                taken = self._service.agent_names
                turns.agents.offer(client, command.agents, self._say, taken=taken)
                self._lent_to[command.conversation] = turns
            case AcceptAgent():
                turns.agents.accept(client, command)
            case ReportAgent():
                return turns.agents.report(client, command)
            case FinishAgent():
                duplicate = turns.agents.finish(client, command)
                return Ack(re=command.id, duplicate=duplicate)
            case _:
                assert_never(command)
        return Ack(re=command.id)

    def close(self) -> None:
        """The connection is gone; what it lends waits a little for it to come back."""
        for turns in self._lent_to.values():
            turns.desk.leave(self._client, self._say)
            turns.agents.leave(self._client, self._say)
        self._lent_to.clear()
