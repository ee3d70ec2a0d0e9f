"""What the sessions of the three transports have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from streamchat_nb.errors import ConnectError, NotFound

if TYPE_CHECKING:
    import asyncio

    from streamchat_nb.client.command_requests import ConversationCommand
    from streamchat_nb.client.followed_log import FollowedLog
    from streamchat_nb.client.http import HttpApi
    from streamchat_nb.client.log_reader import Reading
    from streamchat_nb.errors import StreamchatError
    from streamchat_nb.protocol.commands import ClientDescription, LendingCommand
    from streamchat_nb.protocol.frames import Ack, GoingAway, LentFrame

__all__ = [
    "Session",
    "SessionHost",
    "SocketToken",
    "Transport",
    "TransportBlocked",
    "needs_socket",
    "server_restarts",
    "settle",
]

Transport = Literal["websocket", "sse", "rest"]


class TransportBlocked(ConnectError):
    """The server is there, but this transport does not get through.

    Args:
        message: What was seen.
        slow: Whether it took long to find out.
        nobody_there: Whether nobody listens, as far as could be seen.
    """

    default_code = "transport_blocked"

    def __init__(
        self, message: str, *, slow: bool = False, nobody_there: bool = False
    ) -> None:
        super().__init__(message)
        self.slow = slow
        self.nobody_there = nobody_there


@dataclass(frozen=True, kw_only=True)
class SocketToken:
    """What a socket authenticates with.

    Attributes:
        text: The token.
        good_until: Until when a new socket may try it, on the event loop's clock.
    """

    text: str = field(repr=False)
    good_until: float


def needs_socket() -> ConnectError:
    """Return why nothing can be lent by plain requests."""
    return ConnectError(
        "Functions and agents of this notebook can only be called over a WebSocket, "
        "and there is none now; they can be called again as soon as there is one."
    )


def server_restarts(frame: GoingAway) -> ConnectError:
    """Return why a session ends when the server says that it goes away."""
    return ConnectError("The server restarts.", retry_after_ms=frame.retry_after_ms)


class SessionHost(Protocol):
    """What a session needs of the connection that it belongs to.

    Attributes:
        socket_token: The token of the last socket, for the next one; ``None`` where
            there is none that may still be good.
    """

    socket_token: SocketToken | None

    @property
    def http(self) -> HttpApi:
        """The server."""
        ...

    @property
    def description(self) -> ClientDescription:
        """Who connects."""
        ...

    def next_id(self) -> int:
        """Return a fresh command id."""
        ...

    def gone(self, log: FollowedLog, error: StreamchatError) -> None:
        """A conversation will not be delivered any more."""
        ...

    def called(self, frame: LentFrame) -> None:
        """The server wants what is lent here to run, or to stop."""
        ...

    def interrupted(
        self,
        session: Session,
        log: FollowedLog,
        *,
        at_once: bool = False,
    ) -> None:
        """A delivery is over; the conversation is to be followed again, soon or now."""
        ...


class Session(Protocol):
    """One attempt to be connected by one transport, from its opening to its end.

    Attributes:
        transport: Its transport.
        ended: Why it is over, as an error that is ``retryable`` or not; set once, by
            the session itself.
    """

    @property
    def transport(self) -> Transport:
        """Its transport."""
        ...

    @property
    def ended(self) -> asyncio.Future[StreamchatError]:
        """Why it is over, as an error that is ``retryable`` or not; set once."""
        ...

    async def open(self) -> None:
        """Connect and say who we are.

        Raises:
            TransportBlocked: Another transport may get through.
            ConnectError: The server cannot be reached or cannot serve us now.
            AuthenticationError: It refused us.
        """
        ...

    async def follow(self, log: FollowedLog) -> None:
        """Deliver a conversation from its cursor on; returns when that has begun.

        Raises:
            StreamchatError: As ``open``, or the server refused this conversation.
        """
        ...

    async def unfollow(self, log: FollowedLog) -> None:
        """Deliver it no more."""
        ...

    async def perform(self, command: ConversationCommand) -> Ack:
        """Carry out a command.

        Raises:
            ConnectError: It may not have arrived; send it again.
            StreamchatError: The server refused it.
        """
        ...

    async def tell(self, command: LendingCommand) -> Ack | None:
        """Say something about what is lent, and return its answer; needs a socket.

        Raises:
            ConnectError: There is no socket, or it was lost.
            StreamchatError: The server refused it.
        """
        ...

    async def close(self) -> None:
        """End it, and let go of everything. Idempotent."""
        ...


def settle(
    host: SessionHost,
    session: Session,
    log: FollowedLog,
    reading: Reading,
) -> None:
    """Tell the host what follows from something that a session has read."""
    match reading:
        case "read":
            pass
        case "gap":
            host.interrupted(session, log, at_once=True)
        case "failed":
            host.interrupted(session, log)
        case "deleted":
            host.gone(log, NotFound("The conversation was deleted."))
