"""What one seat saw, replayed by the rules for clients and compared with the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.protocol.events import BlockDelta, EventBase, UnknownEvent
from streamchat_nb.protocol.frames import Live, Snapshot, Subscribed
from streamchat_nb.protocol.short_deltas import SAME_TS_MS
from streamchat_nb.testing.history import Violation
from streamchat_nb.testing.history_log import BlockTexts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.protocol.events import Event
    from streamchat_nb.protocol.frames import Frame
    from streamchat_nb.testing.history import Invariant, Seat, SeatConnection
    from streamchat_nb.testing.history_log import RecordedLog, TextMark

__all__ = ["SeatReplay"]


class _Wrong(Exception):
    """The seat saw something wrong; the rest of what it saw says nothing more."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.message)
        self.violation = violation


class SeatReplay:
    """Replays what one seat saw.

    Args:
        seat: What it saw.
        log: What was there to see.
    """

    def __init__(self, seat: Seat, log: RecordedLog) -> None:
        self._seat = seat
        self._log = log
        self._fold = Fold()
        self._texts = BlockTexts()
        self._is_subscribed = False
        self._awaits_snapshot = False
        self._parts: list[ConversationState] = []

    def run(self) -> Iterator[Violation]:
        """Yield the first thing that is wrong, and leave a claim about the state."""
        try:
            for connection in self._seat.connections:
                self._replay(connection)
        except _Wrong as wrong:
            yield wrong.violation
            return
        if self._fold.seq:
            self._log.claim(self._seat.name, self._fold.state)

    def _wrong(self, invariant: Invariant, words: str) -> NoReturn:
        message = f"{self._seat.name} {words}"
        raise _Wrong(Violation(invariant=invariant, message=message))

    def _replay(self, connection: SeatConnection) -> None:
        since = connection.since
        if since is None or since.seq == 0:
            self._fold = Fold()
            self._texts.forget()
        elif since.seq != self._fold.seq:
            self._wrong(
                "I1", f"goes on from {since.seq}, and has seen {self._fold.seq}"
            )
        self._is_subscribed = self._awaits_snapshot = False
        for received in connection.received:
            self._take(received)

    def _take(self, received: Frame | Event | UnknownEvent) -> None:
        match received:
            case Subscribed():
                self._take_subscribed(received)
            case Snapshot():
                self._take_snapshot(received)
            case Live():
                self._check_place(received.conversation)
                if received.seq != self._fold.seq:
                    self._wrong(
                        "I1", f"is live at {received.seq}, and at {self._fold.seq}"
                    )
            case EventBase() | UnknownEvent():
                self._take_event(received)
            case _:
                pass

    def _check_place(self, conversation: str) -> None:
        if conversation != self._log.conversation:
            self._wrong("I3", f"sees another conversation, {conversation}")
        if not self._is_subscribed or self._awaits_snapshot:
            self._wrong("I1", "sees something of the log before its beginning")

    def _take_subscribed(self, frame: Subscribed) -> None:
        if frame.log != self._log.log:
            self._wrong("I3", f"is subscribed to another log, {frame.log}")
        if frame.head > self._log.head:
            self._wrong("I3", f"hears of a head beyond the log, {frame.head}")
        if frame.mode == "replay" and frame.from_ != self._fold.seq:
            self._wrong(
                "I1", f"has a replay after {frame.from_}, and is at {self._fold.seq}"
            )
        if (
            frame.mode == "snapshot"
            and self._fold.seq
            and frame.reason == "log_changed"
        ):
            self._wrong("I3", "is told that the log changed, and it did not")
        self._is_subscribed = True
        self._awaits_snapshot = frame.mode == "snapshot"
        self._parts = []

    def _take_snapshot(self, frame: Snapshot) -> None:
        if not self._awaits_snapshot or frame.log != self._log.log:
            self._wrong("I3", f"has a snapshot of {frame.log} that was not announced")
        if frame.part != len(self._parts) + 1:
            self._wrong("I1", f"has part {frame.part} of a snapshot out of order")
        part = msgspec.json.decode(frame.state, type=ConversationState)
        if part.seq != frame.seq or (self._parts and self._parts[0].seq != frame.seq):
            self._wrong("I4", f"has a snapshot of {part.seq} as of {frame.seq}")
        self._parts.append(part)
        if frame.part < frame.parts:
            return
        if frame.seq < self._fold.seq:
            self._wrong(
                "I1", f"has a snapshot of {frame.seq}, and was at {self._fold.seq}"
            )
        messages = [message for part in self._parts for message in part.messages]
        state = msgspec.structs.replace(self._parts[0], messages=messages)
        self._log.claim(f"a snapshot for {self._seat.name}", state)
        self._texts.begin(state)
        self._fold = Fold(state)
        self._awaits_snapshot = False

    def _take_event(self, event: Event | UnknownEvent) -> None:
        self._check_place(event.conversation)
        last = self._fold.seq
        if event.seq <= last:
            self._wrong("I1", f"sees {event.seq} again, or late: it was at {last}")
        if event.prev != last:
            self._wrong("I1", f"sees {event.seq} after {event.prev}, and was at {last}")
        if event.seq > self._log.head:
            self._wrong("I3", f"sees {event.seq}, and the log ends at {self._log.head}")
        if event.seq > last + 1:
            self._check_skipped(event, last)
        self._check_event(event)
        mark = self._texts.advance(event)
        if mark is not None:
            self._check_text(event.seq, mark)
        self._fold.apply(event)

    def _check_skipped(self, event: Event | UnknownEvent, last: int) -> None:
        """Check that only what may be joined or missing lies before an event."""
        present = self._log.between(last, event.seq)
        for skipped in present:
            if not _may_join(skipped, event):
                self._wrong("I1", f"does not see {skipped.seq}: {event.seq} hides it")
        if len(present) < event.seq - last - 1 and not isinstance(event, BlockDelta):
            self._texts.forget()

    def _check_event(self, event: Event | UnknownEvent) -> None:
        logged = self._log.event(event.seq)
        if logged is None:
            if not self._log.may_lack(event):
                self._wrong("I3", f"sees {event.seq}, which is not in the log")
            who, logged = self._log.first_sight(self._seat.name, event)
        else:
            who = "the log"
        if event == logged:
            return
        same: dict[str, int | str] = {"prev": logged.prev}
        if isinstance(event, BlockDelta) and isinstance(logged, BlockDelta):
            same["delta"] = logged.delta  # joined with others: see the text
            if event.ts // SAME_TS_MS == logged.ts // SAME_TS_MS:
                same["ts"] = logged.ts  # a short one has that of the one before
        if msgspec.structs.replace(event, **same) != logged:
            self._wrong("I3", f"sees another event {event.seq} than {who}")

    def _check_text(self, seq: int, mark: TextMark) -> None:
        who, other = self._log.first_text(self._seat.name, seq, mark)
        if mark != other:
            self._wrong(
                "I3",
                f"sees another text at {seq} than {who}: {mark.length} bytes in place "
                f"of {other.length}",
            )


def _may_join(one: Event | UnknownEvent, other: Event | UnknownEvent) -> bool:
    """Return whether both are deltas of one block."""
    return (
        isinstance(one, BlockDelta)
        and isinstance(other, BlockDelta)
        and (one.message, one.block) == (other.message, other.block)
    )
