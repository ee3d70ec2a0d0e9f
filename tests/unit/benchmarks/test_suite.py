"""The suite: what a module of axes gives, and what becomes of one that fails."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rig import Rig
from benchmarks.suite import OUT_OF_TIME, ROOT, axis_modules, measured

if TYPE_CHECKING:
    from benchmarks.report.record import Group
    from benchmarks.suite import AxisModule

AXIS = Axis(name="a", title="a", unit="ms")
GOOD = Measurement(
    axis="a",
    contender="c",
    values=(1.0,),
    detail={"failure": f"npm failed in {ROOT}/benchmarks/peers\nand much more"},
)


def module(measure: Any) -> AxisModule:
    made = SimpleNamespace(__doc__="Is it so?\n\nIt is.", AXES=(AXIS,), measure=measure)
    return cast("AxisModule", made)


async def good(_: Rig, *, quick: bool) -> list[Measurement]:
    return [GOOD] if quick else []


async def bad(_: Rig, *, quick: bool) -> list[Measurement]:
    raise RuntimeError(f"{quick}: it broke\nhere")


async def endless(_: Rig, *, quick: bool) -> list[Measurement]:
    await asyncio.sleep(60 + quick)
    return []


def groups(*measures: Any, seconds: float | None = None) -> list[Group]:
    modules = [(f"m{number}", module(one)) for number, one in enumerate(measures)]
    deadline = None if seconds is None else time.monotonic() + seconds
    run = measured(Rig([]), modules, quick=True, command="x", deadline=deadline)
    return asyncio.run(run)


def test_module_that_fails_leaves_the_others_be() -> None:
    first, second = groups(bad, good)

    assert first.failure == "RuntimeError: True: it broke"
    assert first.measurements == []
    assert (second.failure, second.title) == ("", "Is it so?")
    assert second.measurements[0].values == (1.0,)


def test_failures_are_a_line_that_names_no_place_of_this_machine() -> None:
    (group,) = groups(good)

    failure = group.measurements[0].detail["failure"]
    assert failure == "npm failed in benchmarks/peers"


def test_module_without_time_is_ended_and_those_after_it_have_none() -> None:
    first, second = groups(endless, endless, seconds=0.5)

    assert (first.failure, second.failure) == (OUT_OF_TIME, OUT_OF_TIME)
    assert second.seconds < 5


def test_modules_of_axes_are_found() -> None:
    modules = axis_modules()

    assert {"latency", "rendering", "parts"} <= set(modules)
    assert all(module.AXES for module in modules.values())
