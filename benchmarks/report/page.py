"""The record as a page of Markdown: ``docs/reference/benchmarks.md``. Pure."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.comparison import LIMITS, compared, titled
from benchmarks.report.plots import overview, plots_of
from benchmarks.report.svg import short
from benchmarks.rig.contenders import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchmarks.report.comparison import Comparison, Standing
    from benchmarks.report.plots import Plot
    from benchmarks.report.record import Group, Record
    from benchmarks.report.spread import Spread

__all__ = ["BUSY_CORES", "NO_REASON", "page", "read_reasons", "score", "summary"]

REASONS = Path(__file__).parent / "reasons.toml"
BUSY_CORES = 0.2
"""What others may do beside a run without its figures being doubted."""
NO_REASON = "No reason is written down yet."
_DASH = "–"  # noqa: RUF001 - a range, and what there is not
_TIMES = "×"  # noqa: RUF001 - a ratio
_HOW_TO_READ = (
    "Medians of the repeats. The ratio is above 1 where this product is ahead, whether "
    "more or less is better; in brackets its lowest and its highest of the repeats. "
    "Where these lie on both sides of 1, the order is not certain."
)


def read_reasons(path: Path = REASONS) -> dict[str, str]:
    """Read why axes are short of a peer or a goal, by the names of the axes."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: " ".join(str(text).split()) for name, text in found.items()}


def summary(groups: Iterable[Group]) -> str:
    """Return one table: a row for each axis, with the ratio to the best peer."""
    head = ("", OURS, "best peer", f"{OURS} is", "goal", "moonshot")
    rows = [
        [
            f"{titled(comparison.axis)} ({comparison.axis.unit})",
            _of_ours(comparison),
            *_of_best_peer(comparison),
            _goal(comparison, comparison.axis.ahead),
            _goal(comparison, comparison.axis.moonshot),
        ]
        for comparison in compared(groups)
    ]
    return _table(head, rows)


def score(groups: Iterable[Group]) -> str:
    """Return in a sentence how many axes are ahead, and how many goals are met."""
    comparisons = compared(groups)
    ahead = [one.is_ahead for one in comparisons]
    goals = [one.reaches(one.axis.ahead) for one in comparisons]
    moonshots = [one.reaches(one.axis.moonshot) for one in comparisons]
    behind = [titled(one.axis) for one in comparisons if one.is_ahead is False]
    return (
        f"Ahead of the best peer on {_part(ahead)} axes that have one; "
        f"{_part(goals)} goals and {_part(moonshots)} moonshots are met."
        + (f"\n\nBehind the best peer: {'; '.join(behind)}." if behind else "")
    )


def _part(marks: list[bool | None]) -> str:
    """Return how many of those that could be told are true."""
    told = [mark for mark in marks if mark is not None]
    return f"{sum(told)} of {len(told)}"


def page(record: Record, reasons: Mapping[str, str], *, images: str) -> str:
    """Return the whole page.

    Args:
        record: What was measured.
        reasons: Why axes are short of something, by their names.
        images: Folder of the plots, as links on this page name it.
    """
    parts = [
        *_opening(record),
        *_picture(overview(record), images),
        "## All axes",
        f"{score(record.groups)}\n\n{_HOW_TO_READ}",
        summary(record.groups),
        "## What is short, and why",
        "\n".join(_reasons(record, reasons)) or "Nothing is.",
    ]
    for group in record.groups:
        parts += _section(group, images)
    parts += ["## Versions", _table(("", "version"), sorted(record.versions.items()))]
    return "\n\n".join(parts) + "\n"


def _opening(record: Record) -> Iterator[str]:
    yield "# Benchmarks"
    yield (
        "Written by the benchmarks themselves, from "
        "[their record](../../benchmarks/results/benchmarks.json). How to read it, how "
        "fair the peers are, and where the time goes: [How fast it is, and "
        "why](../explanation/performance.md)."
    )
    kind = "A quick run: fewer repeats, fewer axes. " if record.quick else ""
    yield f"{kind}Measured with:"
    by_command: dict[str, list[Group]] = {}
    for group in sorted(record.groups, key=lambda group: group.date):
        by_command.setdefault(group.command, []).append(group)
    yield "\n".join(
        f"- `{command}`, {groups[0].date}: "
        + ", ".join(f"`{group.name}`" for group in groups)
        for command, groups in by_command.items()
    )
    yield _table(("", "machine"), record.machine.items())


def _section(group: Group, images: str) -> Iterator[str]:
    yield f"## {group.title}"
    yield (
        f"`benchmarks/axes/{group.name}.py`, {group.date}, {group.seconds:,.0f} s. "
        f"Others kept {group.load_before:.2f} cores busy before, and "
        f"{group.load_during:.2f} while it ran."
    )
    if max(group.load_before, group.load_during) > BUSY_CORES:
        yield "**The machine was busy**: of these figures, believe the ratios at most."
    if group.failure:
        yield f"It failed: {group.failure}"
    for name, why in group.left_out.items():
        yield f"Left out: {name}: {why}."
    for comparison in compared([group]):
        yield f"### {titled(comparison.axis)}"
        if comparison.standings:
            yield _standings(comparison)
        for name, why in comparison.failures.items():
            yield f"{name}: {why}."
    for plot in plots_of(group):
        yield from _picture(plot, images)


def _picture(plot: Plot | None, images: str) -> Iterator[str]:
    if plot is not None:
        yield f"![{plot.title}]({images}/{plot.name}.svg)"


def _standings(comparison: Comparison) -> str:
    head = ("", comparison.axis.unit, "spread", "repeats", f"{OURS} is better by", "")
    return _table(head, [_standing(one) for one in comparison.standings])


def _standing(one: Standing) -> list[str]:
    name = f"**{one.contender}**" if one.contender == OURS else one.contender
    spread = one.spread
    return [
        name,
        short(spread.median),
        _range(spread),
        str(spread.repeats),
        _times(one.ours_better),
        one.note or ("a limit, no peer" if one.contender in LIMITS else ""),
    ]


def _of_ours(comparison: Comparison) -> str:
    ours = comparison.ours
    return _DASH if ours is None else short(ours.spread.median)


def _of_best_peer(comparison: Comparison) -> tuple[str, str]:
    peer = comparison.best_peer
    if peer is None:
        return _DASH, _DASH
    value = f"{short(peer.spread.median)} ({peer.contender})"
    if comparison.is_ahead is None:
        return value, _DASH
    word = "ahead" if comparison.is_ahead else "**behind**"
    return value, f"{word}: {_times(peer.ours_better)}"


def _goal(comparison: Comparison, goal: float | None) -> str:
    if goal is None:
        return _DASH
    sign = "<" if comparison.axis.less_is_better else ">"
    words = {True: "met", False: "not met", None: "not measured"}
    return f"{sign} {short(goal)}: {words[comparison.reaches(goal)]}"


def _reasons(record: Record, reasons: Mapping[str, str]) -> Iterator[str]:
    for comparison in compared(record.groups):
        if comparison.is_short:
            axis = comparison.axis
            yield f"- **{titled(axis)}**: {reasons.get(axis.name, NO_REASON)}"


def _times(spread: Spread | None) -> str:
    if spread is None:
        return _DASH
    if spread.low == spread.high:
        return f"{short(spread.median)} {_TIMES}"
    return f"{short(spread.median)} {_TIMES} [{_range(spread)}]"


def _range(spread: Spread) -> str:
    if spread.low == spread.high:
        return short(spread.low)
    return f"{short(spread.low)}{_DASH}{short(spread.high)}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
