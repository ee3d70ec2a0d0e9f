"""Two kinds of plots: lines over two axes, and bars with their spread. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report.svg import Scale, document, element, short, text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bar", "Goal", "Line", "Look", "bar_chart", "line_chart"]

_WIDTH = 760
_LEFT, _RIGHT, _TOP = 72, 720, 64
_LINES_BOTTOM = 330
_LEGEND_ROW = 20
_LEGEND_COLUMN = 225
_LETTER = 6.7
"""How wide a letter of a name is, about."""
_BARS_LEFT = (120, 400)
"""Where bars begin, at least and at most."""
_BARS_RIGHT = 610
_BAR_ROW = 30
_SHORTEST_BAR = 2.5
"""So many times less than the least value is where bars by a logarithm begin."""
_ROOM = 1.15
_LEAST_FACTOR = 2.0
"""How far a scale with an origin reaches to each side, at least."""


@dataclass(frozen=True)
class Look:
    """How something is drawn: classes of the style sheet, one for the colour."""

    classes: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a plot."""

    name: str
    look: Look
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar of a plot, with what it is spread over."""

    name: str
    look: Look
    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A value that was set out for, or that others are measured by.

    Attributes:
        name: Its class in the style sheet, and what it is called.
        value: Where it is.
        label: What it is called in place of its name and value; may be empty.
    """

    name: str
    value: float
    label: str = ""


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str,
    y_title: str,
    is_log: tuple[bool, bool] = (False, False),
) -> str:
    """Return a plot of at least one line, as SVG.

    Args:
        lines: Each of at least one point.
        title: Above it.
        x_title: Below the axis to the right.
        y_title: Above the axis upwards.
        is_log: Whether the axes, x and y, go by the logarithm where values are far
            apart.
    """
    x = Scale.around(
        [value for line in lines for value in line.xs],
        start=_LEFT,
        end=_RIGHT,
        is_log=is_log[0],
    )
    y = Scale.around(
        [value for line in lines for value in line.ys],
        start=_LINES_BOTTOM,
        end=_TOP,
        is_log=is_log[1],
    )
    marks = [*_heading(title, y_title), *_grid(x, y)]
    marks.append(
        text(x_title, _RIGHT, _LINES_BOTTOM + 36, class_="faint", text_anchor="end")
    )
    # The most important one is on top of the others.
    for line in reversed(lines):
        points = " ".join(
            f"{x(at)},{y(value)}" for at, value in zip(line.xs, line.ys, strict=True)
        )
        marks.append(
            element("polyline", class_=f"line {line.look.classes}", points=points)
        )
    legend_top = _LINES_BOTTOM + 58
    marks += _legend([(line.name, line.look) for line in lines], legend_top)
    rows = -(-len(lines) // 3)
    names = ", ".join(line.name for line in lines)
    return document(
        marks,
        title=title,
        description=f"{y_title} over {x_title}, a line each for {names}.",
        width=_WIDTH,
        height=legend_top + rows * _LEGEND_ROW,
    )


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    subtitle: str,
    goals: Sequence[Goal] = (),
    is_log: bool = False,
    origin: float | None = None,
) -> str:
    """Return a plot of at least one bar, as SVG.

    Args:
        bars: From above to below.
        title: Above it.
        subtitle: What the values are, with their unit.
        goals: Shown as lines across.
        is_log: Whether lengths go by the logarithm where values are far apart.
        origin: A value that bars begin at, to either side of it; lengths go by the
            logarithm. ``None``: all begin on the left.
    """
    x = _scale_of_bars(bars, goals, is_log=is_log, origin=origin)
    bottom = _TOP + len(bars) * _BAR_ROW
    marks = _heading(title, subtitle)
    for tick in x.ticks:
        marks.append(_rule(x(tick), _TOP - 6, x(tick), bottom))
        marks.append(
            text(
                short(tick), x(tick), bottom + 16, class_="faint", text_anchor="middle"
            )
        )
    marks += [
        _rule(x(goal.value), _TOP - 6, x(goal.value), bottom, kind=goal.name)
        for goal in goals
    ]
    begin = x.start if origin is None else x(origin)
    for number, bar in enumerate(bars):
        marks += _bar(bar, x, begin, _TOP + number * _BAR_ROW)
    for number, goal in enumerate(goals):
        key, left = bottom + 40, x.start + number * _LEGEND_COLUMN
        marks.append(_rule(left, key - 4, left + 24, key - 4, kind=goal.name))
        label = goal.label or f"{goal.name}: {short(goal.value)}"
        marks.append(text(label, left + 30, key))
    said = "; ".join(f"{bar.name} {short(bar.value)}" for bar in bars)
    return document(
        marks,
        title=title,
        description=f"{subtitle}: {said}.",
        width=_WIDTH,
        height=bottom + (52 if goals else 26),
    )


