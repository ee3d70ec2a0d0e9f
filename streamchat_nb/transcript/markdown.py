"""A conversation as markdown that every program reads the same way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from streamchat_nb.protocol.content import ImageDisplay, TableDisplay, TextDisplay
from streamchat_nb.transcript.address import safe_link
from streamchat_nb.transcript.hidden import remove_hidden
from streamchat_nb.transcript.markdown_text import (
    as_typed,
    code_span,
    escape_markdown,
    fenced,
    markdown_link,
    markdown_picture,
    markdown_table,
    write_markdown,
)
from streamchat_nb.transcript.markdown_tree import parse_markdown
from streamchat_nb.transcript.outline import (
    Attached,
    Note,
    Offers,
    Said,
    Shared,
    Speaker,
    Thought,
    ToolUse,
    Typed,
    outline,
    title_of,
)
from streamchat_nb.transcript.pictures import picture_of
from streamchat_nb.transcript.selection import write_within
from streamchat_nb.transcript.tool_texts import (
    cut_lines,
    details_of,
    short_input,
    shown_table,
    tool_name,
)
from streamchat_nb.transcript.words import (
    LEFT_OUT,
    SHARED,
    attached_words,
    offer_lines,
    tool_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import Action, Display
    from streamchat_nb.transcript.outline import Entry

__all__ = ["to_markdown", "write_entry"]

_MOST_ROWS = 50
_OUTPUT_LINES = 12
_OUTPUT_BYTES = 1_500
_ONE_LINE_CHARACTERS = 80
_SHOWN_TEXT_BYTES = 16_000


def to_markdown(
    state: ConversationState,
    *,
    thinking: bool = False,
    pictures: bool = True,
    level: int = 1,
    limit_bytes: int = 1_000_000,
) -> str:
    """Return a conversation as markdown.

    What people and agents wrote means the same as in the chat and nothing more: raw
    HTML and commands of TeX are words, fences are closed, headings are below those of
    the transcript, remote pictures are links.

    Args:
        state: The conversation; not changed.
        thinking: Show an agent's reasoning too.
        pictures: Put the pictures of tools into the text (as data URIs); otherwise
            they are named. TeX cannot read them.
        level: Of the title's heading; those that say who speaks are one deeper, those
            of answers still deeper.
        limit_bytes: Largest size in UTF-8; the middle of a longer one is left out,
            and a sentence says so.
    """
    place = _inline_picture if pictures else None
    writers = [
        partial(write_entry, entry, level=level + 1, place=place)
        for entry in outline(state, thinking=thinking)
    ]
    heading = f"{'#' * level} {escape_markdown(title_of(state))}"
    room = limit_bytes - 2 * len(heading.encode())
    pieces = write_within(writers, limit_bytes=room, left_out=f"*{LEFT_OUT}*")
    return "\n\n".join([heading, *(piece for piece in pieces if piece)]) + "\n"


def write_entry(
    entry: Entry, *, level: int, place: Callable[[ImageDisplay], str] | None = None
) -> str:
    """Return one entry of a transcript as blocks of markdown.

    Args:
        entry: The entry.
        level: Of headings that say who speaks.
        place: Gives the address at which a picture is to be found; pictures are only
            named when ``None``, and one with the address ``""``.
    """
    match entry:
        case Speaker(name=name):
            written = f"{'#' * level} {escape_markdown(name)}"
        case Typed(text=text):
            written = as_typed(cut_lines(text, most_lines=10_000, most_bytes=200_000))
        case Shared(name=name, text=text):
            cut = cut_lines(text, most_lines=10_000, most_bytes=200_000)
            written = f"*{SHARED}* {code_span(name)}\n\n{fenced(cut)}"
        case Attached():
            written = f"*{escape_markdown(attached_words(entry.kind, entry.name))}*"
        case Said(text=text):
            written = write_markdown(parse_markdown(text), below=level)
        case Thought(text=text):
            cut = cut_lines(text, most_lines=10_000, most_bytes=200_000)
            written = f"*Thought:*\n\n{as_typed(cut)}"
        case Note(words=words):
            written = f"*{escape_markdown(words)}*"
        case ToolUse():
            written = _tool(entry, place)
        case Offers(actions=actions):
            written = _offers(actions)
    return written


def _inline_picture(display: ImageDisplay) -> str:
    picture = picture_of(display)
    return picture.data_uri if picture else ""


def _tool(use: ToolUse, place: Callable[[ImageDisplay], str] | None) -> str:
    call = use.call
    before, after = tool_words(call, turn_runs=use.turn_runs)
    given = short_input(call)
    line = f"- {before}{code_span(f'{tool_name(call)}({given})')}{after}"
    if details := details_of(call):
        line += f" ({escape_markdown(details)})"
    output = cut_lines(
        call.output or "", most_lines=_OUTPUT_LINES, most_bytes=_OUTPUT_BYTES
    )
    if output and "\n" not in output and len(output) <= _ONE_LINE_CHARACTERS:
        line += f" → {code_span(output)}"
        output = ""
    parts = [line]
    if output:
        parts.append("\n".join(f"  {row}" for row in fenced(output).split("\n")))
    parts.extend(_display(display, place) for display in call.display)
    return "\n\n".join(parts)


def _display(display: Display, place: Callable[[ImageDisplay], str] | None) -> str:
    match display:
        case TableDisplay():
            return _table(display)
        case ImageDisplay(alt=alt):
            words = remove_hidden(alt)[:300] or "Picture"
            source = place(display) if place else ""
            if source:
                return markdown_picture(words, source)
            return f"*\\[Picture: {escape_markdown(words)}]*"
        case TextDisplay(text=text, language=language):
            cut = cut_lines(text, most_lines=400, most_bytes=_SHOWN_TEXT_BYTES)
            return fenced(cut, language)


def _table(display: TableDisplay) -> str:
    table = shown_table(display, most_rows=_MOST_ROWS)
    parts = [f"**{escape_markdown(table.title)}**"] if table.title else []
    if table.columns:
        parts.append(
            markdown_table(
                [escape_markdown(name) for name in table.columns],
                [[escape_markdown(cell) for cell in row] for row in table.rows],
            )
        )
    if table.note:
        parts.append(f"*{table.note}*")
    return "\n\n".join(parts)


def _offers(actions: Sequence[Action]) -> str:
    links = [
        markdown_link(remove_hidden(action.label), action.href or "")
        for action in actions
        if action.kind == "link" and safe_link(action.href or "")
    ]
    buttons = [
        f"“{escape_markdown(remove_hidden(action.label))}”"
        for action in actions
        if action.kind == "button"
    ]
    return "\n\n".join(offer_lines(links, buttons))
