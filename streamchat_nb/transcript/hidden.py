"""Characters that a reader cannot see but a machine reads, shown as what they are.

The same rules as in the chat (``frontend/src/markdown/hidden.ts``): format and tag
characters, bidirectional controls, blanks that look like nothing, private and broken
characters and piles of combining marks become a mark that counts them; control
characters become their pictures.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

__all__ = ["Stretch", "remove_hidden", "show_controls", "show_hidden", "split_hidden"]

_ORDINARY_TEXT = re.compile(r"[\n -~]*\Z")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MOST_MARKS = 8
_LAST_MARK = 0x1F000
"""Combining marks are below this, apart from those that are hidden anyway."""

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\U000f0000-\U0010ffff"
)
# Parts of emoji and of scripts that need them are visible by what they do.
_JOINED_EMOJI = re.compile(r"(?:\ufe0f|\ufe0f?\u200d)\Z")
_EMOJI = re.compile(
    r"[#*0-9\xa9\xae\u203c-\u3299\U0001f000-\U0001faff]",
)
_JOINER = re.compile(r"[\u200c\u200d]\Z")
_SCRIPT_WITH_JOINERS = re.compile(
    r"[\u0600-\u06ff\u0750-\u077f\u08a0-\u0dff\u1000-\u109f\u1780-\u17ff"
    r"\ufb50-\ufdff\ufe70-\ufefc]"
)


@dataclass(frozen=True)
class Stretch:
    """A part of a text, either to be shown as it is or hidden."""

    hidden: bool
    text: str


def split_hidden(text: str) -> list[Stretch]:
    """Split text into stretches that together are the text."""
    if _ORDINARY_TEXT.match(text):
        return [Stretch(hidden=False, text=text)] if text else []
    stretches: list[Stretch] = []
    shown_from = 0
    for found in _hidden().finditer(text):
        start, end = found.span()
        if _is_ordinary(found[0], text[start - 1 : start]):
            continue
        if start > shown_from:
            stretches.append(Stretch(hidden=False, text=text[shown_from:start]))
        stretches.append(Stretch(hidden=True, text=found[0]))
        shown_from = end
    if shown_from < len(text):
        stretches.append(Stretch(hidden=False, text=text[shown_from:]))
    return stretches


def show_controls(text: str) -> str:
    """Return ``text`` with line ends made uniform and control characters visible.

    Line ends and tabs stay; each other control character becomes its picture.
    """
    return _CONTROLS.sub(_picture, text.replace("\r\n", "\n"))


def show_hidden(text: str) -> str:
    """Return ``text`` as plain text that shows all there is in it."""
    return "".join(
        _mark(stretch.text) if stretch.hidden else stretch.text
        for stretch in split_hidden(show_controls(text))
    )


def remove_hidden(text: str) -> str:
    """Return one line of ``text`` without what is hidden, for names and labels."""
    shown = "".join(
        stretch.text
        for stretch in split_hidden(show_controls(text))
        if not stretch.hidden
    )
    return " ".join(shown.split())


@cache
def _hidden() -> re.Pattern[str]:
    """Return what is hidden; made when first needed, as it looks at all characters."""
    marks = _ranges(
        [
            code
            for code in range(0x300, _LAST_MARK)
            if unicodedata.category(chr(code)).startswith("M")
        ]
    )
    pile = f"(?<=[{marks}]{{{_MOST_MARKS}}})[{marks}]+"
    return re.compile(f"{pile}|[{_INVISIBLE}]+")


def _ranges(codes: list[int]) -> str:
    """Return sorted codes as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _is_ordinary(run: str, before: str) -> bool:
    if _JOINED_EMOJI.match(run) and _EMOJI.match(before):
        return True
    return bool(_JOINER.match(run) and _SCRIPT_WITH_JOINERS.match(before))


def _mark(run: str) -> str:
    return (
        "[1 hidden character]" if len(run) == 1 else f"[{len(run)} hidden characters]"
    )


def _picture(found: re.Match[str]) -> str:
    if found[0] == "\x7f":
        return "\u2421"
    return chr(0x2400 + ord(found[0])) if found[0] < " " else "\ufffd"
