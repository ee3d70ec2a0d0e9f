"""What readers were shown and authors were told, to compare with what was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.protocol.codec import decode_event
from streamchat_nb.protocol.events import (
    BlockDelta,
    MessageCompleted,
    ToolCompleted,
    ToolProgress,
    TurnFinished,
    TurnQueued,
    TurnStarted,
)
from streamchat_nb.testing.store_samples import read_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.conversation.store import Store
    from streamchat_nb.protocol.events import Event, UnknownEvent

    Events = dict[int, Event | UnknownEvent]

__all__ = ["Witness"]


class Witness:
    """Remembers what was promised, and says what of it a store does not keep."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[int, bytes]] = {}
        self._acked: dict[str, int] = {}

    @property
    def events(self) -> int:
        """How many events were shown."""
        return sum(map(len, self._seen.values()))

    def saw(self, conversation: str, seq: int, data: bytes) -> None:
        """A reader was shown an event."""
        self._seen.setdefault(conversation, {})[seq] = data

    def was_acked(self, conversation: str, seq: int) -> None:
        """An author was told that everything up to ``seq`` is kept."""
        self._acked[conversation] = max(seq, self._acked.get(conversation, 0))

    async def violations(self, store: Store) -> list[str]:
        """Return what an open store does not keep of what was promised."""
        found: list[str] = []
        for conversation in sorted({*self._seen, *self._acked}):
            words = await self._broken_promises(store, conversation)
            found += [f"{conversation}: {each}" for each in words]
        return found

    async def _broken_promises(self, store: Store, conversation: str) -> list[str]:
        seen = self._seen.get(conversation, {})
        record = await store.get(conversation)
        if record is None:
            return ["the conversation is gone"]
        kept = await read_all(store, conversation)
        found: list[str] = []
        numbers = [event.seq for event in kept]
        if numbers != sorted(set(numbers)) or numbers[-1:] != [record.head]:
            found.append(f"numbers up to {record.head} are in disorder: {numbers[-9:]}")
        promised = max([*seen, self._acked.get(conversation, 0)])
        if record.head < promised:
            found.append(
                f"{promised - record.head} events after {record.head} are lost"
            )
        found += [
            f"event {event.seq} is another than the one shown"
            for event in kept
            if seen.get(event.seq, event.data) != event.data
        ]
        decoded = {event.seq: decode_event(event.data) for event in kept}
        found += _wrong_gaps(decoded, seen, record.head)
        if (turns := _open_turns(decoded.values())) != record.open_turns:
            found.append(f"{turns} turns are open where {record.open_turns} are noted")
        return found


def _wrong_gaps(kept: Events, seen: dict[int, bytes], head: int) -> list[str]:
    """Return which events are missing that no end of a message or turn lets go."""
    ends = [
        seq
        for seq, event in kept.items()
        if isinstance(event, MessageCompleted | TurnFinished)
    ]
    completed = {
        event.message if isinstance(event, MessageCompleted) else event.tool_call
        for event in kept.values()
        if isinstance(event, MessageCompleted | ToolCompleted)
    }
    found: list[str] = []
    for seq in range(1, head + 1):
        if seq in kept:
            continue
        if seq > max(ends, default=0):
            found.append(f"event {seq} is missing before an end")
        elif seq in seen and _subject(decode_event(seen[seq])) not in completed:
            found.append(f"event {seq} is missing and said what no other says")
    return found


def _subject(event: Event | UnknownEvent) -> str | None:
    match event:
        case BlockDelta():
            return event.message
        case ToolProgress():
            return event.tool_call
        case _:
            return None


def _open_turns(events: Iterable[Event | UnknownEvent]) -> int:
    turns: set[str | None] = set()
    for event in events:
        if isinstance(event, TurnQueued | TurnStarted):
            turns.add(event.turn)
        elif isinstance(event, TurnFinished):
            turns.discard(event.turn)
    return len(turns)
