"""How soon is everybody back when the server is restarted?

5,000 clients are connected. The server gets SIGTERM and is started again at once. Each
client comes back by itself, by the pauses of this product's client, whatever server it
is: at random, longer after each attempt, and not before a server that goes away has
asked for. Each client of ours brings the token that it had, as this product's client
for Python does (a browser fetches a fresh one); those of peers bring one that they
signed themselves. Peers ask nobody to wait.

The value is the time from the moment the new process serves until the last client is
authenticated again. ``samples`` are these times of all; ``asked_p*`` say when the
clients meant to come back, counted from the first that was disconnected: how the herd
was spread. ``errors`` are what went wrong with a server that was there.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.rig.load import QUANTILES
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.processes import LOAD_CORE, pinned
from benchmarks.rig.returning_clients import CONNECTED, Returns
from benchmarks.rig.rig import RigError
from benchmarks.rig.rounds import warmed_up

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator

    from benchmarks.rig.contenders import Contender
    from benchmarks.rig.rig import Rig, Server

__all__ = ["AXES", "measure"]

BACK = Axis(
    name="reconnect_all",
    title="5,000 clients back after a restart",
    quick_title="500 clients back after a restart",
    unit="s",
    ahead=10.0,
)
CPU_EACH = Axis(
    name="reconnect_cpu",
    title="CPU time to let one back after a restart",
    unit="ms",
)
AXES = (BACK, CPU_EACH)

CLIENTS = 5_000
FEW_CLIENTS = 500
MOST_REPEATS = 2
TIMEOUT_S = 150.0
POLL_S = 0.02


@dataclass(kw_only=True)
class _Restarts:
    """What the restarts of one contender gave."""

    back_s: list[float] = field(default_factory=list[float])
    cpu_ms: list[float] = field(default_factory=list[float])
    detail: dict[str, float | str | list[float]] = field(
        default_factory=dict[str, float | str | list[float]]
    )


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that are servers.

    Args:
        rig: Has the contenders.
        quick: 500 clients, once.
    """
    clients = FEW_CLIENTS if quick else CLIENTS
    load_before = await rig.foreign_load()
    contenders = [one for one in rig.contenders if one.launch is not None]
    found = {contender.name: _Restarts() for contender in contenders}
    for _ in range(1 if quick else min(rig.repeats, MOST_REPEATS)):
        for contender in contenders:
            await _measure_one(rig, contender, clients, found[contender.name])
    return [
        Measurement(
            axis=axis.name,
            contender=name,
            values=tuple(values),
            detail={**one.detail, "clients": float(clients)},
            load_before=load_before,
        )
        for name, one in found.items()
        if name not in rig.missing
        for axis, values in ((BACK, one.back_s), (CPU_EACH, one.cpu_ms))
    ]


async def _measure_one(
    rig: Rig, contender: Contender, clients: int, found: _Restarts
) -> None:
    try:
        async with warmed_up(rig, [contender]) as servers:
            for server in servers:
                async with _clients(rig, server, clients) as crowd:
                    await _restart(rig, server, crowd, found)
    except (RigError, TimeoutError) as error:
        found.detail["failure"] = str(error) or "the clients took too long"


async def _restart(rig: Rig, server: Server, crowd: Process, found: _Restarts) -> None:
    process = server.process
    assert process is not None  # noqa: S101 - only servers are asked
    told_at = time.monotonic()
    await asyncio.to_thread(process.stop)
    process.start()
    await rig.until_served(server)
    served_at, cpu_before_s = time.monotonic(), server.cpu_seconds()
    output, errors = await crowd.communicate()
    if crowd.returncode:
        raise RigError(f"The clients failed: {errors.decode(errors='replace')[-2000:]}")
    returns = msgspec.json.decode(output, type=Returns)
    cpu_s = server.cpu_seconds() - cpu_before_s
    troubles = Counter(why for when, why in returns.failures if when >= served_at)
    first = min(returns.lost, default=told_at)
    found.detail |= {
        "samples": _quantiles([when - served_at for when in returns.back]),
        "served_after_s": served_at - told_at,
        "refused": float(returns.refused + len(returns.failures) - troubles.total()),
        "asked_p1_s": _at(returns.planned, 0.01) - first,
        "asked_p50_s": _at(returns.planned, 0.5) - first,
        "asked_p99_s": _at(returns.planned, 0.99) - first,
    }
    if troubles:
        found.detail["errors"] = "; ".join(
            f"{count} times {why}" for why, count in troubles.most_common(5)
        )
    found.back_s.append(max(returns.back, default=served_at + TIMEOUT_S) - served_at)
    found.cpu_ms.append(cpu_s / max(1, len(returns.back)) * 1_000)


@contextlib.asynccontextmanager
async def _clients(rig: Rig, server: Server, count: int) -> AsyncGenerator[Process]:
    """Run clients until they are all connected; they end when they are back.

    Raises:
        RigError: They do not connect; the message says why.
        TimeoutError: It took too long.
    """
    with pinned(LOAD_CORE):
        crowd = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.rig.returning_clients"),
            *(msgspec.json.encode(rig.target(server)).decode(), str(count)),
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
    assert crowd.stdout is not None  # noqa: S101 - it is a pipe
    assert crowd.stderr is not None  # noqa: S101 - likewise
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            if await crowd.stdout.readline() != CONNECTED:
                said = await crowd.stderr.read()
                reason = said.decode(errors="replace")[-2000:]
                raise RigError(f"The clients do not connect: {reason}")
            yield crowd
    finally:
        with contextlib.suppress(ProcessLookupError):
            crowd.kill()
        await crowd.wait()


def _quantiles(values: list[float]) -> list[float]:
    return [_at(values, part / QUANTILES) for part in range(QUANTILES + 1)]


def _at(ordered: list[float], share: float) -> float:
    """Return a quantile; 0 where there is nothing."""
    return ordered[round((len(ordered) - 1) * share)] if ordered else 0.0
