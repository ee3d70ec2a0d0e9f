"""Markdown as a tree: what an answer means, whoever shows it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from streamchat_nb.tools.output import cut_middle
from streamchat_nb.transcript.hidden import show_controls
from streamchat_nb.transcript.tex import read_formula

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.rules_core import StateCore

__all__ = ["code_language", "parse_markdown", "plain_words"]

_MOST_BYTES = 100_000
"""Of one text; the middle of a longer one is left out."""
_DEEPEST_NESTING = 20
_BARE_ADDRESS = re.compile(r"(?<![A-Za-z0-9])(?:https?://|www\.)[^\s<`]+")
_ADDRESS_TAIL = re.compile(r"(?:[?!.,:;*_~'\"]|&[A-Za-z0-9]+;)+\Z")


def parse_markdown(text: str) -> list[SyntaxTreeNode]:
    """Return the blocks of a text.

    CommonMark with tables, strikes, bare addresses and formulas (``math``), without
    HTML, which is text here. A fence that is open ends with the text. Addresses are
    as they were written: who shows them decides which may be links.
    """
    text, _ = cut_middle(show_controls(text), _MOST_BYTES)
    return SyntaxTreeNode(_parser().parse(text)).children


def plain_words(node: SyntaxTreeNode) -> str:
    """Return the text in an inline node, without its markup."""
    if node.type in {"text", "code_inline", "math"}:
        return node.content
    if node.type in {"softbreak", "hardbreak"}:
        return " "
    return "".join(plain_words(child) for child in node.children)


def code_language(node: SyntaxTreeNode) -> str:
    """Return the language that a code block names; empty when it names none."""
    words = node.info.split(maxsplit=1) if node.type == "fence" else []
    return words[0] if words else ""


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _DEEPEST_NESTING}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "math", read_formula)
    parser.core.ruler.push("bare_addresses", _link_bare_addresses)
    parser.validateLink = lambda url: True  # noqa: ARG005
    parser.normalizeLink = lambda url: url
    parser.normalizeLinkText = lambda link: link
    return parser


def _link_bare_addresses(state: StateCore) -> None:
    for token in state.tokens:
        if token.children and ("://" in token.content or "www." in token.content):
            token.children = list(_with_links(token.children))


def _with_links(tokens: list[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        if token.type in {"link_open", "link_close"}:
            depth += token.nesting
        if token.type == "text" and depth == 0:
            yield from _split_at_addresses(token.content)
        else:
            yield token


def _split_at_addresses(text: str) -> Iterator[Token]:
    shown_from = 0
    for found in _BARE_ADDRESS.finditer(text):
        address = _trimmed(found[0])
        if address in {"http://", "https://", "www."}:
            continue
        start = found.start()
        if start > shown_from:
            yield Token("text", "", 0, content=text[shown_from:start])
        href = f"https://{address}" if address.startswith("www.") else address
        yield Token("link_open", "a", 1, attrs={"href": href})
        yield Token("text", "", 0, content=address)
        yield Token("link_close", "a", -1)
        shown_from = start + len(address)
    if shown_from < len(text):
        yield Token("text", "", 0, content=text[shown_from:])


def _trimmed(address: str) -> str:
    """Return an address without the punctuation of the sentence around it."""
    while True:
        shorter = _ADDRESS_TAIL.sub("", address)
        if shorter.endswith(")") and shorter.count(")") > shorter.count("("):
            shorter = shorter[:-1]
        if shorter == address:
            return address
        address = shorter
