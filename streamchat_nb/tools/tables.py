"""Tables of any library: their columns, as text for a model and cells for people.

The text is one line for each column (type, missing values, statistics) and the first
rows as CSV: every model knows it, its quoting is exact, and it takes half the room of
a drawn table.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.protocol.content import TableDisplay
from streamchat_nb.tools.column_facts import sampling_step
from streamchat_nb.tools.value_text import counted, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable

    from streamchat_nb.tools.value_text import ValueText

__all__ = ["Column", "Table", "labels_of", "table_display", "table_text"]

MOST_SHOWN_ROWS = 50
MOST_SHOWN_COLUMNS = 30
_MOST_CELL = 80
_MOST_DISPLAY_BYTES = 100_000
_MOST_LABEL = 60
_NO_NAME = "(no name)"
_MOST_DTYPE = 60
_MOST_DESCRIBED = 60
_MOST_CELLS_MEASURED = 500_000
_LEAST_ROWS_MEASURED = 1_000
_LEAST_LIMIT = 400
_LEAST_CELL = 16
_MOST_HEAD_CELL = 60


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table, and how to look at it.

    Attributes:
        label: Its name, unique in the table, at most 60 characters and a number.
        dtype: Its type in the words of its library.
        first: Gives the values of the first so many rows.
        facts: Gives facts about every n-th row, a few words each.
        is_index: It is not a column of the frame, but names its rows.
    """

    label: str
    dtype: str
    first: Callable[[int], list[Any]]
    facts: Callable[[int, ValueText], list[str]]
    is_index: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of any library.

    Attributes:
        kind: What it is: ``"pandas DataFrame"``.
        rows: How many rows; ``None`` where nobody can know without work.
        columns: Its columns, those that name the rows first.
        left_out: How many columns were taken out.
    """

    kind: str
    rows: int | None
    columns: tuple[Column, ...]
    left_out: int = 0

    def only(self, labels: Collection[str]) -> Table:
        """Return a table that has nothing of any other column."""
        kept = tuple(column for column in self.columns if column.label in labels)
        left_out = self.left_out + len(self.columns) - len(kept)
        return replace(self, columns=kept, left_out=left_out)


def labels_of(names: Iterable[Hashable], writer: ValueText) -> list[str]:
    """Return unique labels for the names of columns, whatever these are."""
    labels: list[str] = []
    taken: set[str] = set()
    repeats: dict[str, int] = {}
    for name in names:
        if isinstance(name, tuple):
            levels = cast("tuple[object, ...]", name)
            parts = [writer.cell(level, _MOST_LABEL) for level in levels]
            base = (
                cut(" / ".join(part for part in parts if part), _MOST_LABEL) or _NO_NAME
            )
        else:
            base = writer.cell(name, _MOST_LABEL) or _NO_NAME
        label = base
        while label in taken:
            repeats[base] = repeats.get(base, 1) + 1
            label = f"{base} ({repeats[base]})"
        taken.add(label)
        labels.append(label)
    return labels


def table_display(
    table: Table, writer: ValueText, *, rows: int = MOST_SHOWN_ROWS, title: str = ""
) -> TableDisplay:
    """Return what a person sees: at most 50 rows of 30 columns, short cells."""
    columns = table.columns[:MOST_SHOWN_COLUMNS]
    values = [_first(column, min(rows, MOST_SHOWN_ROWS)) for column in columns]
    shown: list[list[str]] = []
    room = _MOST_DISPLAY_BYTES
    for row in zip(*values, strict=False):
        cells = [writer.cell(value, _MOST_CELL) for value in row]
        room -= len(msgspec.json.encode(cells))
        if room < 0:
            break
        shown.append(cells)
    if len(table.columns) > len(columns):
        some = f"{len(columns)} of {counted(len(table.columns), 'column')}"
        title = f"{title} ({some})" if title else some
    return TableDisplay(
        columns=[column.label for column in columns],
        rows=shown,
        total_rows=len(shown) if table.rows is None else table.rows,
        title=title,
    )


def table_text(table: Table, writer: ValueText, *, rows: int, limit: int) -> str:
    """Return what a model reads: shape, columns, statistics and the first rows.

    Args:
        table: The table.
        writer: How values are written.
        rows: How many of the first rows, at most; fewer when they need more room.
        limit: Most characters, at least 400.
    """
    limit = max(limit, _LEAST_LIMIT)
    title = _title(table)
    columns = _columns_text(table, writer, limit * 6 // 10)
    room = limit - len(title) - len(columns) - 4
    head = _head_text(table, writer, rows=rows, limit=room)
    return cut("\n\n".join(part for part in (title, columns, head) if part), limit)


def _title(table: Table) -> str:
    count = sum(not column.is_index for column in table.columns)
    rows = "rows not counted" if table.rows is None else counted(table.rows, "row")
    left_out = f"; {table.left_out:,} more not shown" if table.left_out else ""
    return f"{table.kind}, {rows}, {counted(count, 'column')}{left_out}"


def _columns_text(table: Table, writer: ValueText, limit: int) -> str:
    described = table.columns[:_MOST_DESCRIBED]
    most = max(_LEAST_ROWS_MEASURED, _MOST_CELLS_MEASURED // max(len(described), 1))
    step = sampling_step(table.rows or 0, most)
    lines: list[str] = []
    room = limit - 200
    for column in described:
        dtype = cut(writer.text(column.dtype, _MOST_DTYPE), _MOST_DTYPE)
        kind = f"index, {dtype}" if column.is_index else dtype
        facts = _facts(column, step, writer) if room > 0 else ""
        line = f"- {column.label} ({kind}){': ' if facts else ''}{facts}"
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    names = [column.label for column in table.columns[len(lines) :]]
    if names:
        lines.append(f"- and {_listed(names, 200 + max(room, 0))}")
    if step > 1:
        measured = len(range(0, table.rows or 0, step))
        lines.append(
            f"(Statistics of one row in {step:,}: {measured:,} of {table.rows:,}.)"
        )
    return "\n".join(lines)


def _listed(names: list[str], limit: int) -> str:
    """Return as many names as fit, and how many more there are."""
    shown: list[str] = []
    room = limit - 40
    for name in names:
        room -= len(name) + 2
        if room < 0:
            break
        shown.append(name)
    more = len(names) - len(shown)
    listed = ", ".join(shown)
    if not more:
        return listed
    return f"{listed}, {more:,} more" if listed else f"{more:,} more columns"


def _head_text(table: Table, writer: ValueText, *, rows: int, limit: int) -> str:
    columns = _fitting(table.columns[:MOST_SHOWN_COLUMNS], limit // 3)
    if not columns or table.rows is None or rows < 1:
        return ""
    values = [_first(column, rows) for column in columns]
    count = min((len(column) for column in values), default=0)
    cells = limit // (min(count, 10) + 1) // len(columns) - 1
    width = min(_MOST_HEAD_CELL, max(_LEAST_CELL, cells))
    lines = [_csv(column.label for column in columns)]
    room = limit - len(lines[0]) - 60
    for row in zip(*values, strict=False):
        line = _csv(writer.cell(value, width) for value in row)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    if len(lines) == 1:
        return ""
    shown = counted(len(lines) - 1, "row")
    others = len(table.columns) - len(columns)
    of = f", first {len(columns)} columns" if others > 0 else ""
    return "\n".join([f"First {shown}{of}, as CSV:", *lines])


def _fitting(columns: tuple[Column, ...], limit: int) -> tuple[Column, ...]:
    """Return the first columns whose labels need no more than ``limit`` characters."""
    for count, column in enumerate(columns):
        limit -= len(column.label) + 3
        if limit < 0:
            return columns[:count]
    return columns


def _facts(column: Column, step: int, writer: ValueText) -> str:
    try:
        return ", ".join(column.facts(step, writer))
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return f"no statistics ({type(error).__name__})"


def _first(column: Column, rows: int) -> list[Any]:
    try:
        return column.first(rows)
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return [f"<{type(error).__name__}>"] * rows


def _csv(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