def _scale_of_bars(
    bars: Sequence[Bar],
    goals: Sequence[Goal],
    *,
    is_log: bool,
    origin: float | None,
) -> Scale:
    """Return the scale of bars, with room for their names and their values."""
    longest = max(len(bar.name) for bar in bars)
    start = min(max(_BARS_LEFT[0], round(20 + longest * _LETTER)), _BARS_LEFT[1])
    values = [value for bar in bars for value in (bar.low, bar.value, bar.high)]
    values += [goal.value for goal in goals]
    if origin is not None and min(values) > 0:
        return Scale(
            low=min(min(values) / _ROOM, origin / _LEAST_FACTOR),
            high=max(max(values) * _ROOM, origin * _LEAST_FACTOR),
            start=start,
            end=_BARS_RIGHT,
            is_log=True,
        )
    if is_log and min(values) > 0:
        values.append(min(values) / _SHORTEST_BAR)
    return Scale.around(values, start=start, end=_BARS_RIGHT, is_log=is_log)


def _heading(title: str, subtitle: str) -> list[str]:
    return [
        text(title, 12, 22, class_="title"),
        text(subtitle, 12, 42, class_="faint"),
    ]


def _grid(x: Scale, y: Scale) -> list[str]:
    marks: list[str] = []
    for tick in y.ticks:
        marks.append(_rule(_LEFT, y(tick), _RIGHT, y(tick)))
        marks.append(
            text(short(tick), _LEFT - 8, y(tick) + 4, class_="faint", text_anchor="end")
        )
    for tick in x.ticks:
        marks.append(_rule(x(tick), _LINES_BOTTOM, x(tick), _LINES_BOTTOM + 5))
        marks.append(
            text(
                short(tick),
                x(tick),
                _LINES_BOTTOM + 18,
                class_="faint",
                text_anchor="middle",
            )
        )
    return marks


def _legend(entries: Sequence[tuple[str, Look]], top: float) -> list[str]:
    marks: list[str] = []
    for number, (name, look) in enumerate(entries):
        left = 12 + number % 3 * _LEGEND_COLUMN
        line = top + number // 3 * _LEGEND_ROW
        marks.append(
            element(
                "line",
                class_=f"line {look.classes}",
                x1=left,
                y1=line - 4,
                x2=left + 24,
                y2=line - 4,
            )
        )
        marks.append(text(name, left + 30, line))
    return marks


def _bar(bar: Bar, x: Scale, begin: float, top: float) -> list[str]:
    middle = top + _BAR_ROW / 2
    low, high = x(bar.low), x(bar.high)
    left, right = sorted((begin, x(bar.value)))
    return [
        text(bar.name, x.start - 8, middle + 4, text_anchor="end"),
        element(
            "rect",
            class_=f"bar {bar.look.classes}",
            x=left,
            y=top + 6,
            width=max(1.0, round(right - left, 1)),
            height=_BAR_ROW - 12,
            opacity=0.8,
        ),
        _rule(low, middle, high, middle, kind="whisker"),
        text(
            short(bar.value) if low == high else f"{short(bar.value)}  ({_range(bar)})",
            max(high, right) + 8,
            middle + 4,
            class_="value",
        ),
    ]


def _range(bar: Bar) -> str:
    return f"{short(bar.low)}–{short(bar.high)}"  # noqa: RUF001 - a range


def _rule(x1: float, y1: float, x2: float, y2: float, *, kind: str = "rule") -> str:
    return element("line", class_=kind, x1=x1, y1=y1, x2=x2, y2=y2)
