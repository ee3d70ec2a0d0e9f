"""Runs: each group is kept as soon as it is there, and a run goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from benchmarks.report.record import Record, amended, read_record
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.runs import Choice, measure, ordered, with_partial

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig
    from benchmarks.suite import AxisModule

AXIS = Axis(name="a", title="a", unit="ms", ahead=1.0, quick_title="half of a")


async def good(_: Rig, *, quick: bool) -> list[Measurement]:
    detail: dict[str, Any] = {"version": f"{quick}"}
    return [Measurement(axis="a", contender="c", values=(1.0,), detail=detail)]


async def bad(_: Rig, *, quick: bool) -> list[Measurement]:
    raise RuntimeError(f"{quick}")


async def stopped(_: Rig, *, quick: bool) -> list[Measurement]:
    raise KeyboardInterrupt(quick)


def choice(*, quick: bool = False, **measures: Any) -> Choice:
    modules = {
        name: cast(
            "AxisModule", SimpleNamespace(__doc__=name, AXES=(AXIS,), measure=one)
        )
        for name, one in measures.items()
    }
    return Choice(
        modules=modules,
        contenders=[],
        quick=quick,
        repeats=1,
        budget_s=None,
        command="x",
    )


def names(record: Record) -> list[str]:
    return [group.name for group in record.groups]


def test_run_that_ends_early_keeps_what_it_has_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "partial.json"

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(
            measure(
                choice(latency=good, capacity=bad, fan_out=stopped),
                with_partial(None, path),
            )
        )
    partial = read_record(path)
    rest = asyncio.run(
        measure(choice(capacity=good, fan_out=good), with_partial(partial, path))
    )

    assert names(partial) == ["latency", "capacity"]
    assert [bool(group.failure) for group in partial.groups] == [False, True]
    assert read_record(path) == amended(partial, rest)
    assert names(read_record(path)) == ["latency", "capacity", "fan_out"]
    assert not any(group.failure for group in read_record(path).groups)
    assert read_record(path).versions["c"] == "False"


def test_quick_run_says_what_it_measured_and_has_no_goal_for_it() -> None:
    (quick,) = asyncio.run(measure(choice(quick=True, latency=good))).groups
    (whole,) = asyncio.run(measure(choice(latency=good))).groups

    assert [(axis.title, axis.ahead) for axis in quick.axes] == [("half of a", None)]
    assert whole.axes == [AXIS]


def test_groups_are_in_the_order_in_which_they_are_measured() -> None:
    record = read_record(Path(__file__).parent / "recorded.json")

    assert names(record) == ["latency", "growth", "disk_bytes", "reconnects"]
    assert names(ordered(record)) == ["latency", "disk_bytes", "reconnects", "growth"]
