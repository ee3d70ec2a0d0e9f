"""An answer as HTML of a few plain elements, readable without any style.

Elements and attributes come from a closed set, all words are escaped, and no address
leads anywhere but to a click.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from streamchat_nb.transcript.address import (
    is_inline_picture,
    names_destination,
    safe_link,
)
from streamchat_nb.transcript.hidden import remove_hidden, show_hidden
from streamchat_nb.transcript.markdown_tree import plain_words
from streamchat_nb.transcript.tex import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.tree import SyntaxTreeNode

__all__ = [
    "code_block",
    "code_words",
    "escape_html",
    "html_link",
    "html_table",
    "lines_as_typed",
    "picture_element",
    "quotation",
    "with_colour",
    "write_html",
]

_DEEPEST_HEADING = 6
_ELEMENTS = {"em": "em", "strong": "strong", "s": "del"}
# Pages have colours of their own for these, which may not go with those around them.
_PLAIN_STYLE = "background-color:transparent;color:inherit"
_INLINE_CODE_STYLE = "background-color:rgba(128,128,128,0.15);color:inherit"
_CODE_STYLE = (
    "background-color:rgba(128,128,128,0.12);padding:8px 10px;border-radius:4px;"
    "overflow-x:auto;margin:0 0 1em 0;color:inherit"
)
_QUOTE_STYLE = (
    "margin:0 0 1em 0;padding:0 0 0 1em;border-left:3px solid rgba(128,128,128,0.4)"
)
_TABLE_STYLE = "border-collapse:collapse;margin:0 0 1em 0;color:inherit"
_LINK_STYLE = "text-decoration:underline;color:inherit"
_CELL_STYLE = "padding:2px 10px;border-bottom:1px solid rgba(128,128,128,0.35)"
_FORMULA_START = re.compile(r"[$\\]")


def with_colour(html: str, colour: str) -> str:
    """Return our HTML with all its words in one colour.

    Notebooks that do not trust an output keep colours, and drop ``inherit``.
    """
    # A quote in words is written &quot;: this one ends an attribute of ours.
    return html.replace('color:inherit"', f'color:{colour}"')


def write_html(nodes: Sequence[SyntaxTreeNode], *, below: int) -> str:
    """Return blocks as HTML.

    Args:
        nodes: As ``parse_markdown`` gives them.
        below: Level of the heading above them; their own become deeper.
    """
    return "\n".join(_block(node, below) for node in nodes)


def escape_html(text: str) -> str:
    """Return words as HTML; hidden characters are marked.

    What a page would typeset as a formula is taken apart.
    """
    escaped = escape(show_hidden(text))
    return _FORMULA_START.sub(lambda found: f"<span>{found[0]}</span>", escaped)


def code_words(text: str) -> str:
    """Return text as code among words."""
    return f'<code style="{_INLINE_CODE_STYLE}">{escape(show_hidden(text))}</code>'


def code_block(text: str) -> str:
    """Return text as a block of code."""
    shown = escape(show_hidden(text).removesuffix("\n"))
    code = f'<code style="{_PLAIN_STYLE}">{shown}\n</code>'
    return f'<pre style="{_CODE_STYLE}">{code}</pre>'


def lines_as_typed(text: str) -> str:
    """Return what a person typed, its lines and its indents kept."""
    lines = show_hidden(text).strip("\n").expandtabs(4).split("\n")
    return "<br>\n".join(
        "&nbsp;" * (len(line) - len(line.lstrip(" "))) + escape_html(line.strip())
        for line in lines
    )


def quotation(inside: str) -> str:
    """Return blocks as a quotation."""
    return f'<blockquote style="{_QUOTE_STYLE}">\n{inside}\n</blockquote>'


def html_link(words: str, address: str) -> str:
    """Return a link that says where it leads, or only its words if it may not be one.

    Args:
        words: Plain text.
        address: Where it leads, from a model or a tool.
    """
    return _link(escape_html(words), words, address)


def picture_element(source: str, words: str) -> str:
    """Return a picture whose bytes are in ``source``."""
    alternative = escape(remove_hidden(words))
    return f'<img src="{source}" alt="{alternative}" style="max-width:100%">'


def html_table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    alignments: Sequence[str] = (),
) -> str:
    """Return a table; its cells are HTML already."""
    lines = [f'<table style="{_TABLE_STYLE}">']
    lines += ["<thead>", _row("th", head, alignments), "</thead>", "<tbody>"]
    lines += [_row("td", row, alignments) for row in rows]
    lines += ["</tbody>", "</table>"]
    return "\n".join(lines)


def _row(element: str, cells: Sequence[str], alignments: Sequence[str]) -> str:
    written = ""
    for at, cell in enumerate(cells):
        alignment = (alignments[at] if at < len(alignments) else "") or "left"
        style = f"{_CELL_STYLE};text-align:{alignment}"
        written += f'<{element} style="{style}">{cell}</{element}>'
    return f'<tr style="{_PLAIN_STYLE}">{written}</tr>'


def _block(node: SyntaxTreeNode, below: int) -> str:
    match node.type:
        case "heading":
            level = min(_DEEPEST_HEADING, int(node.tag[1:]) + below)
            written = f"<h{level}>{_inlines(node.children)}</h{level}>"
        case "blockquote":
            inside = write_html(node.children, below=below)
            written = quotation(inside)
        case "bullet_list" | "ordered_list":
            written = _list(node, below)
        case "fence" | "code_block":
            written = code_block(node.content)
        case "hr":
            written = "<hr>"
        case "table":
            written = _table(node)
        case _:
            words = _inlines(node.children)
            written = words if node.hidden else f"<p>{words}</p>"
    return written


def _list(node: SyntaxTreeNode, below: int) -> str:
    items = "\n".join(
        f"<li>{write_html(item.children, below=below)}</li>" for item in node.children
    )
    if node.type == "bullet_list":
        return f"<ul>\n{items}\n</ul>"
    start = int(node.attrs.get("start", 1))
    first = "" if start == 1 else f' start="{start}"'
    return f"<ol{first}>\n{items}\n</ol>"


def _table(node: SyntaxTreeNode) -> str:
    rows = [row.children for part in node.children for row in part.children]
    alignments = [
        str(cell.attrs.get("style", "")).removeprefix("text-align:") for cell in rows[0]
    ]
    head, *body = ([_inlines(cell.children) for cell in row] for row in rows)
    return html_table(head, body, alignments=alignments)


def _inlines(nodes: Sequence[SyntaxTreeNode]) -> str:
    if len(nodes) == 1 and nodes[0].type == "inline":
        nodes = nodes[0].children
    return "".join(_inline(node) for node in nodes)


def _inline(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            written = escape_html(node.content)
        case "softbreak":
            written = "\n"
        case "hardbreak":
            written = "<br>\n"
        case "code_inline":
            written = code_words(node.content)
        case "math":
            formula = f"{node.markup}{node.content}{node.markup}"
            harmless = is_harmless(node.content)
            written = escape(formula) if harmless else code_words(formula)
        case "image":
            written = _picture(node)
        case "link":
            address = str(node.attrs.get("href", ""))
            written = _link(_inlines(node.children), plain_words(node), address)
        case _:
            element = _ELEMENTS[node.type]
            written = f"<{element}>{_inlines(node.children)}</{element}>"
    return written


def _picture(node: SyntaxTreeNode) -> str:
    address = str(node.attrs.get("src", ""))
    words = plain_words(node)
    if is_inline_picture(address):
        return picture_element(address, words)
    return html_link(remove_hidden(words) or "image", address)


def _link(written: str, words: str, address: str) -> str:
    link = safe_link(address)
    if link is None:
        return written
    where = ""
    if not names_destination(words, link):
        where = f" ({escape_html(link.destination)})"
    # The destination is part of what is clicked, as in the chat.
    return (
        f'<a href="{escape(link.href)}" target="_blank" rel="noopener noreferrer" '
        f'style="{_LINK_STYLE}">{written}{where}</a>'
    )
