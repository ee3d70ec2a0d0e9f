"""Frames, series and indexes of pandas as tables.

The index is a column like others (so that it can be left out like others), unless it
only counts the rows.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from streamchat_nb.tools.arrays import array_facts
from streamchat_nb.tools.column_facts import (
    MOST_VALUES_COUNTED,
    facts_of,
    number_facts,
    sampling_step,
    value_facts,
)
from streamchat_nb.tools.libraries import Foreign, is_from, type_name
from streamchat_nb.tools.tables import Column, Table, labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from streamchat_nb.tools.value_text import ValueText

__all__ = ["pandas_table"]


class _Source(NamedTuple):
    """Where a column's values come from: rows, and then what it is."""

    name: Hashable
    dtype: object
    read: Callable[[slice], Foreign]
    is_index: bool = False


def pandas_table(value: Foreign, writer: ValueText) -> Table:
    """Return a pandas frame, series or index as a table; nothing is copied."""
    if is_from(value, "pandas", "Index"):
        sources = _levels(value, is_index=False)
    elif is_from(value, "pandas", "Series"):
        name = "value" if value.name is None else value.name
        sources = [*_index(value), _Source(name, value.dtype, value.iloc.__getitem__)]
    else:
        named = enumerate(zip(value.columns, value.dtypes, strict=True))
        sources = [
            *_index(value),
            *(
                _Source(name, dtype, partial(_of_frame, value, place))
                for place, (name, dtype) in named
            ),
        ]
    labels = labels_of((source.name for source in sources), writer)
    written = cache(str)  # numpy takes its time
    return Table(
        kind=type_name(value),
        rows=len(value),
        columns=tuple(
            Column(
                label=label,
                dtype=written(source.dtype),
                first=partial(_first, source.read),
                facts=partial(_facts, source.read),
                is_index=source.is_index,
            )
            for label, source in zip(labels, sources, strict=True)
        ),
    )


def _index(value: Foreign) -> list[_Source]:
    index = value.index
    counts = is_from(index, "pandas", "RangeIndex") and index.name is None
    if counts and index.start == 0 and index.step == 1:
        return []
    return _levels(index, is_index=True)


def _levels(index: Foreign, *, is_index: bool) -> list[_Source]:
    """Return name, type and values of each level of an index."""
    if index.nlevels == 1:
        name = ("index" if is_index else "value") if index.name is None else index.name
        return [_Source(name, index.dtype, index.__getitem__, is_index)]
    return [
        _Source(
            f"level {place}" if name is None else name,
            index.levels[place].dtype,
            partial(_of_level, index, place),
            is_index,
        )
        for place, name in enumerate(index.names)
    ]


def _of_frame(frame: Foreign, place: int, rows: slice) -> Foreign:
    return frame.iloc[rows, place]


def _of_level(index: Foreign, place: int, rows: slice) -> Foreign:
    return index[rows].get_level_values(place)


def _first(read: Callable[[slice], Any], rows: int) -> list[Any]:
    return list(read(slice(0, rows)).tolist())


def _facts(read: Callable[[slice], Any], step: int, writer: ValueText) -> list[str]:
    values = read(slice(None, None, step))
    if step > 1:
        values = values.copy()  # side by side in memory: read many times
    missing = int(values.isna().sum())
    present = values.dropna() if missing else values
    return facts_of(missing, partial(_statistics, present, writer))


def _statistics(present: Foreign, writer: ValueText) -> list[str]:
    if not len(present):
        return []
    match getattr(present.dtype, "kind", "O"):
        case "i" | "u" | "f" | "b":
            return array_facts(present.to_numpy(), writer)
        case "M" | "m":
            return number_facts(writer, least=present.min(), most=present.max())
        case _:
            step = sampling_step(len(present), MOST_VALUES_COUNTED)
            some = getattr(present, "iloc", present)[::step].tolist()
            return value_facts(some, writer, total=len(present))
