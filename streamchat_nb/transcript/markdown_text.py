"""An answer as markdown again, meaning the same to every program that reads it.

Programs differ in what they take for markup (raw HTML, TeX commands, attributes in
braces, pictures to fetch). So an answer is not copied but written anew from what it
means: its fences are closed, its headings below those of the transcript, and nothing
in its words means anything more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from streamchat_nb.transcript.address import (
    is_inline_picture,
    names_destination,
    safe_link,
)
from streamchat_nb.transcript.hidden import remove_hidden, show_controls, show_hidden
from streamchat_nb.transcript.markdown_tree import code_language, plain_words
from streamchat_nb.transcript.tex import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.tree import SyntaxTreeNode

__all__ = [
    "as_typed",
    "code_span",
    "escape_markdown",
    "fenced",
    "markdown_link",
    "markdown_picture",
    "markdown_table",
    "write_markdown",
]

_DEEPEST_HEADING = 6
_SPECIAL = re.compile(
    r"""
      \\(?=[()\[\]])          # would begin a formula in notebooks
    | [\\`*\[<$|~^{]
    | (?<![^\W_])_ | _(?![^\W_])
    | &(?=\#?\w+;)
    | (?<!\w)@               # a citation to some
    """,
    re.VERBOSE,
)
_ENTITIES = {"\\": "&#92;", "<": "&lt;", "&": "&amp;"}
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{0,32}")
# Made into pictures by some programs, one of which copies their words as HTML.
_DRAWN = frozenset({"mermaid", "geojson", "topojson", "stl", "math"})
_LINE_START = re.compile(r"^(?:[#>+\-=:%]|(?P<number>\d{1,9})(?P<dot>[.)]))")


def write_markdown(nodes: Sequence[SyntaxTreeNode], *, below: int) -> str:
    """Return blocks as markdown.

    Args:
        nodes: As ``parse_markdown`` gives them.
        below: Level of the heading above them; their own become deeper.
    """
    return "\n".join(_blocks(nodes, below))


def escape_markdown(text: str, *, at_start: bool = False) -> str:
    """Return words of which nothing is markup; hidden characters are marked.

    Args:
        text: One line; other line ends become character references.
        at_start: The words begin a line.
    """
    return _escaped(text.strip(" "), at_start=at_start)


def as_typed(text: str) -> str:
    """Return what a person typed, line by line, as a quotation."""
    lines = show_hidden(text).strip("\n").expandtabs(4).split("\n")
    written: list[str] = []
    for at, line in enumerate(lines):
        words = line.lstrip(" ")
        if not words:
            written.append(">")
            continue
        indent = "&nbsp;" * (len(line) - len(words))
        breaks = at + 1 < len(lines) and lines[at + 1].strip() != ""
        words = _escaped(words, at_start=not indent).rstrip()
        written.append(f"> {indent}{words}" + ("\\" if breaks else ""))
    return "\n".join(written)


def fenced(text: str, language: str = "") -> str:
    """Return text as a code block, in a fence that nothing in it closes.

    Args:
        text: Any text.
        language: Named on the fence, unless programs would draw it and not show it.
    """
    if language.lower() in _DRAWN or not _LANGUAGE.fullmatch(language):
        language = ""
    text = show_hidden(text).removesuffix("\n")
    fence = "`" * max(3, _longest_backticks(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def code_span(text: str) -> str:
    """Return one line of text as code among words."""
    text = show_hidden(text).replace("\n", " ")
    ticks = "`" * (_longest_backticks(text) + 1)
    # One blank at each end is taken away where there is more than blanks.
    ends = text[:1] + text[-1:]
    pad = " " if "`" in ends or (ends == "  " and text.strip(" ")) else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def markdown_link(words: str, address: str) -> str:
    """Return a link that says where it leads, or only its words if it may not be one.

    Args:
        words: Plain text.
        address: Where it leads, from a model or a tool.
    """
    return _link(escape_markdown(words), words, address)


def markdown_picture(words: str, source: str) -> str:
    """Return a picture; ``source`` has its bytes or names an attachment."""
    alternative = escape_markdown(remove_hidden(words)).replace("]", "&#93;")
    return f"![{alternative}]({source})"


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], alignments: Sequence[str] = ()
) -> str:
    """Return a table; its cells are markdown already, each on one line."""
    rules = {"left": ":--", "right": "--:", "center": ":-:"}
    lines = [f"| {' | '.join(head)} |"]
    lines.append(
        "|"
        + "|".join(rules.get(one, "---") for one in alignments or [""] * len(head))
        + "|"
    )
    lines.extend(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join(lines)


def _blocks(
    nodes: Sequence[SyntaxTreeNode], below: int, *, tight: bool = False
) -> list[str]:
    lines: list[str] = []
    before, marker = "", ""
    for node in nodes:
        if node.type in {"bullet_list", "ordered_list"}:
            first, other = ("-", "+") if node.type == "bullet_list" else (".", ")")
            marker = other if marker == first else first
            written = _list(node, below, marker)
        else:
            marker = ""
            written = _block(node, below)
        # A bare marker under words would underline them.
        joined = tight and before == "paragraph" and len(written[0]) > 1
        if lines and not joined:
            lines.append("")
        lines.extend(written)
        before = node.type
    return lines


def _block(node: SyntaxTreeNode, below: int) -> list[str]:
    match node.type:
        case "heading":
            level = min(_DEEPEST_HEADING, int(node.tag[1:]) + below)
            words = _inlines(node.children).replace("\\\n", " ").replace("\n", " ")
            # A closing sequence of the words' own would be taken away.
            words = re.sub(r"(#+)$", r"\\\1", words)
            return [f"{'#' * level} {words}".rstrip()]
        case "blockquote":
            return [f"> {line}".rstrip() for line in _blocks(node.children, below)] or [
                ">"
            ]
        case "fence" | "code_block":
            return fenced(node.content, code_language(node)).split("\n")
        case "hr":
            return ["* * *"]
        case "table":
            return _table(node).split("\n")
        case _:
            return _inlines(node.children, at_start=True).split("\n")


def _list(node: SyntaxTreeNode, below: int, marker: str) -> list[str]:
    lines: list[str] = []
    number = int(node.attrs.get("start", 1))
    tight = all(
        child.hidden
        for item in node.children
        for child in item.children
        if child.type == "paragraph"
    )
    for item in node.children:
        if lines and not tight:
            lines.append("")
        lead = f"{number}{marker} " if node.type == "ordered_list" else f"{marker} "
        inside = _blocks(item.children, below, tight=tight) or [""]
        for at, line in enumerate(inside):
            lines.append(f"{lead if at == 0 else ' ' * len(lead)}{line}".rstrip())
        number += 1
    return lines


def _table(node: SyntaxTreeNode) -> str:
    rows = [row.children for part in node.children for row in part.children]
    alignments = [
        str(cell.attrs.get("style", "")).removeprefix("text-align:") for cell in rows[0]
    ]
    head, *body = (
        [_inlines(cell.children, in_table=True) for cell in row] for row in rows
    )
    return markdown_table(head, body, alignments)


def _inlines(
    nodes: Sequence[SyntaxTreeNode], *, at_start: bool = False, in_table: bool = False
) -> str:
    if len(nodes) == 1 and nodes[0].type == "inline":
        nodes = nodes[0].children
    written = ""
    for node in nodes:
        if node.type in {"link", "image"} and written.endswith("!"):
            written = f"{written[:-1]}\\!"  # or the link would be a picture
        line_starts = written.endswith("\n") if written else at_start
        written += _inline(node, at_start=line_starts, in_table=in_table)
    return written


def _inline(node: SyntaxTreeNode, *, at_start: bool, in_table: bool) -> str:
    match node.type:
        case "text":
            written = _escaped(node.content, at_start=at_start)
        case "softbreak":
            written = "\n"
        case "hardbreak":
            written = "\\\n"
        case "code_inline":
            written = _code(node.content, in_table=in_table)
        case "math":
            written = _formula(node, in_table=in_table)
        case "image":
            written = _picture(node)
        case "link":
            words = _inlines(node.children, in_table=in_table)
            address = str(node.attrs.get("href", ""))
            written = _link(words, plain_words(node), address)
        case _:
            inside = _inlines(node.children, in_table=in_table)
            written = f"{node.markup}{inside}{node.markup}"
    return written


def _formula(node: SyntaxTreeNode, *, in_table: bool) -> str:
    if is_harmless(node.content) and not (in_table and "|" in node.content):
        inside = " ".join(node.content.split())
        return f"{node.markup}{inside}{node.markup}"
    return _code(f"{node.markup}{node.content}{node.markup}", in_table=in_table)


def _code(text: str, *, in_table: bool) -> str:
    code = code_span(text)
    return code.replace("|", r"\|") if in_table else code


def _picture(node: SyntaxTreeNode) -> str:
    address = str(node.attrs.get("src", ""))
    words = remove_hidden(plain_words(node)) or "image"
    if is_inline_picture(address):
        return markdown_picture(words, address)
    return markdown_link(words, address)


def _link(written: str, words: str, address: str) -> str:
    link = safe_link(address)
    if link is None:
        return written
    words = show_controls(words).strip()
    if words == link.href and not re.search(r"[*_`|~^&]", words):
        return f"<{link.href}>"
    written = written.replace("]", "&#93;")
    href = re.sub(r"&(?=#?\w+;)", "&amp;", link.href)
    where = "" if names_destination(words, link) else f" ({_escaped(link.destination)})"
    return f"[{written or link.destination}]({href}){where}"


def _escaped(text: str, *, at_start: bool = False) -> str:
    """Return one line's words with everything escaped that could be markup."""
    text = show_hidden(text)
    start = _LINE_START.match(text) if at_start else None
    written = _SPECIAL.sub(_escape, text)
    if start is not None:
        number = start["number"]
        cut = len(number) if number else 0
        written = f"{number or ''}\\{written[cut:]}"
    written = written.replace("\n", "&#10;").replace("\t", "&#9;")
    if not at_start:
        return written
    blanks = written[: len(written) - len(written.lstrip(" \u00a0"))]
    return (
        blanks.replace(" ", "&#32;").replace("\u00a0", "&nbsp;")
        + written[len(blanks) :]
    )


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\\" and found.string[found.end() : found.end() + 1] not in "()[]":
        return r"\\"
    return _ENTITIES.get(character, f"\\{character}")


def _longest_backticks(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
