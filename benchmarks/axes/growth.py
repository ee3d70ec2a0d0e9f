"""Does a token cost more at the end of a long answer, late in a chat, among many?

Counted, not timed: the steps that this product takes in the server for a token, which
are calls and lines of its own functions of Python; and the bytes that reach a
viewer. Token by token: each one is with all viewers before the next is said. For the
long answer CPU times are taken as well, in the stretches between the counts: they see
what a single call of C does.

The values are multiples: 1.0 is flat. Besides, how many steps a token takes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.counting.long_answer import CountedServer, LongAnswer
from benchmarks.rig.contenders import OURS
from benchmarks.rig.measurement import Axis, Measurement

if TYPE_CHECKING:
    from benchmarks.counting.long_answer import Cost
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

BEGIN = 50
TOKENS = (4_000, 10_000, 30_000, 60_000, 100_000)
QUICK_TOKENS = (1_000, 3_000)
STRETCH = 2_000
"""Tokens over which CPU time is taken, before a point; at most a half of the first."""
HISTORY = 500
QUICK_HISTORY = 60
VIEWERS = 10
FLAT = 1.1
GOAL = 1.05

STEPS = Axis(
    name="steps_per_token",
    title="calls and lines of the server's own code for a token",
    unit="steps",
)
AXES = (
    STEPS,
    Axis(
        name="growth_of_steps",
        title="steps for the 100,000th token of an answer, by those for the first",
        quick_title="steps for the 3,000th token of an answer, by those for the first",
        unit="times",
        ahead=FLAT,
        moonshot=GOAL,
    ),
    Axis(
        name="growth_of_cpu",
        title="CPU time for the 100,000th token, by that for the 4,000th",
        quick_title="CPU time for the 3,000th token, by that for the 1,000th",
        unit="times",
        ahead=FLAT,
        moonshot=GOAL,
    ),
    Axis(
        name="growth_of_wire_bytes",
        title="bytes for the 100,000th token, by those for the first",
        quick_title="bytes for the 3,000th token, by those for the first",
        unit="times",
        ahead=FLAT,
        moonshot=GOAL,
    ),
    Axis(
        name="growth_with_history",
        title="steps for a token after 500 messages, by those after none",
        quick_title="steps for a token after 60 messages, by those after none",
        unit="times",
        ahead=FLAT,
        moonshot=GOAL,
    ),
    Axis(
        name="growth_with_viewers",
        title="steps for a token and viewer of 10, by those with one viewer",
        unit="times",
        ahead=1.0,
        moonshot=0.5,
    ),
)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure this product, if it is among the contenders.

    Args:
        rig: Has the contenders; the server is one of its own, which counts.
        quick: 3,000 tokens and 60 messages of history.
    """
    if OURS not in {contender.name for contender in rig.contenders}:
        return []
    load_before = await rig.foreign_load()
    async with CountedServer() as server:
        one = await _short(server)
        old = await _short(server, history=QUICK_HISTORY if quick else HISTORY)
        many = await _short(server, viewers=VIEWERS)
        costs, cpu_us = await _long(server, QUICK_TOKENS if quick else TOKENS)
    steps = [cost.own_steps for cost in costs]
    wire = [cost.wire_bytes for cost in costs]
    tokens = [float(cost.tokens) for cost in costs]
    rows: list[tuple[float, dict[str, float | str | list[float]]]] = [
        (one.own_steps, {"calls": one.calls, "lines": one.lines}),
        (
            steps[-1] / steps[0],
            {
                "tokens": tokens,
                "steps_per_token": steps,
                "curve_y_title": "calls and lines for a token",
            },
        ),
        (
            cpu_us[-1] / cpu_us[0],
            {
                "tokens": tokens[1:],
                "cpu_us_per_token": cpu_us,
                "curve_y_title": "µs of CPU time for a token",
            },
        ),
        (
            wire[-1] / wire[0],
            {
                "tokens": tokens,
                "wire_bytes_per_token": wire,
                "curve_y_title": "bytes for a token",
            },
        ),
        (
            old.own_steps / one.own_steps,
            {"steps": old.own_steps, "steps_before": one.own_steps},
        ),
        (
            many.own_steps / VIEWERS / one.own_steps,
            {"steps": many.own_steps, "steps_before": one.own_steps},
        ),
    ]
    return [
        Measurement(
            axis=axis.name,
            contender=OURS,
            values=(value,),
            detail=detail,
            load_before=load_before,
        )
        for axis, (value, detail) in zip(AXES, rows, strict=True)
    ]


async def _short(server: CountedServer, *, viewers: int = 1, history: int = 0) -> Cost:
    async with LongAnswer(server, viewers=viewers, history=history) as answer:
        await answer.grow(BEGIN)
        return await answer.cost()


async def _long(
    server: CountedServer, points: tuple[int, ...]
) -> tuple[list[Cost], list[float]]:
    """Return what a token costs at the beginning and at each point.

    Besides, the CPU time of a token, in µs, in the stretch before each point.
    """
    cpu_us: list[float] = []
    stretch = min(STRETCH, points[0] // 2)
    async with LongAnswer(server) as answer:
        await answer.grow(BEGIN)
        costs = [await answer.cost()]
        for point in points:
            await answer.grow(point - stretch - answer.tokens)
            before_s = server.cpu_seconds()
            await answer.grow(stretch)
            cpu_us.append((server.cpu_seconds() - before_s) / stretch * 1e6)
            costs.append(await answer.cost())
    return costs, cpu_us
