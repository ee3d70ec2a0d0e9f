"""Measures this product and its peers side by side, and tells how they compare.

    python -m benchmarks                        all axes; writes the record and the docs
    python -m benchmarks --axis latency --amend these axes anew, in record and docs
    python -m benchmarks --axis latency --contender "Tornado + SDK"   prints a table
    python -m benchmarks --quick                minutes; holds ratios to the baseline

Without ``--output`` and ``--amend``, only a run of everything is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
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
from benchmarks.report.machine import machine, now, versions
from benchmarks.report.page import score, summary
from benchmarks.report.publish import publish, publish_beside
from benchmarks.report.record import RECORD, Record, amended, read_record, write
from benchmarks.rig.contenders import CONTENDERS, OURS
from benchmarks.rig.rig import Rig
from benchmarks.suite import OUT_OF_TIME, axis_modules, end_when_told, measured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.report.gate import Judgement
    from benchmarks.report.record import Group
    from benchmarks.rig.contenders import Contender
    from benchmarks.suite import AxisModule

QUICK_AXES = ("capacity", "wire_bytes", "latency", "connects", "fan_out")
"""What a quick run measures, the most telling first: it ends when its time is over."""
QUICK_PEERS = ("Tornado + SDK",)
"""Written in Python: there is nothing to build."""
QUICK_BUDGET_S = 150.0
SECOND_LOOK_S = 60.0
"""What has regressed is measured a second time if there are so many left of it."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be measured, and how.

    Attributes:
        modules: Of ``benchmarks.axes``, by their names.
        contenders: Those that are streamed through.
        quick: Whether it should be.
        repeats: Of each axis.
        budget_s: Seconds after which it ends; ``None``: it takes as long as it takes.
        command: That asked for it.
    """

    modules: Mapping[str, AxisModule]
    contenders: Sequence[Contender]
    quick: bool
    repeats: int
    budget_s: float | None
    command: str


def main() -> int:
    """Measure as the command line says; return the exit code."""
    arguments = _arguments()
    choice = _choice(arguments)
    if arguments.list:
        names = [*choice.modules, "", *(one.name for one in choice.contenders)]
        _print("\n".join(names))
        return 0
    if arguments.baseline:
        return _save_baseline(choice, arguments.baseline)
    began = time.monotonic()
    record = asyncio.run(_measure(choice))
    _print(f"{summary(record.groups)}\n\n{score(record.groups)}")
    _keep(record, arguments)
    if arguments.quick:
        left_s = QUICK_BUDGET_S - (time.monotonic() - began)
        may_look_again = left_s >= SECOND_LOOK_S
        return 0 if _is_held(record, choice, may_look_again=may_look_again) else 1
    failed = _failures([record])
    _print("\n".join(failed))
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="few axes, and held to the baseline")
    add("--axis", action="append", default=[], metavar="NAME", help="see --list")
    add("--contender", action="append", default=[], metavar="NAME", help="see --list")
    add("--output", type=Path, metavar="FOLDER", help="for record, page and plots")
    add("--amend", action="store_true", help="replace these axes in record and docs")
    add("--repeats", type=int, default=3, help="of each axis")
    add("--baseline", type=int, metavar="RUNS", help="write it, of so many quick runs")
    add("--list", action="store_true", help="list axes and contenders; measure nothing")
    arguments = parser.parse_args()
    arguments.quick |= bool(arguments.baseline)
    known = {*axis_modules(), *(contender.name for contender in CONTENDERS)}
    for name in (*arguments.axis, *arguments.contender):
        if name not in known:
            parser.error(f"there is no {name!r}; --list names what there is")
    return arguments


def _choice(arguments: argparse.Namespace) -> Choice:
    modules = axis_modules()
    names: list[str] = arguments.axis or [
        name for name in (QUICK_AXES if arguments.quick else modules) if name in modules
    ]
    wanted: list[str] = arguments.contender or (
        [*QUICK_PEERS] if arguments.quick else [one.name for one in CONTENDERS]
    )
    return Choice(
        modules={name: modules[name] for name in names},
        contenders=[one for one in CONTENDERS if one.name in {OURS, *wanted}],
        quick=arguments.quick,
        repeats=arguments.repeats,
        budget_s=QUICK_BUDGET_S if arguments.quick and not arguments.baseline else None,
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
    )


async def _measure(choice: Choice) -> Record:
    end_when_told()
    date = now()
    budget_s = choice.budget_s
    deadline = None if budget_s is None else time.monotonic() + budget_s
    async with Rig(choice.contenders, repeats=choice.repeats) as rig:
        for name, why in rig.missing.items():
            print(f"left out: {name}: {why}", file=sys.stderr)  # noqa: T201
        groups = await measured(
            rig,
            choice.modules.items(),
            quick=choice.quick,
            command=choice.command,
            deadline=deadline,
        )
    return Record(
        command=choice.command,
        date=date,
        quick=choice.quick,
        machine=machine(),
        versions={**versions(), **_told_versions(groups)},
        groups=groups,
    )


def _told_versions(groups: Sequence[Group]) -> dict[str, str]:
    """Return the versions that only the axes know: of what they install themselves."""
    return {
        one.contender: str(one.detail["version"])
        for group in groups
        for one in group.measurements
        if "version" in one.detail
    }


def _keep(record: Record, arguments: argparse.Namespace) -> None:
    """Write a record where the command line wants it."""
    folder: Path | None = arguments.output
    if folder is not None:
        write(record, folder / RECORD.name)
        publish_beside(record, folder)
        return
    is_whole = not (arguments.quick or arguments.axis or arguments.contender)
    if arguments.amend and RECORD.exists():
        record = amended(read_record(), record)
    elif not (is_whole or arguments.amend):
        return
    write(record)
    publish(record)


# --- the gate --------------------------------------------------------------------


def _is_held(record: Record, choice: Choice, *, may_look_again: bool) -> bool:
    """Tell how the ratios stand to the baseline; return whether they hold."""
    if not BASELINE.exists():
        _print("There is no baseline: write one with --baseline 3, on a quiet machine.")
        return False
    if all(group.failure == OUT_OF_TIME for group in record.groups):
        _print("The machine is too slow, or too busy, to judge anything in this time.")
        return True
    judgements = _judge(record)
    fallen = {one.then.axis for one in judgements if one.verdict == "regressed"}
    if fallen and may_look_again:
        _print(f"{in_words(judgements)}\n\nA second look at what has regressed.")
        again = _judge(asyncio.run(_measure(_with_axes(choice, fallen))))
        judgements = _recovered(judgements, again)
    _print(in_words(judgements))
    if passes(judgements):
        return True
    _print("Ratios to the peers have regressed, or none of the baseline was measured.")
    return False


def _judge(record: Record) -> list[Judgement]:
    ratios = ratios_of(compared(record.groups))
    return judged(ratios, read_baseline(), disturbed=disturbed(record.groups))


def _with_axes(choice: Choice, axes: set[str]) -> Choice:
    """Return the choice of only those modules that measure one of these axes."""
    modules = {
        name: module
        for name, module in choice.modules.items()
        if any(axis.name in axes for axis in module.AXES)
    }
    return replace(choice, modules=modules, budget_s=SECOND_LOOK_S)


def _recovered(first: list[Judgement], again: list[Judgement]) -> list[Judgement]:
    """Return the judgements after a second look: what fell only once has not fallen."""
    return [
        new if old.verdict == "regressed" and new.now is not None else old
        for old, new in zip(first, again, strict=True)
    ]


def _save_baseline(choice: Choice, runs: int) -> int:
    """Write the baseline of several runs; return the exit code."""
    date = now()
    records = [asyncio.run(_measure(choice)) for _ in range(runs)]
    failed = _failures(records)
    baseline = baseline_of(
        [ratios_of(compared(record.groups)) for record in records],
        command=choice.command,
        date=date,
        machine=machine(),
    )
    _print("\n".join([*map(summary, (record.groups for record in records)), *failed]))
    if not failed:
        write_baseline(baseline)
    return 1 if failed else 0


def _failures(records: Sequence[Record]) -> list[str]:
    return [
        f"{group.name} failed: {group.failure}"
        for record in records
        for group in record.groups
        if group.failure
    ]


def _print(text: str) -> None:
    print(text)  # noqa: T201 - told to the person at the terminal


if __name__ == "__main__":
    sys.exit(main())
