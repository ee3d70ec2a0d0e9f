"""Titles of conversations: given by people, or made of the first message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.errors import InvalidInput
from streamchat_nb.protocol.content import (
    DataBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
)

if TYPE_CHECKING:
    from streamchat_nb.protocol.content import UserBlock

__all__ = ["checked_title", "title_of"]

MOST_CHARACTERS = 200
MOST_FROM_MESSAGE = 60


def checked_title(title: str) -> str:
    """Return a title that a person gave, on one line.

    Raises:
        InvalidInput: It is too long.
    """
    title = " ".join(title.split())
    if len(title) > MOST_CHARACTERS:
        raise InvalidInput(f"A title has at most {MOST_CHARACTERS} characters.")
    return title


def title_of(content: list[UserBlock]) -> str:
    """Return a title for a conversation that begins with this message."""
    line = " ".join(_words(content).split())
    if len(line) <= MOST_FROM_MESSAGE:
        return line
    return line[:MOST_FROM_MESSAGE].rsplit(" ", 1)[0] + "…"


def _words(content: list[UserBlock]) -> str:
    text = " ".join(block.text for block in content if isinstance(block, TextBlock))
    if text.strip():
        return text
    for block in content:
        match block:
            case (
                ImageBlock(alt=name) | DocumentBlock(title=name) | DataBlock(name=name)
            ):
                return name
            case TextBlock():
                pass
    return ""
