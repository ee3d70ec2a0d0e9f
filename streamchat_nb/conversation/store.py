"""Where conversations are kept: the interface of stores, and their values.

A store keeps numbered events as bytes and one record for each conversation. It knows
nothing of what an event says. The log above it hands out the numbers; the store makes
sure that none is skipped or used twice, and that what it has accepted is there.

Another store passes ``streamchat_nb.testing.store_conformance`` to be usable here.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streamchat_nb.conversation.search import MessageText, Search
from streamchat_nb.errors import StoreError

__all__ = [
    "Append",
    "ConversationRecord",
    "ListPosition",
    "Marks",
    "SearchHit",
    "Store",
    "StoredEvent",
    "check_dropped",
    "check_sequence",
    "hit_of",
    "no_such_conversation",
    "store_closed",
]


class ListPosition(NamedTuple):
    """Where a conversation is in a list: these values, the highest first."""

    pinned: bool
    updated_ms: int
    id: str


@dataclass(frozen=True, kw_only=True)
class ConversationRecord:
    """What a store knows about a conversation without reading its events.

    Attributes:
        id: The conversation's public id.
        log: Random identity of the log, 128 bits in hex. Another log under the same
            id has another identity.
        owner: The principal that the conversation belongs to.
        title: Shown in lists, and searched.
        created_ms: When it was made, milliseconds since the epoch.
        updated_ms: When it was last appended to, milliseconds since the epoch.
        head: ``seq`` of the last event, 0 when there is none.
        open_turns: How many turns were queued or running after the last append.
        pinned: Whether it is listed before those that are not.
        archived: Whether it is kept out of the usual list.
        deleted_ms: When it was put into the trash, milliseconds since the epoch; 0
            for one that is not there.
        read_seq: Up to where its owner has read it.
        answer_seq: ``seq`` of the last finished answer that has text, 0 before.
    """

    id: str
    log: str
    owner: str
    title: str
    created_ms: int
    updated_ms: int
    head: int = 0
    open_turns: int = 0
    pinned: bool = False
    archived: bool = False
    deleted_ms: int = 0
    read_seq: int = 0
    answer_seq: int = 0

    @property
    def unread(self) -> bool:
        """Whether there is an answer that its owner has not read."""
        return self.answer_seq > self.read_seq

    @property
    def position(self) -> ListPosition:
        """Where it is in a list."""
        return ListPosition(self.pinned, self.updated_ms, self.id)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What changes of a record beside its log; ``None`` stays as it is.

    Attributes:
        pinned: See ``ConversationRecord``.
        archived: See ``ConversationRecord``.
        deleted_ms: See ``ConversationRecord``.
        read_seq: A lower one than there is changes nothing.
    """

    pinned: bool | None = None
    archived: bool | None = None
    deleted_ms: int | None = None
    read_seq: int | None = None


class SearchHit(NamedTuple):
    """A conversation that a search has found.

    Attributes:
        record: Its record.
        title: Its title in pieces: outside of a hit, a hit, outside, and so on.
        snippet: The same of a piece of the latest message that has all the words; empty
            where only the title has them.
        message: Id of that message; empty where there is none.
    """

    record: ConversationRecord
    title: list[str]
    snippet: list[str]
    message: str


