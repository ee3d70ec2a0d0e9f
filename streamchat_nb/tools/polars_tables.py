"""Frames and series of polars as tables; a lazy frame only by its schema."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

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
    from streamchat_nb.tools.value_text import ValueText

__all__ = ["polars_table"]

_MOST_ITEMS = 40


def polars_table(value: Foreign, writer: ValueText) -> Table:
    """Return a polars frame or series as a table; a lazy frame is never collected."""
    if is_from(value, "polars", "LazyFrame"):
        return _lazy_table(value, writer)
    series = [value] if is_from(value, "polars", "Series") else value.get_columns()
    labels = labels_of((one.name or "value" for one in series), writer)
    return Table(
        kind=type_name(value),
        rows=len(value),
        columns=tuple(
            Column(
                label=label,
                dtype=str(one.dtype),
                first=partial(_first, one),
                facts=partial(_facts, one),
            )
            for label, one in zip(labels, series, strict=True)
        ),
    )


def _lazy_table(value: Foreign, writer: ValueText) -> Table:
    schema = value.collect_schema()
    labels = labels_of(schema.names(), writer)
    return Table(
        kind=f"{type_name(value)} (not collected)",
        rows=None,
        columns=tuple(
            Column(
                label=label,
                dtype=str(dtype),
                first=lambda _rows: [],
                facts=lambda _step, _writer: [],
            )
            for label, dtype in zip(labels, schema.dtypes(), strict=True)
        ),
    )


def _first(series: Foreign, rows: int) -> list[Any]:
    series = series.head(rows)
    if str(series.dtype).startswith("List("):
        # One cell may hold millions.
        series = series.list.head(_MOST_ITEMS)
    return list(series.to_list())


def _facts(series: Foreign, step: int, writer: ValueText) -> list[str]:
    values = series[::step] if step > 1 else series
    return facts_of(values.null_count(), partial(_statistics, values, writer))


def _statistics(values: Foreign, writer: ValueText) -> list[str]:
    present = values.drop_nulls()
    if not len(present):
        return []
    dtype = present.dtype
    if dtype.is_numeric():
        return _of_numbers(present, writer)
    if dtype.is_temporal():
        return number_facts(writer, least=present.min(), most=present.max())
    if str(dtype) == "Boolean":
        return [f"{present.sum():,} true"]
    if dtype.is_nested() or str(dtype) == "Binary":
        return []
    step = sampling_step(len(present), MOST_VALUES_COUNTED)
    return value_facts(present[::step].to_list(), writer, total=len(present))


def _of_numbers(present: Foreign, writer: ValueText) -> list[str]:
    facts: list[str] = []
    if present.dtype.is_float():
        nan, infinite = present.is_nan().sum(), present.is_infinite().sum()
        facts += [f"{nan:,} NaN"] if nan else []
        facts += [f"{infinite:,} infinite"] if infinite else []
        present = present.filter(present.is_finite())
    if not len(present):
        return facts
    return facts + number_facts(
        writer,
        least=present.min(),
        most=present.max(),
        median=present.median(),
        mean=present.mean(),
        std=present.std(),
    )
