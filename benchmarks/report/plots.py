"""Which plots a record gives.

What an axis module leaves in ``Measurement.detail`` decides: ``samples`` is a
distribution, in the unit of the axis; ``curve_x`` and ``curve_y`` are a curve, and
``curve_x_title`` and ``curve_y_title`` say of what; so are ``tokens`` and what is named
``…_per_token``. A group that has neither shows the first of its axes that has several
contenders, as bars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.report.charts import Bar, Goal, Line, Look, bar_chart, line_chart
from benchmarks.report.comparison import LIMITS, compared, titled
from benchmarks.rig.contenders import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.report.comparison import Comparison
    from benchmarks.report.record import Group, Record
    from benchmarks.rig.measurement import Axis, Measurement

__all__ = ["OVERVIEW", "Plot", "overview", "plots_of"]

OVERVIEW = "overview"
_COLOURS = {
    OURS: 0,
    "NestJS + Socket.IO": 1,
    "Node ws": 2,
    "Tornado + SDK": 3,
    "jupyter_server + SDK": 4,
    "jupyter-ai": 5,
    "ipywidgets.HTML": 7,
}
_OTHER = 6
BARE = "raw upstream"
"""The limit with nothing in between."""
_PERCENTILE = re.compile(r", p\d+$")
_OF_ONE = "_per_token"


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture.

    Attributes:
        name: Of its file, without an ending.
        title: What it shows.
        svg: The picture.
    """

    name: str
    title: str
    svg: str


def overview(record: Record) -> Plot | None:
    """Show how many times better than its best peer this product is, on all axes."""
    bars = [
        Bar(
            name=_cut(titled(comparison.axis)),
            look=Look("c0" if comparison.is_ahead else "c1"),
            value=times.median,
            low=times.low,
            high=times.high,
        )
        for comparison in compared(record.groups)
        for peer in [comparison.best_peer]
        if peer is not None
        for times in [peer.ours_better]
        if times is not None
    ]
    if not bars:
        return None
    title = "How many times better than the best peer"
    svg = bar_chart(
        bars,
        title=title,
        subtitle="Median and spread of the repeats; to the left of 1 it is behind",
        goals=[Goal(name="even", value=1.0, label="as good as the best peer")],
        origin=1.0,
    )
    return Plot(name=OVERVIEW, title=title, svg=svg)


def plots_of(group: Group) -> list[Plot]:
    """Return the plots of a group, at least one where it has several contenders."""
    plots = [
        plot
        for axis in group.axes
        for plot in (_distribution(group, axis), _curve(group, axis))
        if plot is not None
    ]
    if plots:
        return plots
    several = (one for one in compared([group]) if len(one.standings) > 1)
    first = next(several, None)
    return [] if first is None else [_bars(first)]


def _distribution(group: Group, axis: Axis) -> Plot | None:
    lines = [
        Line(
            name=one.contender,
            look=_look(one.contender),
            xs=samples,
            ys=[100 * (rank + 1) / len(samples) for rank in range(len(samples))],
        )
        for one in _of_each(group.measurements, axis)
        for samples in [sorted(_numbers(one, "samples"))]
        if samples
    ]
    if not lines:
        return None
    title = _PERCENTILE.sub("", titled(axis))
    svg = line_chart(
        lines,
        title=title,
        x_title=axis.unit,
        y_title="% of all, at most so much",
        is_log=(True, False),
    )
    return Plot(name=axis.name, title=title, svg=svg)


def _curve(group: Group, axis: Axis) -> Plot | None:
    curves = [
        (one.contender, curve)
        for one in _of_each(group.measurements, axis)
        for curve in [_curve_of(one)]
        if curve is not None
    ]
    if not curves:
        return None
    _, (_, _, x_title, y_title) = curves[0]
    svg = line_chart(
        [
            Line(name=contender, look=_look(contender), xs=xs, ys=ys)
            for contender, (xs, ys, _, _) in curves
        ],
        title=titled(axis),
        x_title=x_title,
        y_title=y_title or axis.unit,
        is_log=(True, True),
    )
    return Plot(name=f"{axis.name}-curve", title=titled(axis), svg=svg)


def _curve_of(
    measurement: Measurement,
) -> tuple[list[float], list[float], str, str] | None:
    """Return the points of a curve, x and y, and what they are."""
    detail = measurement.detail
    xs, ys = _numbers(measurement, "curve_x"), _numbers(measurement, "curve_y")
    x_title = str(detail.get("curve_x_title", "tokens"))
    y_title = str(detail.get("curve_y_title", ""))
    if not xs:
        of_one = next((name for name in detail if name.endswith(_OF_ONE)), "")
        xs, ys = _numbers(measurement, "tokens"), _numbers(measurement, of_one)
        y_title = y_title or of_one.replace("_", " ")
    return (xs, ys, x_title, y_title) if xs and len(xs) == len(ys) else None


def _bars(comparison: Comparison) -> Plot:
    axis = comparison.axis
    svg = bar_chart(
        [
            Bar(
                name=one.contender,
                look=_look(one.contender),
                value=one.spread.median,
                low=one.spread.low,
                high=one.spread.high,
            )
            for one in comparison.standings
        ],
        title=titled(axis),
        subtitle=f"{axis.unit}; {'less' if axis.less_is_better else 'more'} is better",
        goals=[
            Goal(name=name, value=value)
            for name, value in (("goal", axis.ahead), ("moonshot", axis.moonshot))
            if value is not None
        ],
        is_log=True,
    )
    return Plot(name=axis.name, title=titled(axis), svg=svg)


def _look(contender: str) -> Look:
    classes = f"c{_COLOURS.get(contender, _OTHER)}"
    if contender == OURS:
        return Look(f"{classes} ours")
    if contender == BARE:
        return Look(f"{classes} nothing")
    return Look(f"{classes} limit" if contender in LIMITS else classes)


def _of_each(measurements: Iterable[Measurement], axis: Axis) -> list[Measurement]:
    """Return the first measurement of each contender on an axis, ours first."""
    first: dict[str, Measurement] = {}
    for one in measurements:
        if one.axis == axis.name:
            first.setdefault(one.contender, one)
    return sorted(first.values(), key=lambda one: one.contender != OURS)


def _numbers(measurement: Measurement, name: str) -> list[float]:
    value = measurement.detail.get(name)
    return value if isinstance(value, list) else []


def _cut(title: str, characters: int = 58) -> str:
    return title if len(title) <= characters else f"{title[: characters - 1].rstrip()}…"
