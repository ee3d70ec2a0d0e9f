"""The conversations of people as a list: found, marked, put into the trash and back.

What happens in a conversation is the service's; here is what is kept beside its log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamchat_nb.conversation.message_texts import message_text
from streamchat_nb.conversation.store import Marks, SearchHit
from streamchat_nb.errors import NotFound, StreamchatError
from streamchat_nb.protocol.codec import decode_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from streamchat_nb.conversation.store import (
        ConversationRecord,
        ListPosition,
        Store,
    )
    from streamchat_nb.server.principal import Principal

__all__ = ["ConversationList", "ListChoice", "not_found"]

logger = logging.getLogger(__name__)

DAY_MS = 86_400_000
MOST_LISTED = 200
UPKEEP_EVERY_S = 3_600.0
UPKEEP_STEP = 100
"""How many conversations are looked at in one step."""
UPKEEP_PAUSE_S = 0.05
"""Between two steps, so that what people do goes first."""


@dataclass(frozen=True, kw_only=True)
class ListChoice:
    """Which conversations are listed.

    Attributes:
        query: What is searched for, as ``Search`` takes it; empty for all.
        archived: Whether they are archived; ``None`` for both.
        deleted: Whether they are in the trash.
        limit: Most listed, 1 to 200.
        before: ``position`` of the last one of the page before.
    """

    query: str = ""
    archived: bool | None = None
    deleted: bool = False
    limit: int = 50
    before: ListPosition | None = None


class ConversationList:
    """The list, and the task that keeps it: between ``start`` and ``stop``.

    Args:
        store: An open store, once it is started.
        trash_days: How long a conversation stays in the trash; 0: there is no trash.
        erase: Deletes a conversation that is not in use, for good.
    """

    def __init__(
        self,
        store: Store,
        *,
        trash_days: float,
        erase: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._trash_days = trash_days
        self._erase = erase
        self._upkeep: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to index what cannot be found yet, and to empty the trash."""
        self._upkeep = asyncio.get_running_loop().create_task(
            self._keep(), name="keep the list of conversations"
        )

    async def stop(self) -> None:
        """End the task; what it has not done comes with the next start. Idempotent."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.wait({self._upkeep})

    @property
    def has_trash(self) -> bool:
        """Whether what is deleted can be restored for some time."""
        return self._trash_days > 0

    async def page(
        self, principal: Principal, choice: ListChoice | None = None
    ) -> list[SearchHit]:
        """Return conversations of a principal: the pinned first, then the last updated.

        Without a search nothing is marked in their titles, and there are no snippets.

        Raises:
            StoreError: They could not be read.
        """
        choice = choice or ListChoice()
        limit = min(MOST_LISTED, max(1, choice.limit))
        if choice.query.strip():
            return await self._store.search(
                principal.id,
                choice.query,
                archived=choice.archived,
                deleted=choice.deleted,
                limit=limit,
                before=choice.before,
            )
        records = await self._store.list(
            principal.id,
            archived=choice.archived,
            deleted=choice.deleted,
            limit=limit,
            before=choice.before,
        )
        return [SearchHit(record, [record.title], [], "") for record in records]

    async def record(
        self, principal: Principal, conversation: str, *, in_trash: bool = False
    ) -> ConversationRecord:
        """Return what is known of a conversation beside its log.

        Args:
            principal: Whose.
            conversation: Which one.
            in_trash: Whether it may be in the trash.

        Raises:
            NotFound: There is none, or it is somebody else's; or it is in the trash
                (``conversation_deleted``).
            StoreError: It could not be read.
        """
        record = await self._store.get(conversation)
        if record is None or record.owner != principal.id:
            raise not_found()
        if record.deleted_ms and not in_trash:
            raise NotFound(
                "This conversation was deleted. Restore it from the trash to go on.",
                code="conversation_deleted",
            )
        return record

    async def mark(
        self, principal: Principal, conversation: str, marks: Marks
    ) -> ConversationRecord:
        """Pin, archive, or note up to where a conversation was read.

        Raises:
            NotFound: As ``record``.
            StoreError: It could not be written.
        """
        record = await self.record(principal, conversation)
        if marks.read_seq is not None:
            read_seq = min(marks.read_seq, record.head)
            marks = Marks(
                pinned=marks.pinned, archived=marks.archived, read_seq=read_seq
            )
        await asyncio.shield(self._store.mark(conversation, marks))
        return await self.record(principal, conversation, in_trash=True)

    async def put_into_trash(self, conversation: str) -> None:
        """Note that a conversation that is not in use any more was deleted now."""
        now_ms = time.time_ns() // 1_000_000
        await asyncio.shield(self._store.mark(conversation, Marks(deleted_ms=now_ms)))

    async def restore(
        self, principal: Principal, conversation: str
    ) -> ConversationRecord:
        """Take a conversation out of the trash; one that is not there stays as it is.

        Raises:
            NotFound: There is none, or it is somebody else's.
            StoreError: It could not be written.
        """
        await self.record(principal, conversation, in_trash=True)
        await asyncio.shield(self._store.mark(conversation, Marks(deleted_ms=0)))
        return await self.record(principal, conversation)

    # upkeep

    async def _keep(self) -> None:
        while True:
            try:
                await self._index()
                await self._empty_trash()
            except StreamchatError as error:
                logger.warning("The list of conversations: %s", error.message)
            await asyncio.sleep(UPKEEP_EVERY_S)

    async def _index(self) -> None:
        """Let conversations of before there was a search be found, one by one."""
        while unindexed := await self._store.unindexed(limit=UPKEEP_STEP):
            for conversation in unindexed:
                await self._index_one(conversation)

    async def _index_one(self, conversation: str) -> None:
        after = 0
        while events := await self._store.read(conversation, after):
            read = (message_text(decode_event(event.data)) for event in events)
            texts = [text for text in read if text is not None]
            await self._store.index(conversation, texts, is_whole=False)
            after = events[-1].seq
            await asyncio.sleep(UPKEEP_PAUSE_S)
        await self._store.index(conversation, [], is_whole=True)

    async def _empty_trash(self) -> None:
        """Delete for good what has been in the trash for long enough."""
        now_ms = time.time_ns() // 1_000_000
        limit_ms = now_ms - round(self._trash_days * DAY_MS)
        while expired := await self._store.deleted_before(limit_ms, limit=UPKEEP_STEP):
            for conversation in expired:
                await self._erase(conversation)
                await asyncio.sleep(UPKEEP_PAUSE_S)


def not_found() -> NotFound:
    """Return the error of a conversation that is not there, or somebody else's."""
    return NotFound(
        "There is no such conversation here; it may have been deleted. Start a new one."
    )
