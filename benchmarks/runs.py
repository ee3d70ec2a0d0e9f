"""A run: what is measured of whom, how often, and the record of it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.report.machine import machine, now, versions
from benchmarks.report.record import Record, amended, write
from benchmarks.rig.rig import Rig
from benchmarks.schedule import in_order
from benchmarks.suite import end_when_told, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.report.record import Group
    from benchmarks.rig.contenders import Contender
    from benchmarks.suite import AxisModule

__all__ = ["Choice", "measure", "ordered", "with_partial"]


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


async def measure(
    choice: Choice, keep: Callable[[Record], None] = lambda _: None
) -> Record:
    """Measure all that was chosen.

    Args:
        choice: What.
        keep: Gets the record so far, after each module of axes.
    """
    end_when_told()
    budget_s = choice.budget_s
    deadline = None if budget_s is None else time.monotonic() + budget_s
    record = Record(
        command=choice.command,
        date=now(),
        quick=choice.quick,
        machine=machine(),
        versions=versions(),
        groups=[],
    )

    def add(group: Group) -> None:
        nonlocal record
        record = replace(
            record,
            versions={**record.versions, **_told_versions(group)},
            groups=[*record.groups, group],
        )
        keep(record)

    async with Rig(choice.contenders, repeats=choice.repeats) as rig:
        for name, why in rig.missing.items():
            print(f"left out: {name}: {why}", file=sys.stderr)  # noqa: T201
        await measured(
            rig,
            choice.modules.items(),
            quick=choice.quick,
            command=choice.command,
            deadline=deadline,
            keep=add,
        )
    return record


def with_partial(partial: Record | None, path: Path) -> Callable[[Record], None]:
    """Return what keeps a record so far in a file.

    Args:
        partial: What a run before had measured, and shall be in it; or ``None``.
        path: The file.
    """

    def keep(record: Record) -> None:
        write(record if partial is None else amended(partial, record), path)

    return keep


def ordered(record: Record) -> Record:
    """Return a record with its groups in the order in which they are measured."""
    groups = {group.name: group for group in record.groups}
    return replace(record, groups=[groups[name] for name in in_order(groups)])


def _told_versions(group: Group) -> dict[str, str]:
    """Return the versions that only the axes know: of what they install themselves."""
    return {
        one.contender: str(one.detail["version"])
        for one in group.measurements
        if "version" in one.detail
    }
