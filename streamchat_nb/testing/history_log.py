"""The log of a recorded history: what seats and snapshots are compared with."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streamchat_nb.conversation.state import Fold
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import (
    BlockCompleted,
    BlockDelta,
    BlockStarted,
    MessageCompleted,
    MessageCreated,
    MessageDiscarded,
    ToolCompleted,
    ToolProgress,
    ToolRequested,
)
from streamchat_nb.testing.history import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.testing.history import History

__all__ = ["BlockTexts", "RecordedLog", "TextMark"]


class TextMark(NamedTuple):
    """A text by its length in bytes and checksum: cheap to extend and to compare."""

    length: int = 0
    checksum: int = 0

    def extended(self, text: str) -> TextMark:
        """Return the mark of this text and more."""
        data = text.encode("utf-8", "surrogatepass")
        return TextMark(self.length + len(data), zlib.crc32(data, self.checksum))


class BlockTexts:
    """The text of every block so far, while events go by in order.

    Two readers who see the same text in other pieces agree wherever both of them are
    at the end of a piece.
    """

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], TextMark] = {}

    def begin(self, state: ConversationState) -> None:
        """Begin with what a snapshot shows of blocks that still stream."""
        self._marks = {
            (message.message, block.block): TextMark().extended(block.text)
            for message in state.messages
            if message.status == "streaming"
            for block in message.blocks
            if block.content is None
        }

    def forget(self) -> None:
        """Forget all: something was left out."""
        self._marks.clear()

    def advance(self, event: Event | UnknownEvent) -> TextMark | None:
        """Take the next event; return the text of its block, where it is known."""
        match event:
            case BlockStarted():
                self._marks[event.message, event.block] = TextMark()
            case BlockDelta():
                mark = self._marks.get((event.message, event.block))
                if mark is not None:
                    mark = mark.extended(event.delta)
                    self._marks[event.message, event.block] = mark
                return mark
            case BlockCompleted():
                return self._marks.pop((event.message, event.block), None)
            case _:
                pass
        return None


@dataclass(frozen=True)
class _Claim:
    """What somebody says the state is at a ``seq``."""

    who: str
    exact: bytes
    faded: bytes


@dataclass
class _Open:
    """What is under way at a place in the log: deltas and progress of it may go."""

    ids: set[str] = field(default_factory=set[str])
    thinned: set[str] = field(default_factory=set[str])

    def take(self, event: Event | UnknownEvent) -> None:
        match event:
            case MessageCreated(content=None):
                self.ids.add(event.message)
            case ToolRequested():
                self.ids.add(event.tool_call)
            case MessageCompleted() | MessageDiscarded():
                self._end(event.message)
            case ToolCompleted():
                self._end(event.tool_call)
            case _:
                pass

    def thin_out(self) -> None:
        """Note that events of what is open are missing here."""
        self.thinned |= self.ids

    def _end(self, id_: str) -> None:
        self.ids.discard(id_)
        self.thinned.discard(id_)


class RecordedLog:
    """The log of a history, and what all who saw parts of it say about it.

    Args:
        history: Where it is from.

    Attributes:
        conversation: Id of the conversation.
        log: Identity of the log.
        head: ``seq`` of its last event.
    """

    def __init__(self, history: History) -> None:
        self.conversation = history.conversation
        self.log = history.log
        self.head = history.events[-1].seq if history.events else 0
        self._events = history.events
        self._by_seq = {event.seq: event for event in history.events}
        self._over = {
            event.message if isinstance(event, MessageCompleted) else event.tool_call
            for event in history.events
            if isinstance(event, MessageCompleted | ToolCompleted)
        }
        self._missing: dict[int, tuple[str, Event | UnknownEvent]] = {}
        self._texts: dict[int, tuple[str, TextMark]] = {}
        self._claims: dict[int, list[_Claim]] = {}
        self._note_texts()

    def event(self, seq: int) -> Event | UnknownEvent | None:
        """Return an event, if it is in the log."""
        return self._by_seq.get(seq)

    def between(self, first: int, last: int) -> list[Event | UnknownEvent]:
        """Return the events with ``first < seq < last``."""
        return [
            event
            for seq in range(first + 1, last)
            if (event := self._by_seq.get(seq)) is not None
        ]

    def may_lack(self, event: Event | UnknownEvent) -> bool:
        """Return whether a log may have dropped an event that somebody saw."""
        match event:
            case BlockDelta():
                return event.message in self._over
            case ToolProgress():
                return event.tool_call in self._over
            case _:
                return False

    def first_sight(
        self, who: str, event: Event | UnknownEvent
    ) -> tuple[str, Event | UnknownEvent]:
        """Return who saw an event first that is not in the log, and what it was."""
        return self._missing.setdefault(event.seq, (who, event))

    def first_text(self, who: str, seq: int, mark: TextMark) -> tuple[str, TextMark]:
        """Return who said first what the text of a block is at ``seq``, and what."""
        return self._texts.setdefault(seq, (who, mark))

    def claim(self, who: str, state: ConversationState) -> None:
        """Note what somebody says the state is; ``refuted_claims`` looks at it."""
        claim = _Claim(who, _shown(state), _shown(state, faded=True))
        self._claims.setdefault(state.seq, []).append(claim)

    def violations(self) -> Iterator[Violation]:
        """Yield what is wrong with the order of the log itself."""
        last = 0
        open_ = _Open()
        for event in self._events:
            seq = event.seq
            if seq <= last:
                words = f"the log has {seq} after {last}"
                yield Violation(invariant="I1", message=words)
            elif seq > last + 1 and not open_.ids & self._over:
                words = f"the log lacks {last + 1} to {seq - 1}"
                yield Violation(invariant="I1", message=words)
            elif event.prev not in (last, seq - 1):
                words = f"event {seq} of the log has prev {event.prev}, not {last}"
                yield Violation(invariant="I1", message=words)
            if event.conversation != self.conversation:
                words = f"event {seq} of the log is of {event.conversation}"
                yield Violation(invariant="I3", message=words)
            last = seq
            open_.take(event)

    def refuted_claims(self) -> Iterator[Violation]:
        """Yield every claim that is not the fold of the log.

        Where deltas are missing from the log, what still streams is not compared.
        """
        fold = Fold()
        open_ = _Open()
        claimed = sorted(self._claims)
        for event in self._events:
            while claimed and claimed[0] < event.seq:
                yield from self._refuted(claimed.pop(0), fold, open_)
            if event.seq > fold.seq + 1:
                open_.thin_out()
            fold.apply(event)
            open_.take(event)
        for seq in claimed:
            yield from self._refuted(seq, fold, open_)

    def _refuted(self, seq: int, fold: Fold, open_: _Open) -> Iterator[Violation]:
        is_missing = seq != fold.seq
        if seq > self.head or (is_missing and not open_.ids & self._over):
            state = None
        elif is_missing or open_.thinned:
            state = _shown(fold.state, faded=True)
        else:
            state = _shown(fold.state)
        for claim in self._claims[seq]:
            if state not in (claim.exact, claim.faded):
                words = f"what {claim.who} shows at {seq} is not the fold of the log"
                yield Violation(invariant="I4", message=words)

    def _note_texts(self) -> None:
        texts = BlockTexts()
        last = 0
        for event in self._events:
            if event.seq != last + 1:
                texts.forget()
            last = event.seq
            mark = texts.advance(event)
            if mark is not None:
                self._texts[event.seq] = ("the log", mark)


def _shown(state: ConversationState, *, faded: bool = False) -> bytes:
    """Return what a state shows, apart from its ``seq``.

    ``faded``: without the text and the progress of what is under way.
    """
    replace = msgspec.structs.replace
    state = replace(state, seq=0)
    if faded:
        messages = [
            replace(
                message,
                blocks=[replace(block, text="") for block in message.blocks],
            )
            if message.status == "streaming"
            else message
            for message in state.messages
        ]
        calls = [
            replace(
                call, progress_message=None, progress_fraction=None, progress_log=[]
            )
            for call in state.tool_calls
        ]
        state = replace(state, messages=messages, tool_calls=calls)
    return encode(state)
