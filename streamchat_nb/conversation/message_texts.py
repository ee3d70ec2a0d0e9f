"""What of an event is text that people read, and so may search for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.conversation.search import MessageText
from streamchat_nb.protocol.content import (
    DataBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)
from streamchat_nb.protocol.events import (
    MessageCompleted,
    MessageCreated,
    MessageEdited,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.protocol.content import ContentBlock

__all__ = ["message_text"]

MOST_CHARACTERS = 200_000
"""How much of one message can be found."""


def message_text(event: object) -> MessageText | None:
    """Return the text of a message that is finished with ``event``, if it has any."""
    match event:
        case MessageCreated(role="user", content=list(content)):
            is_answer = False
        case MessageEdited(content=content):
            is_answer = False
        case MessageCompleted(content=content):
            is_answer = True
        case _:
            return None
    text = _words(content)
    if not text.strip():
        return None
    return MessageText(event.message, event.seq, text[:MOST_CHARACTERS], is_answer)


def _words(content: Sequence[ContentBlock]) -> str:
    words: list[str] = []
    for block in content:
        match block:
            case (
                TextBlock(text=text)
                | ImageBlock(alt=text)
                | DocumentBlock(title=text)
                | DataBlock(name=text)
            ):
                words.append(text)
            case _:
                pass
    return "\n".join(words)
