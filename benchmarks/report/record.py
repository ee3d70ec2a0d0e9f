"""What a run of the benchmarks leaves behind: one JSON file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.report.spread import quantile_points
from benchmarks.rig.measurement import Axis, Measurement  # noqa: TC001 - decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "PARTIAL",
    "RECORD",
    "Group",
    "Record",
    "amended",
    "read_record",
    "thinned",
    "write",
]

RECORD = Path(__file__).parents[1] / "results" / "benchmarks.json"
"""The record of which the docs show the tables and the plots."""
PARTIAL = RECORD.with_name("partial.json")
"""What a run of everything has measured so far; gone once it has ended."""

_DISTRIBUTION = "samples"
_NUMBERS = re.compile(rb"\[[-+.\deE,\s]*\]")


@dataclass(frozen=True, kw_only=True)
class Group:
    """What one module of ``benchmarks.axes`` measured, all contenders side by side.

    Attributes:
        name: Of the module.
        title: What it asks, in words.
        date: When it began; ISO 8601.
        command: That measured it.
        seconds: How long it took.
        load_before: Cores that others kept busy just before it began.
        load_during: Cores that others kept busy while it ran, on average.
        axes: What is measured.
        measurements: What was.
        left_out: Contenders that could not be started, and why.
        failure: Why there are no measurements; empty otherwise.
    """

    name: str
    title: str
    date: str
    command: str
    seconds: float
    load_before: float
    load_during: float
    axes: list[Axis]
    measurements: list[Measurement]
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run.

    Attributes:
        command: That started it.
        date: When; ISO 8601.
        quick: Whether it was a quick one.
        machine: What it ran on, in words.
        versions: Of everything that was measured or that measured.
        groups: In the order in which they were measured.
    """

    command: str
    date: str
    quick: bool
    machine: dict[str, str]
    versions: dict[str, str]
    groups: list[Group]


def read_record(path: Path = RECORD) -> Record:
    """Read what ``write`` wrote.

    Raises:
        OSError: There is no such file.
        msgspec.DecodeError: It holds something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=Record)


def write(record: Record, path: Path = RECORD) -> None:
    """Write a record at once, readable, with a line for each list of numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(record), indent=1)
    lines = _NUMBERS.sub(lambda numbers: b"".join(numbers[0].split()), text)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(lines + b"\n")
    unfinished.replace(path)


def amended(old: Record, new: Record) -> Record:
    """Return an older record with the groups of a newer one in place of its own.

    A group that failed takes the place of none that did not.
    """
    good = {group.name for group in old.groups if not group.failure}
    fresh = {
        group.name: group
        for group in new.groups
        if not (group.failure and group.name in good)
    }
    kept = {group.name: group for group in old.groups}
    return replace(
        old,
        machine=new.machine,
        versions=old.versions | new.versions,
        groups=list((kept | fresh).values()),
    )


def thinned(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return measurements with distributions of a few hundred points at most."""
    return [
        replace(
            one,
            detail={
                name: quantile_points(value)
                if isinstance(value, list) and name.startswith(_DISTRIBUTION)
                else value
                for name, value in one.detail.items()
            },
        )
        for one in measurements
    ]
