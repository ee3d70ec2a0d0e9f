"""What a tool was given and gave, short enough to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.tools.output import cut_middle
from streamchat_nb.transcript.hidden import remove_hidden, show_controls
from streamchat_nb.transcript.words import approval_words, duration_words

if TYPE_CHECKING:
    from streamchat_nb.conversation.state import ToolCallState
    from streamchat_nb.protocol.content import TableDisplay

__all__ = [
    "ShownTable",
    "cut_lines",
    "details_of",
    "laid_out",
    "short_input",
    "shown_table",
    "tool_name",
]

_MOST_INPUT_CHARACTERS = 100
_MOST_COLUMNS = 30
_MOST_CELL_CHARACTERS = 200


@dataclass(frozen=True)
class ShownTable:
    """As much of a table as is shown; every cell on one line, nothing hidden.

    ``note`` says what is left out, if anything.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str


def tool_name(call: ToolCallState) -> str:
    """Return a tool's name on one line."""
    return remove_hidden(call.name)[:80] or "a tool"


def short_input(call: ToolCallState) -> str:
    """Return a tool call's input on one short line; empty when there is none."""
    if not call.input:
        return ""
    # What a line cannot hold is not laid out first.
    text = ", ".join(
        f"{name}={_short_value(value)}" for name, value in list(call.input.items())[:8]
    )
    return _shortened(remove_hidden(text), _MOST_INPUT_CHARACTERS)


def details_of(call: ToolCallState) -> str:
    """Return who allowed a call and how long it took, as far as there is to say."""
    details = (approval_words(call), duration_words(call.duration_ms))
    return ", ".join(words for words in details if words)


def laid_out(value: object) -> str:
    """Return JSON, or a text that is JSON, laid out to be read; other text as it is."""
    if not isinstance(value, str):
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    if not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return msgspec.json.format(value.encode("utf-8", "replace"), indent=2).decode()
    except (msgspec.DecodeError, RecursionError):
        return value


def cut_lines(text: str, *, most_lines: int, most_bytes: int) -> str:
    """Return a text cut in the middle, with a line that says so."""
    lines = show_controls(text).strip("\n").split("\n")
    if len(lines) > most_lines:
        head = most_lines * 3 // 4
        tail = most_lines - head
        gap = f"[… {len(lines) - most_lines:,} lines left out …]"
        lines = [*lines[:head], gap, *lines[-tail:]]
    return cut_middle("\n".join(lines), most_bytes)[0]


def shown_table(table: TableDisplay, *, most_rows: int) -> ShownTable:
    """Return the first rows and columns of a table."""
    columns = table.columns[:_MOST_COLUMNS]
    rows = [
        [*row[: len(columns)], *[""] * (len(columns) - len(row))]
        for row in table.rows[:most_rows]
    ]
    notes: list[str] = []
    if len(rows) < table.total_rows:
        notes.append(f"{len(rows):,} of {table.total_rows:,} rows")
    if len(columns) < len(table.columns):
        notes.append(f"{len(columns)} of {len(table.columns):,} columns")
    return ShownTable(
        title=remove_hidden(table.title)[:200],
        columns=[_cell(name) for name in columns],
        rows=[[_cell(cell) for cell in row] for row in rows],
        note=", ".join(notes),
    )


def _cell(text: str) -> str:
    return _shortened(
        remove_hidden(text[: 4 * _MOST_CELL_CHARACTERS]), _MOST_CELL_CHARACTERS
    )


def _short_value(value: object) -> str:
    if isinstance(value, str):
        value = value[: 2 * _MOST_INPUT_CHARACTERS]
    return msgspec.json.encode(value).decode()


def _shortened(text: str, most_characters: int) -> str:
    return text if len(text) <= most_characters else f"{text[: most_characters - 1]}…"
