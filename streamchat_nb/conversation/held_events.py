"""Events that are in the journal of a store and not yet in its tables.

They are as good as kept, so every reader of the tables is given them as well. Each
change of a conversation's tables takes those of it along.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from streamchat_nb.conversation.journal import Entry
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.store import StoredEvent, check_sequence
from streamchat_nb.errors import StreamchatError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from streamchat_nb.conversation.journal import Journal
    from streamchat_nb.conversation.store import Append

__all__ = ["Held", "HeldEvents", "Place"]

KNOWN = 4_096
"""Of how many conversations at least it is known where the next event goes."""
SLOW_S = 0.020
"""Two writes in turn that take longer: the disk is busy. One may be the processor's."""
REST_S = 1.0
"""How long such a disk is left to a thread, before it is tried again by one write."""


class Place(NamedTuple):
    """Where the next event of a conversation goes.

    Attributes:
        log: Identity of its log.
        head: ``seq`` of its last event.
    """

    log: str
    head: int


@dataclass(frozen=True)
class Held:
    """What is held of one conversation at one moment.

    Attributes:
        updated_ms: See ``Append``; of the last event.
        open_turns: See ``Append``; of the last event.
        events: In order, without a gap; at least one.
        durable: Whether some of them are to survive a loss of power, in the tables too.
        texts: See ``Append``; of these events.
    """

    updated_ms: int
    open_turns: int
    events: tuple[StoredEvent, ...]
    durable: bool = False
    texts: tuple[MessageText, ...] = ()

    @property
    def head(self) -> int:
        """``seq`` of the last event."""
        return self.events[-1].seq


@dataclass(slots=True)
class _Known:
    """A conversation.

    Attributes:
        log: See ``Entry``.
        head: ``seq`` of its last event, held or not; ``None`` while it is not certain.
        updated_ms: See ``Held``.
        open_turns: See ``Held``.
        events: What is held.
        files: In which file each of them is.
        durable: See ``Held``.
        texts: See ``Held``.
    """

    log: int
    head: int | None
    updated_ms: int = 0
    open_turns: int = 0
    events: list[StoredEvent] = field(default_factory=list[StoredEvent])
    files: list[int] = field(default_factory=list[int])
    durable: bool = False
    texts: list[MessageText] = field(default_factory=list[MessageText])

    def hold(self, file: int, entry: Entry, events: Sequence[StoredEvent]) -> None:
        self.events += events
        self.files += [file] * len(events)
        self.head = events[-1].seq
        self.updated_ms, self.open_turns = entry.updated_ms, entry.open_turns
        if entry.durable:
            self.durable = True
        if entry.texts:
            self.texts += entry.texts

    def held(self, count: int) -> Held:
        """Return the first events, so many; at least one."""
        events = tuple(self.events[:count])
        texts = tuple(text for text in self.texts if text.seq <= events[-1].seq)
        return Held(self.updated_ms, self.open_turns, events, self.durable, texts)


