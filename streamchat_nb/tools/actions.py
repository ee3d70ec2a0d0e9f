"""Links and buttons that tools propose, and which of them are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamchat_nb.protocol.content import Action

__all__ = ["MOST_ACTIONS", "usable_actions"]

MOST_ACTIONS = 8
"""How many actions a result or a message shows."""

_MOST_LABEL_CHARACTERS = 80
_MOST_HREF_CHARACTERS = 2_048
_MOST_SEND_CHARACTERS = 2_000
_SCHEMES = frozenset({"http", "https", "mailto"})


def usable_actions(actions: Iterable[Action]) -> list[Action]:
    """Return the first eight that can be shown, in order, without repetition.

    Left out are actions without a short label, links to anything but http, https
    and mail, and buttons that send nothing or too much.
    """
    chosen: list[Action] = []
    for action in actions:
        if _is_usable(action) and action not in chosen:
            chosen.append(action)
            if len(chosen) == MOST_ACTIONS:
                break
    return chosen


def _is_usable(action: Action) -> bool:
    if not 0 < len(action.label.strip()) <= _MOST_LABEL_CHARACTERS:
        return False
    if action.kind == "link":
        return action.href is not None and _is_safe_link(action.href)
    text = action.send or ""
    return bool(text.strip()) and len(text) <= _MOST_SEND_CHARACTERS


def _is_safe_link(href: str) -> bool:
    if len(href) > _MOST_HREF_CHARACTERS or not href.isprintable():
        return False
    try:
        parts = urlsplit(href)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.netloc or parts.path)
