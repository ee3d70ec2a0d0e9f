"""How many bytes are written to disk for an answer of 2,000 tokens?

The chat has 100 old messages, as a chat has after a day. Only what keeps its
conversations is measured: the plain servers keep nothing, and what they would have to
write is nobody's guess. jupyter-ai is not measured in a quick run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.axes.wire_bytes import (
    MARGIN_S,
    QUICK_RATE_PER_S,
    RATE_PER_S,
    SLOW_S,
    TOKENS,
)
from benchmarks.peers.notebook_side import (
    JUPYTER_AI_IN_OLD_CHAT,
    OLD_MESSAGES,
    version_of,
)
from benchmarks.rig.contenders import OURS
from benchmarks.rig.disk_io import folder_bytes, written
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.messages_api import question
from benchmarks.rig.rig import RigError
from benchmarks.rig.viewer import Viewer

if TYPE_CHECKING:
    from benchmarks.rig.contenders import Contender
    from benchmarks.rig.rig import Rig, Server

__all__ = ["AXES", "measure"]

OLD_ANSWERS = OLD_MESSAGES // 2
OLD_TOKENS = 400
"""Of an old answer: 2.4 kB. Each has a short question."""
OLD_QUIET_S = 0.02
SETTLE_S = 2.0
"""What is written after an answer, because of it, is written by then."""

AXES = (
    Axis(
        name="disk_bytes",
        title="written to disk for 2,000 tokens after 100 messages",
        unit="MB",
        moonshot=1.0,
    ),
)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure those contenders that keep what is said.

    Args:
        rig: Has the contenders.
        quick: Once, at five times the rate, and without jupyter-ai.
    """
    rate_per_s = QUICK_RATE_PER_S if quick else RATE_PER_S
    measurements = [
        await _measured(rig, contender, rate_per_s, rounds=1 if quick else rig.repeats)
        for contender in rig.contenders
        if contender.name == OURS
    ]
    if not quick:
        measurements.append(await _jupyter_ai(rig))
    return measurements


async def _jupyter_ai(rig: Rig) -> Measurement:
    contender = JUPYTER_AI_IN_OLD_CHAT
    load_before = await rig.foreign_load()
    if (why := await asyncio.to_thread(contender.lacks)) is not None:
        return Measurement(
            axis="disk_bytes",
            contender=contender.name,
            values=(),
            detail={"failure": why},
            load_before=load_before,
        )
    measurement = await _measured(
        rig, contender, RATE_PER_S, old_answers=0, margin_s=SLOW_S
    )
    measurement.detail["version"] = version_of(contender)
    return measurement


async def _measured(
    rig: Rig,
    contender: Contender,
    rate_per_s: float,
    *,
    rounds: int = 1,
    old_answers: int = OLD_ANSWERS,
    margin_s: float = MARGIN_S,
) -> Measurement:
    """Measure one contender; when it fails, what it did before is kept."""
    load_before = await rig.foreign_load()
    found: list[tuple[int, int, int]] = []
    failure = ""
    try:
        async with rig.running(contender) as server:
            for _ in range(rounds):
                answer = await _answer(
                    server, rate_per_s, old_answers=old_answers, margin_s=margin_s
                )
                found.append(answer)
    except (RigError, OSError, TimeoutError) as error:
        failure = str(error) or "it took too long"
    measurement = _measurement(contender.name, found, rate_per_s, load_before)
    if failure:
        measurement.detail["failure"] = failure
    return measurement


async def _answer(
    server: Server,
    rate_per_s: float,
    *,
    old_answers: int,
    margin_s: float,
) -> tuple[int, int, int]:
    """Return what went to disk, what was passed on, and what the files grew by."""
    assert server.process is not None  # noqa: S101 - for the type checker
    home = server.process.home
    old = question(rate_per_s=0, deltas=OLD_TOKENS, plain=True)
    new = question(rate_per_s=rate_per_s, deltas=TOKENS, plain=True)
    async with Viewer(server) as viewer:
        for _ in range(old_answers):
            await viewer.ask(old, timeout_s=MARGIN_S, quiet_s=OLD_QUIET_S)
        await asyncio.sleep(SETTLE_S)
        before, size_before = written(server.pids), folder_bytes(home)
        await viewer.ask(new, timeout_s=TOKENS / rate_per_s + margin_s)
        await asyncio.sleep(SETTLE_S)
        since = written(server.pids).since(before)
    return since.disk_bytes, since.passed_bytes, folder_bytes(home) - size_before


def _measurement(
    contender: str,
    rounds: list[tuple[int, int, int]],
    rate_per_s: float,
    load_before: float,
) -> Measurement:
    return Measurement(
        axis="disk_bytes",
        contender=contender,
        values=tuple(disk / 1e6 for disk, _, _ in rounds),
        detail={
            "tokens": float(TOKENS),
            "rate_per_s": rate_per_s,
            "old_messages": float(OLD_MESSAGES),
            "passed_to_write_mb": [passed / 1e6 for _, passed, _ in rounds],
            "files_grown_mb": [grown / 1e6 for _, _, grown in rounds],
        },
        load_before=load_before,
    )
