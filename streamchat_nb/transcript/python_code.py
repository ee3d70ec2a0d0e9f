"""Python in answers: what may become a cell of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamchat_nb.transcript.hidden import show_hidden
from streamchat_nb.transcript.markdown_tree import code_language, parse_markdown

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

__all__ = ["is_python", "python_blocks"]

_PYTHON = frozenset({"python", "python3", "py", "ipython", "ipython3"})


def is_python(node: SyntaxTreeNode) -> bool:
    """Say whether a node is a block of Python that shows all that is in it.

    One that holds hidden characters stays words, where they are marked.
    """
    language = code_language(node).lower()
    return language in _PYTHON and show_hidden(node.content) == node.content


def python_blocks(text: str) -> list[str]:
    """Return the blocks of Python in an answer, also those in lists and quotations."""
    return [
        node.content.rstrip("\n")
        for root in parse_markdown(text)
        for node in root.walk()
        if is_python(node)
    ]
