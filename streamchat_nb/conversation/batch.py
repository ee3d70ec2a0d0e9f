"""What a log waits to write, and what of it goes into one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.conversation.message_texts import message_text
from streamchat_nb.conversation.store import Append, StoredEvent
from streamchat_nb.protocol.codec import carriable, encode
from streamchat_nb.protocol.events import (
    BlockDelta,
    ConversationUpdated,
    Event,
    MessageCompleted,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from streamchat_nb.conversation.search import MessageText

__all__ = ["Batch", "Pending", "count_turns"]


class Pending(msgspec.Struct):
    """Events that commit together, and who waits for them.

    ``more`` are the texts of deltas that go on with the one in ``events``; ``shown`` is
    called when readers have been told of them.
    """

    events: list[Event]
    ts: int
    committed: asyncio.Future[int] | None
    rejectable: bool
    durable: bool
    size: int
    more: list[str] = []
    shown: Callable[[], None] | None = None

    def joined(self) -> list[Event]:
        """Return the events, with those deltas joined that wait together."""
        if self.more and isinstance(delta := self.events[-1], BlockDelta):
            text = "".join((delta.delta, *self.more))
            self.events[-1] = msgspec.structs.replace(delta, delta=text)
            self.more.clear()
        return self.events


class Batch(msgspec.Struct):
    """What one log puts into one transaction.

    Attributes:
        conversation: Id of the conversation.
        groups: What was pending.
        open_turns: Those before the batch; changed to those after it.
        events: Numbered, in order.
        stored: The same, encoded.
        texts: See ``Append``.
        title: See ``Append``.
        ends_something: Whether a message or a turn ends with one of the events: some
            of those before it need not be kept.
        durable: See ``Append``.
        dropped: See ``Append``.
    """

    conversation: str
    groups: list[Pending]
    open_turns: set[str]
    events: list[Event] = []
    stored: list[StoredEvent] = []
    texts: list[MessageText] = []
    title: str | None = None
    ends_something: bool = False
    durable: bool = False
    dropped: list[tuple[int, int]] = []

    def add(self, event: Event) -> None:
        """Add a numbered event."""
        try:
            data = encode(event)
        except UnicodeEncodeError:
            event = carriable(event)
            data = encode(event)
        self.events.append(event)
        self.stored.append(StoredEvent(event.seq, data))
        if isinstance(event, BlockDelta):
            return
        count_turns(self.open_turns, event)
        text = message_text(event)
        if text is not None:
            self.texts.append(text)
        match event:
            case ConversationUpdated(title=str(title)):
                self.title = title
            case MessageCompleted() | TurnFinished():
                self.ends_something = True
            case _:
                pass

    @property
    def append(self) -> Append:
        """The part of the transaction."""
        return Append(
            conversation=self.conversation,
            events=self.stored,
            durable=self.durable,
            title=self.title,
            updated_ms=self.events[-1].ts,
            open_turns=len(self.open_turns),
            dropped=self.dropped,
            texts=self.texts,
        )


def count_turns(open_turns: set[str], event: object) -> None:
    """Note in ``open_turns`` a turn that begins or ends with an event."""
    match event:
        case TurnQueued(turn=str(turn)) | TurnStarted(turn=str(turn)):
            open_turns.add(turn)
        case TurnFinished(turn=str(turn)):
            open_turns.discard(turn)
        case _:
            pass
