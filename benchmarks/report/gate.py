"""Holds the ratios of a quick run to those of a baseline. Never a time to a time.

A ratio says how many times better this product is than a peer, both measured side by
side in one run; so it moves little where the whole machine is slower. It has regressed
only when all of what was measured lies below all of the baseline, by a margin. What is
too widely spread to say so, or was measured while others kept the machine busy, is said
to be that, and fails nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

from benchmarks.report.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from benchmarks.report.comparison import Comparison
    from benchmarks.report.record import Group

__all__ = [
    "BASELINE",
    "DISTURBED_CORES",
    "LEAST_REPEATS",
    "MARGIN",
    "WIDEST",
    "Baseline",
    "Judgement",
    "Ratio",
    "baseline_of",
    "disturbed",
    "in_words",
    "judged",
    "passes",
    "ratios_of",
    "read_baseline",
    "write_baseline",
]

BASELINE = Path(__file__).parents[1] / "results" / "baseline.json"
MARGIN = 1.25
"""How many times lower than all of the baseline all of a ratio has to be."""
LEAST_REPEATS = 3
"""Fewer are no spread to judge by."""
WIDEST = 3.0
"""A ratio of which the most is more times the least than this is too noisy."""

DISTURBED_CORES = 0.3
"""With so many kept busy by others, who has several threads looks worse than he is."""

Verdict = Literal["held", "regressed", "too noisy", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times better than a peer this product is on an axis."""

    axis: str
    peer: str
    times: Spread


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What is held to.

    Attributes:
        command: That measured it.
        date: When; ISO 8601.
        machine: On what, in words.
        runs: How many runs it is of; ``low`` and ``high`` are of all of them.
        ratios: One for each axis and peer.
    """

    command: str
    date: str
    machine: dict[str, str]
    runs: int
    ratios: list[Ratio]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What became of one ratio of the baseline.

    Attributes:
        then: The baseline's.
        now: This run's; ``None`` where it was not measured.
        verdict: What to make of it.
    """

    then: Ratio
    now: Spread | None
    verdict: Verdict


def read_baseline(path: Path = BASELINE) -> Baseline:
    """Read what ``write_baseline`` wrote.

    Raises:
        OSError: There is no such file.
        msgspec.DecodeError: It holds something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Baseline)


def write_baseline(baseline: Baseline, path: Path = BASELINE) -> None:
    """Write a baseline, one line for each figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.encode(baseline)
    path.write_bytes(msgspec.json.format(encoded, indent=1) + b"\n")


def ratios_of(comparisons: Iterable[Comparison]) -> list[Ratio]:
    """Return the ratio to each contender on each axis that has one."""
    return [
        Ratio(axis=one.axis.name, peer=peer.contender, times=peer.ours_better)
        for one in comparisons
        for peer in one.standings
        if peer.ours_better is not None
    ]


def baseline_of(
    runs: Sequence[Sequence[Ratio]], *, command: str, date: str, machine: dict[str, str]
) -> Baseline:
    """Return the baseline that several runs make, with the spread of all of them.

    Args:
        runs: The ratios of each run; one that is not in all of them is left out.
        command: That measured them.
        date: When.
        machine: On what.
    """
    found: dict[tuple[str, str], list[Spread]] = {}
    for run in runs:
        for ratio in run:
            found.setdefault((ratio.axis, ratio.peer), []).append(ratio.times)
    return Baseline(
        command=command,
        date=date,
        machine=machine,
        runs=len(runs),
        ratios=[
            Ratio(axis=axis, peer=peer, times=_united(spreads))
            for (axis, peer), spreads in found.items()
            if len(spreads) == len(runs)
        ],
    )


def disturbed(groups: Iterable[Group]) -> set[str]:
    """Return the axes that were measured while others kept the machine busy."""
    return {
        axis.name
        for group in groups
        if max(group.load_before, group.load_during) > DISTURBED_CORES
        for axis in group.axes
    }


def judged(
    ratios: Iterable[Ratio], baseline: Baseline, *, disturbed: Collection[str] = ()
) -> list[Judgement]:
    """Judge each ratio of the baseline by those of a run.

    Args:
        ratios: Of the run.
        baseline: What to hold them to.
        disturbed: Axes of which nothing worse can be said than that they are noisy.
    """
    now = {(ratio.axis, ratio.peer): ratio.times for ratio in ratios}
    judgements: list[Judgement] = []
    for then in baseline.ratios:
        found = now.get((then.axis, then.peer))
        verdict = _verdict(found, then.times)
        if verdict == "regressed" and then.axis in disturbed:
            verdict = "too noisy"
        judgements.append(Judgement(then=then, now=found, verdict=verdict))
    return judgements


def passes(judgements: Sequence[Judgement]) -> bool:
    """Whether nothing has regressed, and something was measured to say so."""
    verdicts = {judgement.verdict for judgement in judgements}
    return "regressed" not in verdicts and bool(verdicts - {"not measured"})


def in_words(judgements: Iterable[Judgement]) -> str:
    """Return a line for each judgement, to be read by a person."""
    return "\n".join(
        f"{one.verdict:12} {one.then.axis}, against {one.then.peer}: "
        f"{_times(one.now)} (baseline {_times(one.then.times)})"
        for one in judgements
    )


def _verdict(now: Spread | None, then: Spread) -> Verdict:
    if now is None:
        return "not measured"
    floor = then.low / MARGIN
    if now.median >= floor:
        return "held"
    is_clear = now.high < floor
    can_tell = now.repeats >= LEAST_REPEATS and now.width <= WIDEST
    return "regressed" if is_clear and can_tell else "too noisy"


def _united(spreads: Sequence[Spread]) -> Spread:
    return Spread(
        low=min(one.low for one in spreads),
        median=median(one.median for one in spreads),
        high=max(one.high for one in spreads),
        repeats=sum(one.repeats for one in spreads),
    )


def _times(spread: Spread | None) -> str:
    if spread is None:
        return "nothing"
    return f"{spread.median:.2f}x [{spread.low:.2f} to {spread.high:.2f}]"
