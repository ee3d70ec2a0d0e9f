"""The messages that were sent to a conversation, so that each is in it once."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streamchat_nb.errors import Conflict, UsageError
from streamchat_nb.protocol.codec import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.protocol.content import ContentBlock

__all__ = ["Receipt", "SentMessage", "SentMessages", "digest_of"]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a ``send`` gave: where its message stands and which turn answers it."""

    seq: int
    message: str
    turn: str
    duplicate: bool = False


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message that was accepted; ``digest`` is ``None`` when it is not known."""

    digest: bytes | None
    message: str
    turn: str
    committed: asyncio.Future[int]


class SentMessages:
    """Remembers messages by the ids that their clients gave them.

    Args:
        log: The conversation's log; what is in it was sent.
    """

    def __init__(self, log: ConversationLog) -> None:
        self._log = log
        self._sent: dict[str, SentMessage] = {}
        self._restore()

    def add(self, client_message_id: str, sent: SentMessage) -> None:
        """Remember a message that is about to be written."""
        self._sent[client_message_id] = sent

    def forget(self, client_message_id: str) -> None:
        """Forget a message that could not be written."""
        self._sent.pop(client_message_id, None)

    async def repeated(
        self, client_message_id: str, digest: bytes, parent: str | None
    ) -> Receipt | None:
        """Return the receipt of the same message; ``None`` where it is a new one.

        Args:
            client_message_id: What its client calls it.
            digest: Of its content, as ``digest_of``.
            parent: The message that it follows; ``None`` where that was left open.

        Raises:
            Conflict: The id came before with another message
                (``idempotency_mismatch``).
            StoreError: That one could not be written.
        """
        known = self._sent.get(client_message_id)
        if known is None:
            return None
        state = self._log.fold.message(known.message)
        moved = parent is not None and state is not None and state.parent != parent
        if moved or (known.digest is not None and known.digest != digest):
            raise Conflict(
                "This client_message_id was used for another message; use a fresh one.",
                code="idempotency_mismatch",
            )
        seq = await asyncio.shield(known.committed)
        return Receipt(
            seq=seq - 1, message=known.message, turn=known.turn, duplicate=True
        )

    def _restore(self) -> None:
        for message in self._log.state.messages:
            if message.client_message_id is None or message.turn is None:
                continue
            committed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            committed.set_result(self._log.head)
            content = [b.content for b in message.blocks if b.content is not None]
            # What was edited meanwhile was another message when it was sent.
            digest = digest_of(content, message.output_schema)
            self._sent[message.client_message_id] = SentMessage(
                digest=None if message.edited else digest,
                message=message.message,
                turn=message.turn,
                committed=committed,
            )


def digest_of(
    content: Sequence[ContentBlock], output_schema: dict[str, Any] | None
) -> bytes:
    """Return what is the same for the same question.

    Raises:
        UsageError: There is no content.
    """
    if not content:
        raise UsageError("a message needs content")
    wanted = b"" if output_schema is None else encode(output_schema)
    return hashlib.sha256(encode(content) + wanted).digest()
