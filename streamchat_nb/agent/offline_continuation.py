"""How the offline demo goes on with an answer that was broken off. Pure."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["asks_to_continue", "broken_off", "rest_of"]

_CONTINUE = re.compile(
    r"(?i)(please\s+)?(continue|go on|carry on)"
    r"(\s+(from\s+)?where you (stopped|left off))?[.! ]*"
)


def asks_to_continue(text: str) -> bool:
    """Say whether a user's text asks for the rest of an answer."""
    return _CONTINUE.fullmatch(text.strip()) is not None


def broken_off(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Find the question whose answer is to go on.

    Args:
        messages: A request's messages, their content as lists of blocks; the last
            text asks to continue.

    Returns:
        The messages up to that question, none if there is none, and all that was
        said since.
    """
    said = ""
    for place in range(len(messages) - 1, -1, -1):
        blocks: list[dict[str, Any]] = messages[place]["content"]
        for number in range(len(blocks) - 1, -1, -1):
            text = blocks[number].get("text") or ""
            if messages[place].get("role") == "assistant":
                said = text + said
            elif text.strip() and not asks_to_continue(text):
                question = {**messages[place], "content": blocks[: number + 1]}
                return [*messages[:place], question], said
    return [], said


def rest_of(whole: str, said: str) -> str | None:
    """Return what comes after ``said`` in ``whole``, whatever the white space.

    ``None`` when ``whole`` does not begin with what was said.
    """
    at = 0
    for character in said:
        if character.isspace():
            continue
        while at < len(whole) and whole[at].isspace():
            at += 1
        if at == len(whole) or whole[at] != character:
            return None
        at += 1
    return whole[at:].strip()