class StoredEvent(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """One event as it is kept: its number and its encoded form.

    There are hundred thousands of them. A collector of garbage that looks at each stops
    the event loop for a tenth of a second; this one it leaves out.
    """

    seq: int
    data: bytes


class Append(msgspec.Struct, kw_only=True):
    """One conversation's part of a batch.

    Attributes:
        conversation: The conversation's id.
        events: Events numbered on from the conversation's head without a gap. May be
            empty, when only the record changes.
        updated_ms: The record's new time, milliseconds since the epoch.
        durable: Whether the events must survive a loss of power, not only the end of
            the process. One durable part makes the whole batch durable.
        title: The record's new title; ``None`` keeps the old one.
        open_turns: How many turns are queued or running after this batch.
        dropped: First and last ``seq`` of events that need not be kept any longer, of
            this part or written before; in order, apart from each other, and never
            with the conversation's last event.
        texts: Messages that are finished with these events, to be searched.
    """

    conversation: str
    events: list[StoredEvent]
    updated_ms: int
    durable: bool = False
    title: str | None = None
    open_turns: int = 0
    dropped: Sequence[tuple[int, int]] = ()
    texts: list[MessageText] = []

    @property
    def is_plain(self) -> bool:
        """Whether it only adds events, and texts of people at most."""
        more = self.title is not None or self.dropped
        if more or not self.events:
            return False
        return not self.texts or not any(text.is_answer for text in self.texts)


class Store(ABC):
    """Keeps conversations. Every method belongs to the event loop that opened it.

    All methods but ``open`` and ``close`` raise ``StoreError`` with the code
    ``store_closed`` on a store that is not open, and a retryable ``StoreError`` when
    the store cannot serve now; it recovers by itself once the cause is gone.

    Cancelling a wait never harms the store. A cancelled ``create``, ``append`` or
    ``delete`` may or may not have taken effect, as one whole; who must know the
    outcome awaits it under ``asyncio.shield``.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the data is, for people: ``"memory"`` or a path."""

    @property
    def notice(self) -> str | None:
        """What a person should know about how the store was opened, if anything."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """Make the store ready. Call it once, before anything else.

        Raises:
            StoreError: It cannot be opened; the message says what to do.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what was accepted and let go of everything. Idempotent."""

    @abstractmethod
    async def create(
        self, record: ConversationRecord, events: Sequence[StoredEvent]
    ) -> None:
        """Add a conversation with its first events, durably.

        Args:
            record: The new record. Its ``head`` is taken from ``events``.
            events: The first events, numbered from 1 without a gap. May be empty.

        Raises:
            Conflict: There is a conversation with this id.
            StoreError: Nothing was written; ``store_conflict`` for wrong numbers.
        """

    @abstractmethod
    async def append(self, batch: Sequence[Append]) -> None:
        """Write a batch: all of it or nothing. When it returns, all of it is readable.

        A conversation may have several parts, in their order. The sequences given must
        not change until the call has returned. What a part has ``dropped`` is not read
        again; the numbers of the other events stay.

        Raises:
            StoreError: Nothing was written or dropped. The code is ``store_conflict``,
                not retryable, when a conversation does not exist, its events do not
                continue from its head or what is dropped is not in order, and
                ``store_full`` when there is no room.
        """

    def append_now(self, batch: Sequence[Append]) -> bool:
        """Write a batch as ``append`` does, if that takes no time; else do nothing.

        What is ``durable`` of it survives the end of the process by then, and a loss of
        power after ``sync``.

        Args:
            batch: Parts that are ``is_plain``, each the only one of its conversation.

        Returns:
            Whether it is written. A store need not be able to do so, ever.

        Raises:
            StoreError: As ``append`` for what is wrong with the batch.
        """
        del batch
        return False

    async def sync(self) -> None:  # noqa: B027 - nothing to do where nothing is taken
        """Wait until what ``append_now`` has taken so far survives a loss of power.

        Of parts that are ``durable``, and of what came before them.

        Raises:
            StoreError: It does not yet; it is written and readable all the same. The
                next call tries again.
        """

    @abstractmethod
    async def read(
        self,
        conversation: str,
        after: int,
        *,
        limit_events: int = 2_000,
        limit_bytes: int = 1_048_576,
    ) -> list[StoredEvent]:
        """Return events with ``seq > after``, in order and without those dropped.

        Args:
            conversation: The conversation's id. An unknown one has no events.
            after: A ``seq``; 0 reads from the beginning.
            limit_events: Most events returned.
            limit_bytes: Most bytes of data returned, except that the first event is
                returned whatever its size.
        """

    @abstractmethod
    async def get(self, conversation: str) -> ConversationRecord | None:
        """Return a conversation's record, or ``None`` when there is none."""

    @abstractmethod
    async def delete(self, conversation: str) -> bool:
        """Delete a conversation and its events; return whether there was one."""

    @abstractmethod
    async def unfinished(self) -> list[str]:
        """Return the ids of conversations with open turns, sorted."""

    @abstractmethod
    async def mark(self, conversation: str, marks: Marks) -> bool:
        """Change a record beside its log, durably; return whether there was one."""

    @abstractmethod
    async def deleted_before(self, time_ms: int, *, limit: int = 100) -> list[str]:
        """Return ids of what was put into the trash before a time, the oldest first."""

    @abstractmethod
    async def unindexed(self, *, limit: int = 100) -> list[str]:
        """Return ids of conversations whose messages cannot be found yet, sorted.

        Those are conversations of before there was a search; see ``index``.
        """

    @abstractmethod
    async def index(
        self, conversation: str, texts: Sequence[MessageText], *, is_whole: bool
    ) -> None:
        """Let old messages be found. A text that is newer than one of these stays.

        Args:
            conversation: Its id; nothing happens where there is none.
            texts: Some of its messages, as far as they were read.
            is_whole: Whether these were the last ones.
        """

    @abstractmethod
    async def search(
        self,
        owner: str,
        text: str,
        *,
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
        before: ListPosition | None = None,
    ) -> list[SearchHit]:
        """Return conversations whose title, or one of whose messages, ``text`` finds.

        They are in the order of ``list``, whose other arguments are the same.

        Args:
            owner: Whose conversations.
            text: What ``Search`` makes of it; any text at all.
            archived: Whether they are archived; ``None`` for both.
            deleted: Whether they are in the trash.
            limit: Most conversations returned.
            before: ``position`` of the last one of the page before.
        """

    # Last in the class: below it, ``list`` is this method and no longer the type.
    @abstractmethod
    async def list(
        self,
        owner: str,
        *,
        archived: bool | None = None,
        deleted: bool = False,
        limit: int = 50,
        before: ListPosition | None = None,
    ) -> list[ConversationRecord]:
        """Return an owner's records: the pinned first, then the last updated.

        Args:
            owner: Whose conversations.
            archived: Whether they are archived; ``None`` for both.
            deleted: Whether they are in the trash.
            limit: Most records returned.
            before: Continue a list after its last record, given by that record's
                ``position``. A record that does not change between two pages is
                neither repeated nor left out.
        """


def check_sequence(conversation: str, head: int, events: Sequence[StoredEvent]) -> None:
    """Check that ``events`` continue a conversation whose last event is ``head``.

    Raises:
        StoreError: ``store_conflict``, they do not.
    """
    for expected, event in enumerate(events, head + 1):
        if event.seq != expected:
            raise StoreError(
                f"Event {event.seq} was offered where {expected} comes next; "
                "nothing was written. Read the conversation's head again.",
                code="store_conflict",
                retryable=False,
                details={"conversation": conversation, "head": head},
            )


def check_dropped(
    conversation: str, head: int, dropped: Sequence[tuple[int, int]]
) -> None:
    """Check that ranges are in order and keep a conversation's last event, ``head``.

    Raises:
        StoreError: ``store_conflict``, they do not.
    """
    before = 0
    for first, last in dropped:
        if not before < first <= last < head:
            raise StoreError(
                f"Events {first} to {last} cannot be dropped after {before} from a "
                f"conversation whose last event is {head}; nothing was written.",
                code="store_conflict",
                retryable=False,
                details={"conversation": conversation, "head": head},
            )
        before = last


def no_such_conversation(conversation: str) -> StoreError:
    """Return the error of an append to a conversation that is not there."""
    return StoreError(
        "The conversation does not exist or was deleted; nothing was written.",
        code="store_conflict",
        retryable=False,
        details={"conversation": conversation},
    )


def store_closed() -> StoreError:
    """Return the error of a store that is not open."""
    return StoreError("The store is not open.", code="store_closed", retryable=False)


def hit_of(
    search: Search, record: ConversationRecord, latest: MessageText | None
) -> SearchHit:
    """Return a found conversation as it is shown.

    Args:
        search: What found it.
        record: Its record.
        latest: The latest of its messages that were found, if there is one.
    """
    return SearchHit(
        record,
        search.marked(record.title),
        [] if latest is None else search.snippet(latest.text),
        "" if latest is None else latest.message,
    )