class HeldEvents:
    """Takes events into a journal and holds them. To be used on one event loop.

    Args:
        journal: Where they go; ``None``: nothing is taken.
        takes_events: Whether anything is taken beside what the journal has already.
    """

    def __init__(self, journal: Journal | None, *, takes_events: bool = True) -> None:
        self._journal = journal
        self._takes_events = takes_events
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._changing: Counter[str] = Counter()
        self._unforced: set[int] = set()
        self._file: int | None = None
        self._has_left_a_file = True  # as far as it is known
        self._was_slow = False
        self._rests_until_s = 0.0

    def restore(
        self, places: Mapping[str, Place], entries: Iterable[tuple[int, Entry]]
    ) -> None:
        """Hold what a journal still has and the tables have not. Before all else.

        Args:
            places: Of the conversations in the journal, as the tables have them.
            entries: All entries of the journal, with their files.
        """
        for name, place in places.items():
            self._known[name] = _Known(_number_of(place.log), place.head)
        for file, entry in sorted(entries, key=_first_seq):
            known = self._known.get(entry.conversation)
            if known is None or known.head is None or entry.log != known.log:
                continue
            fresh = [event for event in entry.events if event.seq > known.head]
            if fresh and fresh[0].seq == known.head + 1:
                known.hold(file, entry, fresh)
        if self._journal is not None:
            self._journal.keep(
                Counter(file for known in self._known.values() for file in known.files)
            )

    def take(self, batch: Sequence[Append]) -> bool:
        """Take a batch, whole or not at all; return whether it was taken.

        Only of conversations that are known and not being changed elsewhere, while
        the disk is quick.

        Args:
            batch: Each part ``is_plain``, and the only one of its conversation.

        Raises:
            StoreError: ``store_conflict``, a part does not continue its conversation.
        """
        if self._journal is None or not self._takes_events:
            return False
        entries: list[Entry] = []
        for part in batch:
            name = part.conversation
            known = self._known.get(name)
            if known is None or known.head is None or name in self._changing:
                return False
            check_sequence(name, known.head, part.events)
            events = part.events
            for event in events:
                if type(event.data) is not bytes:
                    events = [_copy(each) for each in events]
                    break
            entries.append(
                Entry(
                    name,
                    known.log,
                    part.updated_ms,
                    part.open_turns,
                    events,
                    part.durable,
                    part.texts,
                )
            )
        file = self._write(self._journal, entries)
        if file is None:
            return False
        if file != self._file:
            self._file, self._has_left_a_file = file, True
        for entry in entries:
            self._known[entry.conversation].hold(file, entry, entry.events)
            if entry.durable:
                self._unforced.add(file)
        return True

    @contextmanager
    def forcing(self) -> Generator[Callable[[], None] | None]:
        """Let the body force to the disk what was taken and is durable.

        Where the body does not end well, the next one has it to do again.

        Yields:
            What does it, by one call on any thread, and raises ``OSError`` where the
            disk does not take it; ``None`` where nothing is to be forced.
        """
        files, self._unforced = self._unforced, set()
        try:
            yield partial(_sync, self._journal, files) if files else None
        except BaseException:
            self._unforced |= files
            raise

    def of(self, *conversations: str) -> dict[str, Held]:
        """Return what is held now of some conversations, or of all where none is given.

        Those of which nothing is held are left out.
        """
        return {
            name: known.held(len(known.events))
            for name in conversations or self._known
            if (known := self._known.get(name)) is not None and known.events
        }

    def with_texts(self) -> dict[str, Held]:
        """Return what is held of conversations that would be searched in vain."""
        return {name: held for name, held in self.of().items() if held.texts}

    def durable(self) -> dict[str, Held]:
        """Return what is held of conversations that have something to force."""
        return {name: held for name, held in self.of().items() if held.durable}

    def in_the_way(self) -> dict[str, Held]:
        """Return what has to be moved before the journal has room again; mostly {}."""
        if not self._has_left_a_file:
            return {}
        file = None if self._journal is None else self._journal.to_be_emptied
        if file is None:
            self._has_left_a_file = False
            return {}
        found: dict[str, Held] = {}
        for name, known in self._known.items():
            if file in known.files:
                count = len(known.files) - known.files[::-1].index(file)
                found[name] = known.held(count)
        return found

    def release(self, moved: Mapping[str, Held]) -> None:
        """Let go of what the tables have by now."""
        for name, held in moved.items():
            if (known := self._known.get(name)) is not None:
                self._let_go(known, held.head)

    @contextmanager
    def changing(self, *conversations: str) -> Generator[dict[str, Place]]:
        """Take nothing of some conversations while their tables are changed.

        Yields:
            Where the body puts what they are like afterwards, what was held among it;
            one that is not put there is gone.
        """
        after: dict[str, Place] = {}
        self._changing.update(conversations)
        try:
            yield after
        except StreamchatError:
            raise  # nothing was changed
        except BaseException:
            for name in conversations:  # the change may come yet
                if name in self._known:
                    self._known[name].head = None
            raise
        else:
            for name in conversations:
                self._note(name, after.get(name))
        finally:
            self._changing.subtract(conversations)
            self._changing = +self._changing

    def close(self) -> None:
        """Take nothing any more, and close the journal. Idempotent."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _write(self, journal: Journal, entries: list[Entry]) -> int | None:
        began_s = time.monotonic()
        if began_s < self._rests_until_s or not entries:
            return None
        file = journal.write(entries)
        ended_s = time.monotonic()
        is_slow = ended_s - began_s > SLOW_S
        if is_slow and self._was_slow:
            self._rests_until_s = ended_s + REST_S
        self._was_slow = is_slow
        return file

    def _note(self, name: str, place: Place | None) -> None:
        """Note where a conversation stands after a change."""
        known = self._known.pop(name, None)
        if known is not None:
            self._let_go(known, None if place is None else place.head)
        if place is not None:
            self._known[name] = _Known(_number_of(place.log), place.head)
        while len(self._known) > KNOWN:
            oldest, known = self._known.popitem(last=False)
            if known.events:
                self._known[oldest] = known
                break

    def _let_go(self, known: _Known, seq: int | None) -> None:
        """Let go of a conversation's events up to a ``seq``, or of all."""
        count = 0
        for event in known.events:
            if seq is not None and event.seq > seq:
                break
            count += 1
        if self._journal is not None:
            for file, events in Counter(known.files[:count]).items():
                self._journal.release(file, events)
        del known.events[:count]
        del known.files[:count]
        if not known.events:
            known.durable = False
            known.texts.clear()


def _sync(journal: Journal | None, files: Iterable[int]) -> None:
    for file in files:
        if journal is not None:
            journal.sync(file)


def _copy(event: StoredEvent) -> StoredEvent:
    return StoredEvent(event.seq, bytes(event.data))


def _number_of(log: str) -> int:
    return zlib.crc32(log.encode())


def _first_seq(numbered: tuple[int, Entry]) -> int:
    return numbered[1].events[0].seq
