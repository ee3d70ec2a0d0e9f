"""Holds a quick run to the baseline: what has fallen is looked at twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.report.comparison import compared
from benchmarks.report.gate import (
    BASELINE,
    baseline_of,
    disturbed,
    in_words,
    judged,
    passes,
    ratios_of,
    read_baseline,
    write_baseline,
)
from benchmarks.report.machine import machine, now
from benchmarks.report.page import score, summary
from benchmarks.rig.contenders import CONTENDERS
from benchmarks.runs import measure
from benchmarks.suite import OUT_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.report.gate import Judgement
    from benchmarks.report.record import Record
    from benchmarks.runs import Choice

__all__ = ["QUICK_AXES", "QUICK_PEERS", "failures", "run_quick", "save_baseline"]

QUICK_AXES = (
    *("wire_bytes", "capacity", "disk_bytes"),
    *("growth", "connects", "latency"),
)
"""What a quick run measures, the most telling first: it ends when its time is over."""
QUICK_PEERS = ("Tornado + SDK",)
"""Written in Python: there is nothing to install or to build."""
QUICK_BUDGET_S = 170.0
FIRST_LOOK_S = 140.0
SECOND_LOOK_S = 30.0
"""What has regressed is measured a second time if there are so many left of it."""


def run_quick(
    choice: Choice, say: Callable[[str], None], keep: Callable[[Record], None]
) -> bool:
    """Measure, and tell how it stands to the baseline; return whether it holds.

    Args:
        choice: What to measure.
        say: Tells it.
        keep: Gets the record of the first look.
    """
    began = time.monotonic()
    say(_left_out(choice))
    record = asyncio.run(measure(replace(choice, budget_s=FIRST_LOOK_S)))
    say(f"{summary(record.groups)}\n\n{score(record.groups)}")
    keep(record)
    say("\n".join(failures([record])))
    if not BASELINE.exists():
        say("There is no baseline: write one with --baseline 3, on a quiet machine.")
        return False
    if all(group.failure == OUT_OF_TIME for group in record.groups):
        say("The machine is too slow, or too busy, to judge anything in this time.")
        return True
    judgements = _judge(record)
    fallen = {one.axis for one in judgements if one.verdict == "regressed"}
    left_s = began + QUICK_BUDGET_S - time.monotonic()
    if fallen and left_s >= SECOND_LOOK_S:
        say(f"{in_words(judgements)}\n\nA second look at what has regressed.")
        again = asyncio.run(measure(_with_axes(choice, fallen, left_s)))
        judgements = _recovered(judgements, _judge(again))
    say(f"{in_words(judgements)}\n{_closing(judgements, time.monotonic() - began)}")
    return passes(judgements)


def save_baseline(choice: Choice, runs: int, say: Callable[[str], None]) -> bool:
    """Write the baseline of several runs; return whether none of them failed."""
    date = now()
    records = [asyncio.run(measure(choice)) for _ in range(runs)]
    failed = failures(records)
    baseline = baseline_of(
        [ratios_of(compared(record.groups)) for record in records],
        command=choice.command,
        date=date,
        machine=machine(),
    )
    say("\n".join([*map(summary, (record.groups for record in records)), *failed]))
    if not failed:
        write_baseline(baseline)
    return not failed


def failures(records: Sequence[Record]) -> list[str]:
    """Return a line for each group that failed."""
    return [
        f"{group.name} failed: {group.failure}"
        for record in records
        for group in record.groups
        if group.failure
    ]


def _closing(judgements: Sequence[Judgement], seconds: float) -> str:
    """Return how many of each verdict there are, in the words of runners of tests."""
    words = {"held": "passed", "regressed": "failed"}
    counts = Counter(words.get(one.verdict, one.verdict) for one in judgements)
    outcomes = ", ".join(f"{count} {word}" for word, count in counts.items())
    return f"=== {outcomes} in {seconds:.0f}s ==="


def _left_out(choice: Choice) -> str:
    chosen = {one.name for one in choice.contenders}
    others = [one.name for one in CONTENDERS if one.name not in chosen]
    return f"Not in this run: {', '.join(others) or 'nobody'}."


def _judge(record: Record) -> list[Judgement]:
    ratios = ratios_of(compared(record.groups))
    return judged(ratios, read_baseline(), disturbed=disturbed(record.groups))


def _with_axes(choice: Choice, axes: set[str], budget_s: float) -> Choice:
    """Return the choice of only those modules that measure one of these axes."""
    modules = {
        name: module
        for name, module in choice.modules.items()
        if any(axis.name in axes for axis in module.AXES)
    }
    return replace(choice, modules=modules, budget_s=budget_s)


def _recovered(first: list[Judgement], again: list[Judgement]) -> list[Judgement]:
    """Return the judgements after a second look: what fell only once has not fallen."""
    seen = {(one.axis, one.peer): one for one in again if one.now is not None}
    return [
        seen.get((one.axis, one.peer), one) if one.verdict == "regressed" else one
        for one in first
    ]
