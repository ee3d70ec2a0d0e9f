"""A few words about the values of a column: range, middle, what is frequent."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from numbers import Number
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.tools.libraries import Foreign
    from streamchat_nb.tools.value_text import ValueText

__all__ = [
    "MOST_VALUES_COUNTED",
    "facts_of",
    "number_facts",
    "sampling_step",
    "value_facts",
]

MOST_VALUES_COUNTED = 20_000
"""How many values ``value_facts`` takes at most: the caller picks them."""

_LEAST_STEP = 11
_MOST_KEY = 200
_MOST_SHOWN = 40
_MOST_KINDS = 3
_COUNTABLE = (str, bool, Number, dt.date, dt.time, dt.timedelta)


def sampling_step(length: int, most: int) -> int:
    """Return the distance at which to look, so that at most ``most`` are looked at.

    1 or a prime from 11 on: data that repeats itself (every second row, 7 days, 60
    minutes) is seen in all its phases.
    """
    if length <= most:
        return 1
    step = max(_LEAST_STEP, -(-length // most))
    while any(step % factor == 0 for factor in range(2, math.isqrt(step) + 1)):
        step += 1
    return step


def facts_of(missing: int, rest: Callable[[], list[str]]) -> list[str]:
    """Return a column's facts: how many values are missing, and what ``rest`` says."""
    facts = [f"{missing:,} missing"] if missing else []
    try:
        return facts + rest()
    except Exception as error:  # noqa: BLE001 (a library's code, on any data)
        return [*facts, f"no statistics ({type(error).__name__})"]


def number_facts(
    writer: ValueText, *, least: Foreign, most: Foreign, **middle: Foreign
) -> list[str]:
    """Return the facts of numbers: their range, then mean, median and so on.

    Args:
        writer: How values are written.
        least: The smallest.
        most: The largest.
        **middle: Other figures by name; ``None`` for one that there is not.
    """
    if least == most:
        return [f"always {_number(least, writer)}"]
    facts = {"min": least, **middle, "max": most}
    return [
        f"{name} {_number(value, writer, digits=6 if name in middle else 9)}"
        for name, value in facts.items()
        if value is not None
    ]


def value_facts(values: list[Any], writer: ValueText, *, total: int) -> list[str]:
    """Return the facts of texts and other values: how many distinct, the frequent.

    Args:
        values: The present ones, at most ``MOST_VALUES_COUNTED``.
        writer: How values are written.
        total: How many there are, where ``values`` are some of them.
    """
    if not values:
        return []
    counts: Counter[Any] = Counter()
    others: Counter[str] = Counter()
    for value in values:
        if isinstance(value, str):
            # Long ones by their beginning and length: hashing them takes time.
            counts[
                value if len(value) <= _MOST_KEY else (len(value), value[:_MOST_KEY])
            ] += 1
        elif isinstance(value, _COUNTABLE):
            counts[value] += 1
        else:
            others[type(value).__name__] += 1
    facts: list[str] = []
    if others:
        kinds = [writer.cell(kind, 40) for kind, _ in others.most_common(_MOST_KINDS)]
        facts.append(f"holds {', '.join(kinds)}")
    if counts:
        facts += _counted(counts, writer, looked_at=len(values), total=total)
    return facts


def _counted(
    counts: Counter[Any], writer: ValueText, *, looked_at: int, total: int
) -> list[str]:
    among = f" among {looked_at:,} looked at" if looked_at < total else ""
    facts = [f"{len(counts):,} distinct{among}"]
    value, times = counts.most_common(1)[0]
    if times > 1 and not isinstance(value, tuple):
        shown = writer.cell(value, _MOST_SHOWN)
        if isinstance(value, str):
            shown = f'"{shown}"'
        facts.append(f"most often {shown} ({times / looked_at:.0%})")
    return facts


def _number(value: Foreign, writer: ValueText, *, digits: int = 9) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return writer.cell(value, _MOST_SHOWN)
