"""A conversation as a file, and as the output of a notebook's cell."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from streamchat_nb.errors import UsageError
from streamchat_nb.transcript.archive import to_json
from streamchat_nb.transcript.html import to_html, to_page
from streamchat_nb.transcript.markdown import to_markdown
from streamchat_nb.transcript.notebook import to_notebook
from streamchat_nb.transcript.text import to_text

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.transcript.html import Theme

__all__ = ["Format", "export", "mimebundle"]

Format = Literal["md", "html", "ipynb", "json", "txt"]
"""What a conversation can be exported as."""

_LARGEST_BYTES = 16_000_000


def export(
    state: ConversationState,
    format: Format,  # noqa: A002 - the word for it
    path: str | os.PathLike[str] | None = None,
) -> str:
    """Return a conversation as the text of a file, and write the file if asked to.

    Args:
        state: The conversation; not changed.
        format: ``md`` (markdown), ``html`` (a page), ``ipynb`` (a notebook), ``json``
            (all there is; ``from_json`` reads it) or ``txt``.
        path: File to write in UTF-8, replaced as a whole or not at all.

    Raises:
        UsageError: There is no such format.
        OSError: The file cannot be written; what was there is as before.
    """
    writer = _WRITERS.get(format)
    if writer is None:
        known = ", ".join(f'"{name}"' for name in get_args(Format))
        raise UsageError(f"There is no format {format!r:.40}; use one of {known}.")
    text = writer(state)
    if path is not None:
        _replace_file(Path(path), text)
    return text


def mimebundle(
    state: ConversationState, *, theme: Theme = "auto", limit_bytes: int = 1_000_000
) -> dict[str, str]:
    """Return a conversation as the data of a notebook's output.

    ``text/html`` for notebooks and pages, ``text/markdown`` for PDF by TeX (pictures
    are named there), ``text/plain`` for all else: the same conversation in each.

    Args:
        state: The conversation; not changed.
        theme: Colours of the HTML; those of the page by default.
        limit_bytes: Largest size of each.
    """
    return {
        "text/plain": to_text(state, limit_bytes=limit_bytes),
        "text/markdown": to_markdown(
            state, pictures=False, level=3, limit_bytes=limit_bytes
        ),
        "text/html": to_html(state, theme=theme, limit_bytes=limit_bytes),
    }


def _write_notebook(state: ConversationState) -> str:
    return json.dumps(to_notebook(state), ensure_ascii=False, indent=1) + "\n"


def _write_markdown(state: ConversationState) -> str:
    return to_markdown(state, limit_bytes=_LARGEST_BYTES)


def _write_text(state: ConversationState) -> str:
    return to_text(state, limit_bytes=_LARGEST_BYTES)


_WRITERS: dict[str, Callable[[ConversationState], str]] = {
    "md": _write_markdown,
    "html": to_page,
    "ipynb": _write_notebook,
    "json": to_json,
    "txt": _write_text,
}


def _replace_file(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        unfinished.write_bytes(text.encode("utf-8", "replace"))
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
