"""What does an answer cost the page it is streamed into?

``benchmarks.browser_rendering``, whose own table has more figures than these: this
product's page, a widget that is set anew for each piece, and the chat of jupyter-ai,
in Chromium. The goals are those for the main thread's own work. The long texts are
streamed once, and to this product only: the program has all of it, and takes longer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks.rendering.texts import TEXTS
from benchmarks.rig.contenders import OURS
from benchmarks.rig.measurement import Axis, Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rendering.report import Row
    from benchmarks.rendering.texts import BenchText
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure", "measurements_of"]


def _axis_name(text: str) -> str:
    return f"render_{text.lower().replace(' ', '_')}"


def _axis(text: BenchText) -> Axis:
    return Axis(
        name=_axis_name(text.name),
        title=f"main thread of the browser, {text.name} streamed",
        unit="ms of CPU",
        ahead=text.goal_ms,
    )


_LATE_TOKEN = Axis(
    name="render_late_token",
    title="a token in the browser after 200 messages, by one in an empty chat",
    unit="times",
    ahead=1.5,
)
_FIRST_PAINT = Axis(
    name="render_first_paint",
    title="500 messages opened, until the end of them is painted",
    unit="ms",
    ahead=300.0,
)
_BUNDLE = Axis(
    name="widget_bundle",
    title="size of the bundle that travels with each widget",
    unit="kB",
    ahead=150.0,
)
AXES = (*map(_axis, TEXTS), _LATE_TOKEN, _FIRST_PAINT, _BUNDLE)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure in a browser of this machine.

    Args:
        rig: Says how many repeats there shall be of this product; a rival has one.
        quick: The short texts only.
    """
    load_before = await rig.foreign_load()
    result, rows = await asyncio.to_thread(_measured, quick=quick, runs=rig.repeats)
    return measurements_of(result, rows, load_before)


def measurements_of(
    result: dict[str, Any], rows: Sequence[Row], load_before: float
) -> list[Measurement]:
    """Return what ``benchmarks.browser_rendering`` measured, along these axes.

    Args:
        result: Where and how it was measured, with further figures.
        rows: One for each contender and text.
        load_before: As in ``Measurement``.
    """
    versions: dict[str, str] = result["versions"]
    streamed = [
        Measurement(
            axis=_axis_name(row.text),
            contender=row.contender,
            values=tuple(row.own_runs_ms),
            detail=_detail(row, versions[row.contender]),
            load_before=load_before,
        )
        for row in rows
    ]
    further = [
        Measurement(
            axis=axis.name, contender=OURS, values=(value,), load_before=load_before
        )
        for axis, value in zip(
            (_LATE_TOKEN, _FIRST_PAINT, _BUNDLE),
            _further(result["further"]),
            strict=True,
        )
    ]
    left_out = [
        Measurement(
            axis=_axis_name(TEXTS[0].name),
            contender=name,
            values=(),
            detail={"failure": why},
            load_before=load_before,
        )
        for name, why in result["skipped"].items()
    ]
    return [*streamed, *further, *left_out]


def _measured(*, quick: bool, runs: int) -> tuple[dict[str, Any], list[Row]]:
    from benchmarks.browser_rendering import (  # noqa: PLC0415 - needs a browser
        measured,
        rivals,
    )

    return measured(quick=quick, runs=runs, rivals=rivals(), is_brief=True)


def _detail(row: Row, version: str) -> dict[str, float | str | list[float]]:
    detail: dict[str, float | str | list[float]] = {
        "seconds": row.seconds,
        "total_ms": row.total_ms,
        "longest_task_ms": row.longest_ms,
        "frames": row.frames,
        "layouts": row.layouts,
    }
    if version:
        detail["version"] = version
    if not row.complete:
        detail["note"] = f"given up after {row.seconds:.0f} s; not all of it came"
    return detail


def _further(figures: list[dict[str, Any]]) -> tuple[float, float, float]:
    growth, paint, bundle = figures
    return growth["ratio"], paint["painted_ms"], bundle["bytes"] / 1_000
