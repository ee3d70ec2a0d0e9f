"""A conversation as a notebook: words in markdown cells, Python in code cells."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from streamchat_nb.transcript.markdown import write_entry
from streamchat_nb.transcript.markdown_text import escape_markdown, write_markdown
from streamchat_nb.transcript.markdown_tree import parse_markdown
from streamchat_nb.transcript.outline import Said, Speaker, outline, title_of
from streamchat_nb.transcript.pictures import picture_of
from streamchat_nb.transcript.python_code import is_python

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import ImageDisplay

__all__ = ["to_notebook"]

_HEADING_LEVEL = 2
_FORMAT = 1
"""Version of what stands in the notebook's metadata under ``streamchat``."""


def to_notebook(state: ConversationState, *, thinking: bool = False) -> dict[str, Any]:
    """Return a conversation as a notebook of format 4.5, ready for ``json.dumps``.

    Blocks of Python in answers become code cells that have not run; one that holds
    hidden characters stays words, where they are marked. Pictures of tools are
    attachments of their cells. The same state gives the same notebook.

    Args:
        state: The conversation; not changed.
        thinking: Show an agent's reasoning too.
    """
    cells = _Cells(state.conversation)
    cells.add_words(f"# {escape_markdown(title_of(state))}")
    for entry in outline(state, thinking=thinking):
        if isinstance(entry, Speaker):
            cells.end_words()
        if isinstance(entry, Said):
            _add_answer(cells, entry)
        else:
            cells.add_words(
                write_entry(entry, level=_HEADING_LEVEL, place=cells.attach)
            )
    return {
        "cells": cells.finished(),
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            "streamchat": {
                "conversation": state.conversation,
                "format": _FORMAT,
                "seq": state.seq,
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


class _Cells:
    """Cells in the making; neighbouring words become one cell."""

    def __init__(self, conversation: str) -> None:
        self._conversation = conversation
        self._cells: list[dict[str, Any]] = []
        self._words: list[str] = []
        self._attachments: dict[str, dict[str, str]] = {}

    def add_words(self, words: str) -> None:
        if words:
            self._words.append(words)

    def add_code(self, code: str) -> None:
        self.end_words()
        self._add("code", code, execution_count=None, outputs=[])

    def attach(self, display: ImageDisplay) -> str:
        """Attach a picture to the words that are next; return its address."""
        picture = picture_of(display)
        if picture is None:
            return ""
        kind = picture.media_type.removeprefix("image/")
        name = f"picture-{len(self._attachments) + 1}.{kind}"
        self._attachments[name] = {picture.media_type: picture.data}
        return f"attachment:{name}"

    def end_words(self) -> None:
        if not self._words:
            return
        more: dict[str, Any] = {}
        if self._attachments:
            more["attachments"] = self._attachments
        self._add("markdown", "\n\n".join(self._words), **more)
        self._words = []
        self._attachments = {}

    def finished(self) -> list[dict[str, Any]]:
        self.end_words()
        return self._cells

    def _add(self, cell_type: str, source: str, **more: Any) -> None:  # noqa: ANN401
        place = f"{self._conversation}/{len(self._cells)}"
        digest = hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()
        cell: dict[str, Any] = {
            "id": digest[:16],
            "cell_type": cell_type,
            "metadata": {},
        }
        self._cells.append({**cell, "source": source, **more})


def _add_answer(cells: _Cells, said: Said) -> None:
    nodes = parse_markdown(said.text)
    words: list[SyntaxTreeNode] = []
    for at, node in enumerate(nodes):
        breaks_off = said.partial and at == len(nodes) - 1
        if not breaks_off and is_python(node):
            cells.add_words(write_markdown(words, below=_HEADING_LEVEL))
            cells.add_code(node.content.rstrip("\n"))
            words = []
        else:
            words.append(node)
    cells.add_words(write_markdown(words, below=_HEADING_LEVEL))
