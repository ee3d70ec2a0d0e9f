"""Holds a quick run to a baseline. Never a time to a time of another run.

What is timed is held by its ratio to a peer: how many times better this product is,
both measured side by side in one run; so it moves little where the whole machine is
slower. What is counted, such as bytes and steps, is the same on each machine, and is
held by its multiple of the baseline's: the baseline is the peer.

A ratio has regressed when its median lies below the baseline's noise by a margin, and
all of it below the baseline's median. What was measured while others kept the machine
busy has a wider margin, and what is too widely spread to say so fails nothing.
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
    "COUNTED",
    "DISTURBED_CORES",
    "ITSELF",
    "LEAST_REPEATS",
    "MARGINS",
    "NOISIEST",
    "WIDEST",
    "Baseline",
    "Judgement",
    "Ratio",
    "baseline_of",
    "disturbed",
    "in_words",
    "judged",
    "margin_of",
    "passes",
    "ratios_of",
    "read_baseline",
    "write_baseline",
]

BASELINE = Path(__file__).parents[1] / "results" / "baseline.json"
COUNTED = {
    "growth_of_steps": 1.25,
    "growth_of_wire_bytes": 1.1,
    "growth_with_history": 1.25,
    "growth_with_viewers": 1.25,
    "steps_per_token": 1.25,
    "wire_bytes": 1.25,
    "disk_bytes": 1.6,
}
"""Axes that are counted, and how many times worse than all of the baseline they may be.

A busy machine groups more tokens, so that there are fewer steps and bytes for each; how
many pages of a disk are written depends on when the store tidies up.
"""
MARGINS = {"token_cpu": 1.25, "connect_cpu": 1.35, "token_p50": 1.35}
"""How many times lower than the baseline's noise a ratio may be."""
MARGIN = 1.6
"""The same for all others: latencies, which what else a machine does spreads widely."""
NOISIEST = 1.25
"""How far below the median of the baseline its noise may reach: an outlier that was
lower would let everything pass."""
LEAST_REPEATS = 3
"""Fewer are no spread to judge by."""
WIDEST = 3.0
"""A ratio of which the most is more times the least than this is too noisy."""
DISTURBED_CORES = 0.3
"""With so many kept busy by others, the margin counts more than it would."""
DISTURBANCE = 1.15
"""So many times more."""
ITSELF = "itself"
"""The peer of what is counted: this product, when the baseline was measured."""

Verdict = Literal["held", "regressed", "too noisy", "not measured", "new"]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times better than a peer this product is on an axis.

    Attributes:
        axis: Its name.
        peer: Its name; ``ITSELF``: nobody's, and ``times`` is what was counted.
        times: How many times, above 1 where this product is ahead.
    """

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
    """What became of one ratio, of the baseline or of a run.

    Attributes:
        axis: Its name.
        peer: As in ``Ratio``.
        then: The baseline's; ``None`` where it has none: nothing is held.
        now: This run's; ``None`` where it was not measured.
        verdict: What to make of it.
    """

    axis: str
    peer: str
    then: Spread | None
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
    """Return the ratio to each contender on each axis; of what is counted, its own."""
    found: list[Ratio] = []
    for one in comparisons:
        if one.axis.name in COUNTED:
            if one.ours is not None:
                counted = one.ours.spread
                found.append(Ratio(axis=one.axis.name, peer=ITSELF, times=counted))
            continue
        found += [
            Ratio(axis=one.axis.name, peer=peer.contender, times=peer.ours_better)
            for peer in one.standings
            if peer.ours_better is not None
        ]
    return found


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
    """Judge the ratios of a run by those of the baseline, and say which are missing.

    Args:
        ratios: Of the run.
        baseline: What to hold them to.
        disturbed: Axes that were measured while others kept the machine busy.
    """
    now = {(ratio.axis, ratio.peer): ratio.times for ratio in ratios}
    then = {(ratio.axis, ratio.peer): ratio.times for ratio in baseline.ratios}
    return [
        _judged(axis, peer, then.get((axis, peer)), now.get((axis, peer)), disturbed)
        for axis, peer in {**then, **now}
    ]


def margin_of(axis: str, *, is_disturbed: bool) -> float:
    """Return how many times worse than the baseline's noise an axis may be."""
    if axis in COUNTED:
        return COUNTED[axis]
    return MARGINS.get(axis, MARGIN) * (DISTURBANCE if is_disturbed else 1.0)


def passes(judgements: Sequence[Judgement]) -> bool:
    """Whether nothing has regressed, and something was measured to say so."""
    verdicts = {judgement.verdict for judgement in judgements}
    return "regressed" not in verdicts and verdicts != {"not measured"}


def in_words(judgements: Iterable[Judgement]) -> str:
    """Return a line for each judgement, to be read by a person."""
    return "\n".join(map(_in_words, judgements))


def _in_words(one: Judgement) -> str:
    what, unit = f"{one.axis}, against {one.peer}", "x"
    if one.peer == ITSELF:
        what, unit = one.axis, ""
    if one.verdict == "new":
        return f"new          {what}: {_spread(one.now, unit)}; the baseline has none"
    was = _spread(one.then, unit)
    return f"{one.verdict:12} {what}: {_spread(one.now, unit)} (baseline {was})"


def _judged(
    axis: str,
    peer: str,
    then: Spread | None,
    now: Spread | None,
    disturbed: Collection[str],
) -> Judgement:
    verdict: Verdict = "new"
    if then is not None and now is None:
        verdict = "not measured"
    elif then is not None and now is not None:
        margin = margin_of(axis, is_disturbed=axis in disturbed)
        verdict = (
            _verdict_on_count(now, then, margin)
            if peer == ITSELF
            else _verdict_on_ratio(now, then, margin)
        )
    return Judgement(axis=axis, peer=peer, then=then, now=now, verdict=verdict)


def _verdict_on_count(now: Spread, then: Spread, margin: float) -> Verdict:
    """Less is better of all that is counted."""
    return "held" if now.low <= then.high * margin else "regressed"


def _verdict_on_ratio(now: Spread, then: Spread, margin: float) -> Verdict:
    floor = max(then.low, then.median / NOISIEST) / margin
    if now.median >= floor:
        return "held"
    is_clear = now.high < then.median
    can_tell = now.repeats >= LEAST_REPEATS and now.width <= WIDEST
    return "regressed" if is_clear and can_tell else "too noisy"


def _united(spreads: Sequence[Spread]) -> Spread:
    return Spread(
        low=min(one.low for one in spreads),
        median=median(one.median for one in spreads),
        high=max(one.high for one in spreads),
        repeats=sum(one.repeats for one in spreads),
    )


def _spread(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return "nothing"
    middle = f"{spread.median:,.2f}{unit}"
    if spread.low == spread.high:
        return middle
    return f"{middle} [{spread.low:,.2f} to {spread.high:,.2f}]"
