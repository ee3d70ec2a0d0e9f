"""Any value of Python as what a model reads and what people see.

The libraries of data are never imported: a value of theirs exists only where somebody
else has imported them.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, cast

import msgspec

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import ImageDisplay, TableDisplay, TextDisplay
from streamchat_nb.tools.arrays import array_table, array_text
from streamchat_nb.tools.figures import (
    MOST_PICTURE_CHARACTERS,
    close_new_figures,
    figure_display,
    figure_text,
    figures_in,
    image_display,
    image_text,
)
from streamchat_nb.tools.libraries import is_from, type_name
from streamchat_nb.tools.llm_hook import has_hook, said_and_shown
from streamchat_nb.tools.output import encode_words
from streamchat_nb.tools.pandas_tables import pandas_table
from streamchat_nb.tools.polars_tables import polars_table
from streamchat_nb.tools.tables import table_display, table_text
from streamchat_nb.tools.tool import ToolResult
from streamchat_nb.tools.value_text import ValueText, counted

if TYPE_CHECKING:
    from collections.abc import Collection

    from streamchat_nb.protocol.content import Display
    from streamchat_nb.tools.tables import Table

__all__ = ["MOST_TEXT", "is_used_up_by_reading", "result_of", "table_of", "text_of"]

MOST_TEXT = 4_000
"""Most characters about a table, an array or an object."""

_MOST_JSON = 100_000
_MOST_DISPLAY_CHARACTERS = 150_000
_MOST_DISPLAYS = 8
_MOST_BYTES_SHOWN = 64
_ROWS = 5
_FEW_ROWS = 30  # that many are all shown: a summary, say
_everything = ValueText()


def result_of(
    value: object, *, figures_before: Collection[int] | None = None
) -> ToolResult:
    """Return what a function gave, as the result of a tool.

    Text stays as it is. Data frames, series and arrays become shape, types,
    statistics and first rows (about 4,000 characters) with a table for people;
    figures and images become words with a picture; dicts, lists and records become
    JSON; other objects their representation. What has a method ``__llm__`` says
    itself what a model may see. A ``ToolResult`` is returned as it is.

    Safe on any thread. Large data is sampled, which the text says.

    Args:
        value: Anything.
        figures_before: What ``pyplot_figures`` gave before the function ran: figures
            that pyplot has made since are closed once they are drawn. ``None`` closes
            none.

    Raises:
        ToolError: A generator or another value that reading would use up.
    """
    if isinstance(value, ToolResult):
        return value
    if has_hook(value):
        return _result_by_hook(value)
    if is_used_up_by_reading(value):
        raise ToolError(
            f"The tool returned a {type_name(value)}, which gives its values only "
            "once; return a list of them, for example list(values).",
            code="tool_result_unencodable",
        )
    output, display = _described(value)
    if figures_before is not None:
        close_new_figures(figures_in(value), before=figures_before)
    return ToolResult(output=output, display=display)


def table_of(value: object, writer: ValueText) -> Table | None:
    """Return a data frame, series or index as a table, ``None`` for all else."""
    if is_from(value, "pandas", "DataFrame", "Series", "Index"):
        return pandas_table(value, writer)
    if is_from(value, "polars", "DataFrame", "LazyFrame", "Series"):
        return polars_table(value, writer)
    return None


def text_of(value: object, writer: ValueText, *, limit: int) -> str:
    """Return what a model reads of a value that is no data frame; never empty.

    Args:
        value: Anything but what ``table_of`` takes.
        writer: How values are written.
        limit: Most characters; of an array or an object 4,000 at most.
    """
    figures = figures_in(value)
    if figures:
        return writer.text("\n\n".join(map(figure_text, figures)), limit)
    if is_from(value, "PIL.Image", "Image"):
        return writer.text(image_text(value), limit)
    if is_from(value, "numpy", "ndarray") and cast("Any", value).ndim:
        return array_text(value, writer, limit=min(limit, MOST_TEXT))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes_text(memoryview(cast("bytes", value)), writer)
    return writer.written(value, limit) or "(empty text)"


def is_used_up_by_reading(value: object) -> bool:
    """Say whether reading a value would take it from whoever reads it next."""
    if isinstance(value, io.IOBase):
        return False  # its representation says more than its lines
    return isinstance(value, (Iterator, AsyncIterator))


def _result_by_hook(value: object) -> ToolResult:
    said, shown = said_and_shown(value)
    if isinstance(said, ToolResult):
        return said
    displays: list[Display] = []
    room = _MOST_DISPLAY_CHARACTERS
    for one in shown[:_MOST_DISPLAYS]:
        is_display = isinstance(one, (ImageDisplay, TableDisplay, TextDisplay))
        for display in (one,) if is_display else _described(one)[1]:
            room -= len(msgspec.json.encode(display))
            if room >= 0:
                displays.append(display)
    again = has_hook(said) or is_used_up_by_reading(said)
    output = f"<{type_name(said)}>" if again else _described(said)[0]
    return ToolResult(output=output, display=tuple(displays))


def _described(value: object) -> tuple[str, tuple[Display, ...]]:
    """Return what a model reads of a value, and what people are shown beside it."""
    if value is None or isinstance(value, str):
        return encode_words(value), ()
    try:
        table = table_of(value, _everything)
        if table is None:
            return text_of(value, _everything, limit=_MOST_JSON), _shown(value)
        rows = _ROWS if (table.rows or 0) > _FEW_ROWS else _FEW_ROWS
        text = table_text(table, _everything, rows=rows, limit=MOST_TEXT)
        return text, _shown_table(table)
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return f"<{type_name(value)}; describing it raised {type_name(error)}>", ()


def _shown(value: object) -> tuple[Display, ...]:
    try:
        figures = figures_in(value)
        if figures:
            limit = MOST_PICTURE_CHARACTERS // len(figures)
            return tuple(figure_display(figure, limit=limit) for figure in figures)
        if is_from(value, "PIL.Image", "Image"):
            return (image_display(value),)
        if is_from(value, "numpy", "ndarray"):
            return _shown_table(array_table(value, _everything))
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return (TextDisplay(text=f"It cannot be drawn ({type_name(error)})."),)
    return ()


def _shown_table(table: Table | None) -> tuple[Display, ...]:
    if table is None or table.rows is None:
        return ()
    return (table_display(table, _everything),)


def _bytes_text(value: memoryview[Any], writer: ValueText) -> str:
    if not value.nbytes:
        return "0 bytes"
    # A view may be of other things than bytes, and of rows of them.
    beginning = value[:_MOST_BYTES_SHOWN].tobytes()[:_MOST_BYTES_SHOWN]
    shown = writer.representation(beginning, MOST_TEXT)
    return f"{counted(value.nbytes, 'byte')}, beginning {shown}"
