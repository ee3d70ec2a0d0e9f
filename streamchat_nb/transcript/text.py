"""A conversation as plain text, for terminals and programs that show nothing else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from streamchat_nb.protocol.content import ImageDisplay, TableDisplay, TextDisplay
from streamchat_nb.transcript.address import safe_link
from streamchat_nb.transcript.hidden import remove_hidden, show_hidden
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
    from collections.abc import Sequence

    from streamchat_nb.conversation.state import ConversationState
    from streamchat_nb.protocol.content import Action, Display
    from streamchat_nb.transcript.outline import Entry

__all__ = ["to_text", "write_entry"]

_MOST_ROWS = 20
_OUTPUT_LINES = 12
_OUTPUT_BYTES = 1_500
_SAID_BYTES = 200_000


def to_text(
    state: ConversationState, *, thinking: bool = False, limit_bytes: int = 1_000_000
) -> str:
    """Return a conversation as plain text without control characters.

    Args:
        state: The conversation; not changed.
        thinking: Show an agent's reasoning too.
        limit_bytes: Largest size in UTF-8; the middle of a longer one is left out,
            and a line says so.
    """
    title = title_of(state)
    writers = [
        partial(write_entry, entry) for entry in outline(state, thinking=thinking)
    ]
    heading = f"{title}\n{'=' * min(len(title), 72)}"
    room = limit_bytes - 2 * len(heading.encode())
    pieces = write_within(writers, limit_bytes=room, left_out=f"({LEFT_OUT})")
    text = "\n\n".join([heading, *(piece for piece in pieces if piece)])
    return f"{text}\n"


def write_entry(entry: Entry) -> str:
    """Return one entry of a transcript as lines of plain text."""
    match entry:
        case Speaker(name=name):
            written = f"{name}:"
        case Typed(text=text) | Said(text=text):
            written = _shown(text, _SAID_BYTES)
        case Shared(name=name, text=text):
            rows = _shown(text, _SAID_BYTES).split("\n")
            written = "\n".join([f"[{SHARED} {name}]", *(f"  {row}" for row in rows)])
        case Attached(kind=kind, name=name):
            written = attached_words(kind, name)
        case Thought(text=text):
            written = f"(thought)\n{_shown(text, _SAID_BYTES)}"
        case Note(words=words):
            written = f"({words})"
        case ToolUse():
            written = _tool(entry)
        case Offers(actions=actions):
            written = _offers(actions)
    return written


def _shown(text: str, most_bytes: int) -> str:
    return _visible(cut_lines(text, most_lines=100_000, most_bytes=most_bytes))


def _visible(text: str) -> str:
    return show_hidden(text).expandtabs(4)


def _tool(use: ToolUse) -> str:
    call = use.call
    before, after = tool_words(call, turn_runs=use.turn_runs)
    line = f"{before}{tool_name(call)}({short_input(call)}){after}"
    if details := details_of(call):
        line += f" ({details})"
    output = cut_lines(
        call.output or "", most_lines=_OUTPUT_LINES, most_bytes=_OUTPUT_BYTES
    )
    parts = [
        f"[{line}]",
        *("  " + row for row in _visible(output).split("\n") if row),
    ]
    shown = ["\n".join(parts), *map(_display, call.display)]
    return "\n\n".join(shown)


def _display(display: Display) -> str:
    match display:
        case TableDisplay():
            return _table(display)
        case ImageDisplay(alt=alt):
            words = remove_hidden(alt)
            return f"  [Picture: {words}]" if words else "  [Picture]"
        case TextDisplay(text=text):
            cut = cut_lines(text, most_lines=4 * _OUTPUT_LINES, most_bytes=8_000)
            return "\n".join("  " + line for line in _visible(cut).split("\n"))


def _table(display: TableDisplay) -> str:
    table = shown_table(display, most_rows=_MOST_ROWS)
    rows = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  " + "  ".join("-" * width for width in widths))
    if table.title:
        lines.insert(0, f"  {table.title}")
    if table.note:
        lines.append(f"  ({table.note})")
    return "\n".join(lines)


def _offers(actions: Sequence[Action]) -> str:
    links: list[str] = []
    buttons: list[str] = []
    for action in actions:
        label = remove_hidden(action.label)
        if action.kind == "button":
            buttons.append(f"“{label}”")
        elif link := safe_link(action.href or ""):
            links.append(f"{label} <{link.href}>")
    return "\n".join(offer_lines(links, buttons))
