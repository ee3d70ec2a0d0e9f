"""Titles of conversations: given by people, or made of the first message."""

from __future__ import annotations

import re
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
MOST_READ = 1_000
"""How much of a message is looked at for a title."""


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
    """Return a title for a conversation that begins with this message.

    It is the message's first words, without Markdown's marks and a command such as
    ``/ask`` before them, cut after a word.
    """
    text = _words(content)
    line = " ".join(_plain(text).split()) or " ".join(text.split())
    if len(line) <= MOST_FROM_MESSAGE:
        return line
    cut = line[: MOST_FROM_MESSAGE + 1]
    words, space, _ = cut.rpartition(" ")
    if len(words) < MOST_FROM_MESSAGE // 2 or not space:
        words = cut[:-1]  # one long word, or a script without spaces
    return words.rstrip(" ,;:-([{\u2013\u2014") + "…"


_MARKS = (
    (re.compile(r"^\s*/[a-z][\w-]*(?=\s)"), ""),  # a command
    (re.compile(r"^[ \t]*(```|~~~).*$", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(#{1,6}|>|[-*+]|\d{1,9}[.)])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)"), r"\1"),
    (re.compile(r"(\*\*\*|\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)([*_])(?=\S)([^*_\n]+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"(`+)([^`\n]+)\1"), r"\2"),
)


def _plain(text: str) -> str:
    """Return the beginning of a text without the marks of Markdown."""
    text = text.strip()[:MOST_READ]
    for pattern, kept in _MARKS:
        text = pattern.sub(kept, text)
    return text


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
