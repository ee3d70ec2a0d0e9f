"""How many bytes reach one viewer for an answer of 2,000 tokens?

All contenders answer side by side, at a real rate: how many bytes they send does not
depend on how busy the machine is, unless it is so busy that they send several tokens
at once. The fake API sends words, 6 bytes each.

The notebook side is measured as well, but not in a quick run: what it sends grows with
the square of the answer, and a part of it may have to be installed first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.peers.notebook_side import JUPYTER_AI, NAIVE_WIDGET, version_of
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.messages_api import question
from benchmarks.rig.rig import RigError
from benchmarks.rig.viewer import Viewed, Viewer

if TYPE_CHECKING:
    from benchmarks.rig.contenders import Contender
    from benchmarks.rig.rig import Rig, Server

__all__ = ["AXES", "measure"]

TOKENS = 2_000
RATE_PER_S = 80.0
QUICK_RATE_PER_S = 400.0
MARGIN_S = 30.0
SLOW_S = 300.0
"""How much later than the last token the notebook side may be done."""

AXES = (
    Axis(
        name="wire_bytes",
        title="on the wire for an answer of 2,000 tokens",
        unit="kB",
        moonshot=100.0,
    ),
)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders that stream through a socket, and the notebook side.

    Args:
        rig: Has the contenders.
        quick: Once, at five times the rate, and without the notebook side.
    """
    rate_per_s = QUICK_RATE_PER_S if quick else RATE_PER_S
    load_before = await rig.foreign_load()
    async with rig.all_running() as servers:
        rounds = [
            await asyncio.gather(*(_view(server, rate_per_s) for server in servers))
            for _ in range(1 if quick else rig.repeats)
        ]
    measurements = [
        _measurement(server.contender.name, list(viewed), rate_per_s, load_before)
        for server, viewed in zip(servers, zip(*rounds, strict=True), strict=True)
    ]
    if not quick:
        measurements += [
            await _notebook_side(rig, contender)
            for contender in (JUPYTER_AI, NAIVE_WIDGET)
        ]
    return measurements


async def _notebook_side(rig: Rig, contender: Contender) -> Measurement:
    load_before = await rig.foreign_load()
    if (why := await asyncio.to_thread(contender.lacks)) is not None:
        return Measurement(
            axis="wire_bytes",
            contender=contender.name,
            values=(),
            detail={"failure": why},
            load_before=load_before,
        )
    try:
        async with rig.running(contender) as server:
            viewed = await _view(server, RATE_PER_S, margin_s=SLOW_S)
    except RigError as error:
        viewed = ConnectionAbortedError(str(error))
    measurement = _measurement(contender.name, [viewed], RATE_PER_S, load_before)
    measurement.detail["version"] = version_of(contender)
    return measurement


async def _view(
    server: Server, rate_per_s: float, *, margin_s: float = MARGIN_S
) -> Viewed | ConnectionError:
    text = question(rate_per_s=rate_per_s, deltas=TOKENS, plain=True)
    try:
        async with Viewer(server) as viewer:
            return await viewer.ask(text, timeout_s=TOKENS / rate_per_s + margin_s)
    except (OSError, TimeoutError) as error:
        return ConnectionAbortedError(str(error) or "it took too long")


def _measurement(
    contender: str,
    viewed: list[Viewed | ConnectionError],
    rate_per_s: float,
    load_before: float,
) -> Measurement:
    whole = [one for one in viewed if isinstance(one, Viewed)]
    failures = [str(one) for one in viewed if isinstance(one, ConnectionError)]
    detail: dict[str, float | str | list[float]] = {
        "tokens": float(TOKENS),
        "rate_per_s": rate_per_s,
    }
    if whole:
        detail["messages"] = float(whole[-1].messages)
        detail["bytes_by_tenth"] = whole[-1].bytes_by_tenth
    if failures:
        detail["failure"] = failures[0]
    return Measurement(
        axis="wire_bytes",
        contender=contender,
        values=tuple(one.wire_bytes / 1_000 for one in whole),
        detail=detail,
        load_before=load_before,
    )
