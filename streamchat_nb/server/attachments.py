"""What messages may hold, and the files that people attach to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.conversation.artifacts import Artifact
from streamchat_nb.errors import InvalidInput, NotFound, TooLarge
from streamchat_nb.protocol.content import (
    DataBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.artifacts import ArtifactStore
    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import UserBlock
    from streamchat_nb.protocol.limits import Limits

__all__ = ["Attachments"]

_FILES = (ImageBlock, DocumentBlock)
MOST_HISTORY_BYTES = 25_165_824
"""Of all attached files, so much goes to a model, the newest first."""


class Attachments:
    """Takes files, checks that messages only name those, gives them to turns.

    Args:
        store: Where they are kept.
        limits: How large files and messages may be.
    """

    def __init__(self, store: ArtifactStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    async def keep(self, conversation: str, name: str, data: bytes) -> Artifact:
        """Keep a file of a conversation; the same file again is the same artifact.

        Raises:
            InvalidInput: It is empty or of a kind that is not taken.
            TooLarge: It is over the limit, or the conversation's files are.
            StoreError: It could not be written.
        """
        most = self._limits.artifact_bytes
        if len(data) > most:
            raise TooLarge(
                f"The file has {len(data)} bytes; at most {most} are accepted.",
                details={"artifact_bytes": most},
            )
        artifact = Artifact.of(name, data)
        await self._store.put(conversation, artifact)
        return artifact

    async def get(self, conversation: str, artifact: str) -> Artifact:
        """Return a file of a conversation.

        Raises:
            NotFound: There is none.
            StoreError: It could not be read.
        """
        found = await self._store.get(conversation, artifact)
        if found is None:
            raise NotFound("This conversation has no such file. Attach it again.")
        return found

    async def delete(self, conversation: str) -> None:
        """Delete all files of a conversation.

        Raises:
            StoreError: Not all of them could be deleted.
        """
        await self._store.delete(conversation)

    async def check(self, conversation: str, content: Sequence[UserBlock]) -> None:
        """Check the content of a user's message.

        Raises:
            InvalidInput: It says nothing, or a file is not what the block says.
            NotFound: A file was not attached to this conversation.
            TooLarge: Its text is over the limit.
        """
        size = 0
        says_something = False
        for block in content:
            match block:
                case ImageBlock() | DocumentBlock():
                    says_something = True
                    await self._check_file(conversation, block)
                case DataBlock() | TextBlock():
                    size += len(block.text.encode("utf-8", "surrogatepass"))
                    is_text = isinstance(block, TextBlock)
                    says_something |= is_text and bool(block.text.strip())
        if not says_something:
            raise InvalidInput("The message is empty; write something.")
        most = self._limits.message_bytes
        if size > most:
            raise TooLarge(
                f"The message has {size} bytes; at most {most} are accepted. Shorten "
                "it or send it in parts.",
                details={"message_bytes": most},
            )

    async def of_history(
        self, conversation: str, state: ConversationState
    ) -> dict[str, Artifact]:
        """Return the files of a conversation's messages by id, the newest that fit.

        Raises:
            StoreError: One could not be read.
        """
        found: dict[str, Artifact] = {}
        size = 0
        attached = [
            block.content
            for message in state.messages
            if message.role == "user"
            for block in message.blocks
            if isinstance(block.content, _FILES)
        ]
        for block in reversed(attached):
            artifact = await self._store.get(conversation, block.artifact)
            if artifact is None or artifact.id in found:
                continue
            size += len(artifact.data)
            if size > MOST_HISTORY_BYTES:
                break
            found[artifact.id] = artifact
        return found

    async def _check_file(
        self, conversation: str, block: ImageBlock | DocumentBlock
    ) -> None:
        artifact = await self.get(conversation, block.artifact)
        is_image = artifact.media_type.startswith("image/")
        if (
            block.media_type != artifact.media_type
            or isinstance(block, ImageBlock) != is_image
        ):
            raise InvalidInput(
                f"{artifact.name} is {artifact.media_type}; send it as "
                f"{'an image' if is_image else 'a document'} block that says so.",
                details={"media_type": artifact.media_type},
            )
