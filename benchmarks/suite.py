"""Finds the axes, and measures them one after the other."""

from __future__ import annotations

import asyncio
import importlib
import os
import pkgutil
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from benchmarks import axes
from benchmarks.report.machine import OthersLoad, now
from benchmarks.report.record import Group, thinned
from benchmarks.schedule import Progress, in_order, longest_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.rig.measurement import Axis, Measurement
    from benchmarks.rig.rig import Rig

__all__ = [
    "OUT_OF_TIME",
    "TOO_LONG",
    "AxisModule",
    "axis_modules",
    "end_when_told",
    "measured",
]


ROOT = Path(__file__).parents[1]
LONGEST_FAILURE = 200
OUT_OF_TIME = "there was no time left for it"
"""What a group says that was not measured because the run had to end."""
TOO_LONG = "it took too long and was given up"


def end_when_told() -> None:
    """Let SIGTERM end the running task, so that it ends all that it started."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


class AxisModule(Protocol):
    """A module of ``benchmarks.axes``; its first line says what it asks."""

    AXES: tuple[Axis, ...]

    async def measure(self, rig: Rig, *, quick: bool) -> list[Measurement]:
        """Measure all contenders of the rig, side by side."""
        ...


def axis_modules() -> dict[str, AxisModule]:
    """Return the modules of ``benchmarks.axes``, in order, by their names."""
    names = in_order(module.name for module in pkgutil.iter_modules(axes.__path__))
    return {
        name: cast("AxisModule", importlib.import_module(f"{axes.__name__}.{name}"))
        for name in names
    }


async def measured(
    rig: Rig,
    modules: Iterable[tuple[str, AxisModule]],
    *,
    quick: bool,
    command: str,
    deadline: float | None = None,
    keep: Callable[[Group], None] = lambda _: None,
) -> list[Group]:
    """Measure; a module that fails leaves the others be, and its group says why.

    Args:
        rig: Entered.
        modules: With their names.
        quick: Whether they should be.
        command: That it is for.
        deadline: When to stop, on the monotonic clock; ``None``: no such time.
        keep: Gets each group as soon as there is one.
    """
    chosen = list(modules)
    progress = Progress([name for name, _ in chosen], rig.repeats)
    groups: list[Group] = []
    for name, module in chosen:
        _say(f"{name} …" if quick else progress.begins(name))
        latest = time.monotonic() + longest_s(name, rig.repeats)
        until = latest if deadline is None else min(latest, deadline)
        group = await _group(
            rig, name, module, quick=quick, command=command, until=until
        )
        if group.failure == OUT_OF_TIME and deadline is None:
            group = replace(group, failure=TOO_LONG)
        groups.append(group)
        keep(group)
        ended = progress.ended(name, group.seconds, group.failure or "done")
        _say(ended.partition(";")[0] if quick else ended)
    return groups


async def _group(
    rig: Rig,
    name: str,
    module: AxisModule,
    *,
    quick: bool,
    command: str,
    until: float,
) -> Group:
    date, load_before = now(), await rig.foreign_load()
    began, others = time.monotonic(), OthersLoad()
    measurements: list[Measurement] = []
    failure = ""
    try:
        async with asyncio.timeout(until - began):
            measurements = await module.measure(rig, quick=quick)
    except TimeoutError:
        failure = OUT_OF_TIME
    except Exception as error:  # noqa: BLE001 - an axis may fail in any way
        traceback.print_exc()
        failure = f"{type(error).__name__}: {_in_a_line(str(error))}"
    return Group(
        name=name,
        title=_title(module, name),
        date=date,
        command=command,
        seconds=round(time.monotonic() - began, 1),
        load_before=round(load_before, 2),
        load_during=others.cores(),
        axes=[axis.in_quick_run() if quick else axis for axis in module.AXES],
        measurements=[_plain(one) for one in thinned(measurements)],
        left_out=_left_out(rig, measurements),
        failure=failure,
    )


def _left_out(rig: Rig, measurements: Sequence[Measurement]) -> dict[str, str]:
    missing = {name: _in_a_line(why) for name, why in rig.missing.items()}
    return missing if measurements else {}


def _plain(measurement: Measurement) -> Measurement:
    """Return a measurement whose failure, if it has one, can stand on a page."""
    failure = measurement.detail.get("failure")
    if not isinstance(failure, str):
        return measurement
    detail = {**measurement.detail, "failure": _in_a_line(failure)}
    return replace(measurement, detail=detail)


def _title(module: AxisModule, name: str) -> str:
    return _first_line(module.__doc__ or "").rstrip(".") or name


def _in_a_line(text: str) -> str:
    """Return what a failure says first, without where this repository lies."""
    return _first_line(text).replace(f"{ROOT}{os.sep}", "")[:LONGEST_FAILURE]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - it takes minutes
