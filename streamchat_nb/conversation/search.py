"""What a search finds in a text, and the piece of it that shows where.

A search is words apart by spaces. A text is found when each of them is a part of it,
whatever their order: in any case, with or without diacritics, in any script. So a part
of a word finds it, and scripts without spaces need none. Nothing in a search has a
meaning of its own: there is no syntax, and so no wrong one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MARKED_CHARACTERS", "MessageText", "Search", "folded"]

MOST_WORDS = 16
"""How many words of a search count; the others are left out."""
MARKED_CHARACTERS = 160
"""About how long a piece that shows a hit is."""
BEFORE_HIT = 40
"""About how much of it comes before the first hit."""
TRIGRAM = 3

# What of markdown is no word: lines of fences and under a table's head, marks before a
# line, links' addresses, and marks within a line that stand at the edge of a word.
_MARKS = re.compile(
    r"^[ \t>]*+(?:(?:`{3,}|~{3,}).*$|(?=.*---)[-|:= \t]++$"
    r"|#{1,6}[ \t]|[-*+][ \t](?:\[[ xX]\][ \t])?)?"
    r"|!?\[(?=[^]\n]{1,200}\]\()|\]\([^()\s]{1,500}\)"
    r"|`+|~~|(?<![a-zA-Z0-9])\*\*|\*\*(?![a-zA-Z0-9])"
    r"|(?<![\w*])\*(?=\w)|(?<=[\w.!?:])\*(?![\w*])"
    r"|(?<!\w)_{1,2}(?=[^\W_])|(?<=[^\W_])_{1,2}(?!\w)|(?<!\S)\|(?!\S)",
    re.MULTILINE,
)

# Signs that make another letter, not the same one with an accent: of Indic scripts, of
# kana, and what joins consonants.
_LETTER_SIGNS = frozenset((7, 8, 9))


class MessageText(NamedTuple):
    """What people read of a finished message, to be searched.

    Attributes:
        message: Its id. A later text of the same message takes the place of this one.
        seq: The event that it is from.
        text: As it was written.
        is_answer: Whether an agent wrote it: such a one is new to its reader.
    """

    message: str
    seq: int
    text: str
    is_answer: bool = False


def folded(text: str) -> str:
    """Return ``text`` in the form in which texts are compared for a search."""
    if text.isascii():
        return text.lower().replace("\0", " ")
    return "".join(map(_folded_character, text))


@lru_cache(maxsize=8_192)
def _folded_character(character: str) -> str:
    if character == "\0" or "\ud800" <= character <= "\udfff":
        return " "
    kept = [
        one
        for one in unicodedata.normalize("NFKD", character)
        if unicodedata.combining(one) in _LETTER_SIGNS or not unicodedata.combining(one)
    ]
    return "".join(kept).casefold()


class Search:
    """The words of a search.

    Args:
        text: What somebody typed: any text at all. Without a word it finds everything.

    Attributes:
        words: What each found text has in it, folded, without repetitions.
    """

    def __init__(self, text: str) -> None:
        words = dict.fromkeys(folded(text).split())
        self.words: Sequence[str] = tuple(words)[:MOST_WORDS]

    def finds(self, text: str) -> bool:
        """Return whether all words are in ``text``."""
        return _has_all(text, self.words)

    def trigrams(self) -> list[str]:
        """Return three characters after each other of each word that has as many."""
        found = {
            word[start : start + TRIGRAM]: None
            for word in self.words
            for start in range(len(word) - TRIGRAM + 1)
        }
        return list(found)

    def marked(self, text: str) -> list[str]:
        """Return ``text`` in pieces: outside of a hit, a hit, outside, and so on.

        The first piece is outside, if only an empty one. White space is as one space.
        """
        return self._pieces(" ".join(text.split()))

    def snippet(self, text: str) -> list[str]:
        """Return the piece of ``text`` around its first hit, as ``marked`` does.

        ``…`` stands for what is left out before and after. The marks of markdown are
        left out, too, except where the search is for them.
        """
        plain = _MARKS.sub("", text)
        if _has_all(plain, self.words):
            text = plain
        text = " ".join(text.split())
        spans = _spans(text, self.words)
        first = spans[0][0] if spans else 0
        start = 0
        if first > BEFORE_HIT:
            start = text.find(" ", first - BEFORE_HIT, first) + 1 or first - BEFORE_HIT
        end = start + MARKED_CHARACTERS
        if end < len(text) and (space := text.rfind(" ", end - BEFORE_HIT, end)) > 0:
            end = space
        pieces = self._pieces(text[start:end])
        if start > 0:
            pieces[0] = "…" + pieces[0]
        if end < len(text):
            pieces += ["…"] if len(pieces) % 2 == 0 else []
            pieces[-1] += "" if pieces[-1].endswith("…") else "…"
        return pieces

    def _pieces(self, text: str) -> list[str]:
        pieces: list[str] = []
        shown = 0
        for start, end in _spans(text, self.words):
            pieces += [text[shown:start], text[start:end]]
            shown = end
        return [*pieces, text[shown:]]


def _has_all(text: str, words: Sequence[str]) -> bool:
    text = folded(text)
    return all(word in text for word in words)


def _spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Return where words are in ``text``, in order and apart from each other."""
    parts = [_folded_character(each) for each in text]
    places = [index for index, part in enumerate(parts) for _ in part]
    whole = "".join(parts)
    found: list[tuple[int, int]] = []
    for word in words:
        at = whole.find(word)
        while at >= 0:
            end = places[at + len(word) - 1] + 1
            while end < len(parts) and not parts[end]:  # an accent of the last letter
                end += 1
            found.append((places[at], end))
            at = whole.find(word, at + len(word))
    spans: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
