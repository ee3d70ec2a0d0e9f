"""What do parts of this product cost by themselves?

Three programs that stand beside these axes, each with more figures and options than
these: ``benchmarks.store_append``, ``benchmarks.kernel_tool_round_trip`` and
``benchmarks.request_trace``. Nobody else has these parts, so there are no peers.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.rig.contenders import OURS
from benchmarks.rig.measurement import Axis, Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180.0
_ONE, _MANY = 1, 200
"""Conversations that stream at once."""
_KILOBYTES = 600

AXES = (
    Axis(
        name="store_p50_one",
        title="committed to SQLite after, one conversation, p50",
        unit="ms",
    ),
    Axis(
        name="store_p99_many",
        title=f"committed to SQLite after, {_MANY} conversations, p99",
        unit="ms",
    ),
    Axis(
        name="kernel_tool",
        title="call of a notebook's function there and back, idle kernel, p50",
        unit="ms",
        ahead=5.0,
    ),
    Axis(
        name="kernel_tool_busy",
        title="call of a notebook's function beside a computing cell, p50",
        unit="ms",
        ahead=30.0,
    ),
    Axis(
        name="request_trace",
        title=f"noting a request of {_KILOBYTES} kB, on the event loop",
        unit="ms",
    ),
)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Run the three programs in turn, as often as there shall be repeats.

    Args:
        rig: Says how many repeats there shall be.
        quick: For a shorter time each.
    """
    load_before = await rig.foreign_load()
    rounds = [await _round(quick=quick) for _ in range(rig.repeats)]
    return [
        Measurement(
            axis=axis.name,
            contender=OURS,
            values=tuple(figures[axis.name] for figures in rounds),
            load_before=load_before,
        )
        for axis in AXES
    ]


async def _round(*, quick: bool) -> dict[str, float]:
    """Return a value for each axis."""
    seconds, calls = (1, 40) if quick else (4, 100)
    stores = await _results(
        "store_append", f"--conversations={_ONE},{_MANY}", f"--seconds={seconds}"
    )
    calls_of = await _results("kernel_tool_round_trip", f"--calls={calls}")
    (trace,) = await _results("request_trace", f"--kilobytes={_KILOBYTES}")
    sqlite = {one["conversations"]: one for one in stores if one["store"] == "sqlite"}
    idle, busy = calls_of[0], calls_of[-1]
    return {
        "store_p50_one": sqlite[_ONE]["p50_ms"],
        "store_p99_many": sqlite[_MANY]["p99_ms"],
        "kernel_tool": idle["p50_ms"],
        "kernel_tool_busy": busy["p50_ms"],
        "request_trace": trace["loop_ms"],
    }


async def _results(program: str, *options: str) -> Sequence[dict[str, Any]]:
    """Run a program of this package; return the results it prints.

    Raises:
        RuntimeError: It failed; the message has what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{program}", *options),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = errors.decode(errors="replace")[-2000:]
        raise RuntimeError(f"benchmarks.{program} failed: {said}")
    return msgspec.json.decode(output)["results"]
