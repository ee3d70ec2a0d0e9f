"""Measures this product and its peers side by side, and tells how they compare.

    python -m benchmarks                        all axes; writes the record and the docs
    python -m benchmarks --resume               goes on with such a run that ended early
    python -m benchmarks --publish              puts into the docs how far it had come
    python -m benchmarks --axis latency --amend these axes anew, in record and docs
    python -m benchmarks --axis latency --contender "Tornado + SDK"   prints a table
    python -m benchmarks --quick                minutes; holds ratios to the baseline

Without ``--output`` and ``--amend``, only a run of everything is kept. What it has
measured so far is kept as it goes on, so nothing of it is lost when it ends early.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.holding import (
    QUICK_AXES,
    QUICK_PEERS,
    failures,
    run_quick,
    save_baseline,
)
from benchmarks.report.page import score, summary
from benchmarks.report.publish import publish, publish_beside
from benchmarks.report.record import PARTIAL, RECORD, amended, read_record, write
from benchmarks.rig.contenders import CONTENDERS, OURS
from benchmarks.runs import Choice, measure, ordered, with_partial
from benchmarks.schedule import REPEATS, expected_s
from benchmarks.suite import axis_modules

if TYPE_CHECKING:
    from benchmarks.report.record import Record

ENDED_EARLY = 130
EARLY = f"""
It ended early. What it has measured is kept in {PARTIAL.parent.name}/{PARTIAL.name}:
  python -m benchmarks --resume    measures the rest
  python -m benchmarks --publish   puts what there is into record and docs"""


def main() -> int:
    """Measure as the command line says; return the exit code."""
    arguments = _arguments()
    choice = _choice(arguments)
    if arguments.list:
        _list(choice)
        return 0
    if arguments.publish:
        _publish(read_record(PARTIAL))
        return 0
    if arguments.baseline:
        return 0 if save_baseline(choice, arguments.baseline, _print) else 1
    if arguments.quick:
        is_held = run_quick(choice, _print, lambda record: _keep(record, arguments))
        return 0 if is_held else 1
    is_whole = not (arguments.axis or arguments.contender or arguments.output)
    record = _whole(choice, arguments) if is_whole else asyncio.run(measure(choice))
    _print(f"{summary(record.groups)}\n\n{score(record.groups)}")
    _keep(record, arguments)
    failed = failures([record])
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
    add("--resume", action="store_true", help="go on with a run that ended early")
    add("--publish", action="store_true", help="put what it had into record and docs")
    add("--repeats", type=int, default=REPEATS, help="of each axis")
    add("--baseline", type=int, metavar="RUNS", help="write it, of so many quick runs")
    add("--list", action="store_true", help="list axes and contenders; measure nothing")
    arguments = parser.parse_args()
    arguments.quick |= bool(arguments.baseline)
    known = {*axis_modules(), *(contender.name for contender in CONTENDERS)}
    for name in (*arguments.axis, *arguments.contender):
        if name not in known:
            parser.error(f"there is no {name!r}; --list names what there is")
    if arguments.resume and (arguments.axis or arguments.contender or arguments.quick):
        parser.error("--resume goes on with a run of everything")
    if (arguments.resume or arguments.publish) and not PARTIAL.exists():
        parser.error("no run has ended early")
    return arguments


def _choice(arguments: argparse.Namespace) -> Choice:
    modules = axis_modules()
    names: list[str] = arguments.axis or [
        *(QUICK_AXES if arguments.quick else modules),
    ]
    wanted: list[str] = arguments.contender or (
        [*QUICK_PEERS] if arguments.quick else [one.name for one in CONTENDERS]
    )
    return Choice(
        modules={name: modules[name] for name in names},
        contenders=[one for one in CONTENDERS if one.name in {OURS, *wanted}],
        quick=arguments.quick,
        repeats=arguments.repeats,
        budget_s=None,
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
    )


def _list(choice: Choice) -> None:
    for name in choice.modules:
        _print(f"{name:14} {expected_s([name], choice.repeats):5.0f} s")
    _print(f"{'':14} {expected_s(choice.modules, choice.repeats):5.0f} s of all\n")
    _print("\n".join(one.name for one in choice.contenders))


def _whole(choice: Choice, arguments: argparse.Namespace) -> Record:
    """Measure everything, or what is missing, and keep it as it goes on."""
    partial = read_record(PARTIAL) if arguments.resume else None
    if partial is None:
        PARTIAL.unlink(missing_ok=True)
    else:
        done = {group.name for group in partial.groups if not group.failure}
        left = {name: one for name, one in choice.modules.items() if name not in done}
        choice = replace(choice, modules=left, command=partial.command)
    try:
        record = asyncio.run(measure(choice, with_partial(partial, PARTIAL)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        _print(EARLY if PARTIAL.exists() else "It ended before there was a figure.")
        raise SystemExit(ENDED_EARLY) from None
    return ordered(record if partial is None else amended(partial, record))


def _keep(record: Record, arguments: argparse.Namespace) -> None:
    """Write a record where the command line wants it."""
    folder: Path | None = arguments.output
    if folder is not None:
        write(record, folder / RECORD.name)
        publish_beside(record, folder)
    elif arguments.amend:
        _publish(record)
    elif not (arguments.quick or arguments.axis or arguments.contender):
        write(record, RECORD)
        publish(record)
        PARTIAL.unlink(missing_ok=True)


def _publish(record: Record) -> None:
    """Put groups in place of those of the record, and write it and the docs."""
    if RECORD.exists():
        record = amended(read_record(RECORD), record)
    record = ordered(record)
    write(record, RECORD)
    publish(record)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - told to the person at the terminal


if __name__ == "__main__":
    sys.exit(main())
