"""What everybody saw of a conversation: written down while faults happen.

::

    history = History(conversation=id_)
    connection = history.seat("ada").connect(since=None)
    connection.receive(frame)  # each one, as it comes
    sent = history.send(client_message_id, content, seat="ada")
    sent.answer(ack)
    …
    history.log, history.events = log_id, events  # as the store has them at the end
    assert check(history) == []  # streamchat_nb.testing.history_check
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.commands import Cursor
from streamchat_nb.protocol.events import EventBase, UnknownEvent
from streamchat_nb.protocol.frames import Ack, ErrorFrame, Snapshot, Subscribed
from streamchat_nb.protocol.short_deltas import FrameReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import UserBlock
    from streamchat_nb.protocol.events import Event
    from streamchat_nb.protocol.frames import Frame

__all__ = [
    "History",
    "Invariant",
    "Leftovers",
    "Seat",
    "SeatConnection",
    "Sent",
    "Violation",
]

Invariant = Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"]
"""A promise that ``check`` looks after; see ``streamchat_nb.testing.history_check``."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A promise that did not hold.

    Attributes:
        invariant: Which.
        message: Who saw what, and what was to be seen.
    """

    invariant: Invariant
    message: str

    @override
    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.invariant}: {self.message}"


@dataclass(kw_only=True)
class SeatConnection:
    """One connection of a seat.

    Attributes:
        since: The cursor it asked from; ``None`` asked for a snapshot. ``seq`` 0 asks
            for the whole log. In both cases the seat begins anew.
        received: What came, in order.
        cursor: Where a client goes on from after what came.
    """

    since: Cursor | None
    received: list[Frame | Event | UnknownEvent] = field(
        default_factory=list["Frame | Event | UnknownEvent"]
    )
    _log: str = ""
    _frames: FrameReader = field(default_factory=FrameReader, repr=False)

    def __post_init__(self) -> None:
        self.cursor = self.since

    def receive(self, data: bytes) -> Frame | Event | UnknownEvent:
        """Write down what came, encoded as it came; return it decoded.

        Raises:
            BadFrame: It is not of the protocol.
        """
        received = self._frames.read(data)
        self.received.append(received)
        match received:
            case Subscribed(mode="replay"):
                self._log = received.log
            case Snapshot(log=log, part=part, parts=parts) if part == parts:
                self._log = log
                self.cursor = Cursor(log=log, seq=received.seq)
            case EventBase() | UnknownEvent():
                self.cursor = Cursor(log=self._log, seq=received.seq)
            case _:
                pass
        return received


@dataclass(kw_only=True)
class Seat:
    """Who follows the conversation, over any number of connections.

    Attributes:
        name: Shown in violations.
        connections: In their order, one at a time.
    """

    name: str
    connections: list[SeatConnection] = field(default_factory=list[SeatConnection])

    @property
    def cursor(self) -> Cursor | None:
        """Where it goes on from; ``None`` before it has seen anything."""
        return self.connections[-1].cursor if self.connections else None

    def connect(self, since: Cursor | None) -> SeatConnection:
        """Begin the next connection, from ``cursor`` or anew."""
        connection = SeatConnection(since=since)
        self.connections.append(connection)
        return connection


@dataclass(kw_only=True)
class Sent:
    """A message that was sent, once or again and again under the same id.

    Attributes:
        client_message_id: That id.
        content: What it says.
        seat: Who sent it.
        attempts: How often it was sent.
        answers: The answers that arrived; fewer than attempts where some were lost.
    """

    client_message_id: str
    content: list[UserBlock]
    seat: str = ""
    attempts: int = 1
    answers: list[Ack | ErrorFrame] = field(default_factory=list[Ack | ErrorFrame])

    @property
    def acks(self) -> list[Ack]:
        """The answers that say that it was accepted."""
        return [answer for answer in self.answers if isinstance(answer, Ack)]


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What is still there 5 s after the last turn, and should not be.

    Attributes:
        turns: Ids of turns that run or wait.
        tasks: Names of tasks beyond those of an idle server.
        sockets: How many sockets are open beyond those of an idle server.
        file_descriptors: The same of file descriptors.
    """

    turns: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    sockets: int = 0
    file_descriptors: int = 0


@dataclass(kw_only=True)
class History:
    """All that is known about one conversation.

    Attributes:
        conversation: Its id.
        log: Identity of its log.
        events: The store's log, at the end. Deltas and progress of what is complete
            may be missing.
        seats: Who followed it, by name.
        sends: What was sent. Those of one seat are in the order in which it began to
            send them.
        snapshots: The state as different sources tell it at the end, by the name of
            the source.
        leftovers: What is still there and should not be.
    """

    conversation: str
    log: str = ""
    events: list[Event | UnknownEvent] = field(
        default_factory=list["Event | UnknownEvent"]
    )
    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    sends: list[Sent] = field(default_factory=list[Sent])
    snapshots: dict[str, ConversationState] = field(
        default_factory=dict[str, "ConversationState"]
    )
    leftovers: Leftovers = Leftovers()

    def seat(self, name: str) -> Seat:
        """Return a seat by name; a new one where there is none yet."""
        return self.seats.setdefault(name, Seat(name=name))

    def send(
        self, client_message_id: str, content: list[UserBlock], *, seat: str = ""
    ) -> Sent:
        """Write down a message that is about to be sent for the first time."""
        sent = Sent(client_message_id=client_message_id, content=content, seat=seat)
        self.sends.append(sent)
        return sent

    def take_log(self, log: str, events: Iterable[bytes]) -> None:
        """Write down the log as the store has it.

        Args:
            log: Its identity.
            events: Encoded, in order.

        Raises:
            BadFrame: One of them is not an event.
        """
        self.log = log
        self.events = [decode_event(event) for event in events]
