"""Arrays of numpy: what is in them, as text and as a table for people."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from streamchat_nb.tools.column_facts import (
    MOST_VALUES_COUNTED,
    facts_of,
    number_facts,
    sampling_step,
    value_facts,
)
from streamchat_nb.tools.libraries import Foreign, is_from, loaded, type_name
from streamchat_nb.tools.tables import MOST_SHOWN_COLUMNS, Column, Table, labels_of

if TYPE_CHECKING:
    from streamchat_nb.tools.value_text import ValueText

__all__ = ["array_facts", "array_table", "array_text"]

_MOST_MEASURED = 500_000
_MOST_WRITTEN = 200
_MATRIX = 2
_MATRIX_ROWS = 8


def array_text(array: Foreign, writer: ValueText, *, limit: int) -> str:
    """Return an array as text: shape, type, statistics, all or the first values."""
    dtype = writer.cell(str(array.dtype), 60)
    title = f"{type_name(array)}, shape {array.shape}, {dtype}"
    if not array.size:
        return f"{title}, empty"
    step = sampling_step(array.size, _MOST_MEASURED)
    facts = facts_of(0, lambda: array_facts(_sample(array, step), writer))
    if array.dtype.names:
        facts = []
    every = f" (of one value in {step:,})" if step > 1 and facts else ""
    whole = array.size <= _MOST_WRITTEN
    first = array if whole else _corner(array)
    room = max(40, limit - len(title) - len(", ".join(facts)) - len(every) - 60)
    values = writer.written(_rounded(first.tolist()), room)
    said = f"{', '.join(facts)}{every}\n" if facts else ""
    return f"{title}\n{said}{'Values' if whole else 'First values'}: {values}"


def array_table(array: Foreign, writer: ValueText) -> Table | None:
    """Return an array of one or two dimensions as a table, ``None`` for others."""
    if not array.size or array.ndim not in (1, _MATRIX):
        return None
    if array.dtype.names and array.ndim == 1:
        names: list[Any] = list(array.dtype.names)
        columns = [array[name] for name in names[:MOST_SHOWN_COLUMNS]]
    elif array.ndim == 1:
        names, columns = ["value"], [array]
    else:
        names = list(range(array.shape[1]))
        columns = [array[:, place] for place in names[:MOST_SHOWN_COLUMNS]]
    shown = tuple(
        Column(
            label=label,
            dtype=str(column.dtype),
            first=partial(_first, column),
            facts=lambda _step, _writer: [],
        )
        for label, column in zip(labels_of(names, writer), columns, strict=False)
    )
    return Table(
        kind=type_name(array),
        rows=len(array),
        columns=shown,
        left_out=len(names) - len(shown),
    )


def array_facts(array: Foreign, writer: ValueText) -> list[str]:
    """Return the facts of an array's values, all of which are looked at."""
    with loaded("numpy").errstate(all="ignore"):
        match array.dtype.kind:
            case "b":
                return [f"{int(array.sum()):,} true"]
            case "i" | "u":
                return _of_numbers(array, writer)
            case "f":
                return _of_floats(array, writer)
            case "M" | "m":
                return _of_times(array, writer)
            case "O" | "U" | "S":
                step = sampling_step(array.size, MOST_VALUES_COUNTED)
                return value_facts(array[::step].tolist(), writer, total=array.size)
            case _:
                return []


def _of_floats(array: Foreign, writer: ValueText) -> list[str]:
    numpy = loaded("numpy")
    nan = int(numpy.isnan(array).sum())
    infinite = int(numpy.isinf(array).sum())
    facts = [f"{nan:,} NaN"] if nan else []
    facts += [f"{infinite:,} infinite"] if infinite else []
    finite = array[numpy.isfinite(array)] if facts else array
    return facts + _of_numbers(finite, writer)


def _of_times(array: Foreign, writer: ValueText) -> list[str]:
    is_missing = loaded("numpy").isnat(array)
    missing = int(is_missing.sum())
    facts = [f"{missing:,} NaT"] if missing else []
    present = array[~is_missing] if missing else array
    if not present.size:
        return facts
    least, most = str(present.min()), str(present.max())
    return facts + number_facts(writer, least=least, most=most)


def _of_numbers(array: Foreign, writer: ValueText) -> list[str]:
    if not array.size:
        return []
    numpy = loaded("numpy")
    values = array.astype("float64", copy=False)
    return number_facts(
        writer,
        least=array.min().item(),
        most=array.max().item(),
        median=float(numpy.median(values)),
        mean=float(values.mean()),
        std=float(values.std(ddof=1)) if array.size > 1 else None,
    )


def _sample(array: Foreign, step: int) -> Foreign:
    """Return every ``step``-th value, masked ones left out, as one dimension."""
    # A view where the memory allows, and no copy of all of it elsewhere.
    flat = array.reshape(-1, order="A") if array.flags.forc else array.flat
    some = flat[::step].copy()  # side by side in memory: read many times
    if is_from(array, "numpy.ma", "MaskedArray"):
        return some.compressed()
    return some


def _corner(array: Foreign) -> Foreign:
    """Return the first values: of one dimension many, of more the first matrix's."""
    if array.ndim == 1:
        return array[:_MOST_WRITTEN]
    leading = (slice(0, 1),) * (array.ndim - _MATRIX)
    return array[(*leading, slice(0, _MATRIX_ROWS), slice(0, _MATRIX_ROWS))]


def _rounded(values: Foreign) -> Foreign:
    """Return numbers as they are read, not to the last digit."""
    if isinstance(values, list):
        return [_rounded(value) for value in cast("list[Any]", values)]
    return float(f"{values:.8g}") if isinstance(values, float) else values


def _first(column: Foreign, rows: int) -> list[Any]:
    return list(column[:rows].tolist())
