"""The same load on all contenders, in turn, again and again: A, B, C, then A, B, C."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.measurement import Measurement
from benchmarks.rig.rig import RigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from benchmarks.rig.contenders import Contender
    from benchmarks.rig.measurement import Axis
    from benchmarks.rig.rig import Rig, Server

__all__ = ["Rounds", "measure_rounds", "told", "warmed_up"]

WARM_UP = Load(clients=40, deltas=80, warm_up_s=1.0, measured_s=1.0)
"""Compilers have seen the code then, and connections and modules are there."""

MOST_WARM_UPS = 8
"""On a busy machine the first answer waits for modules to be imported."""


@dataclass(kw_only=True)
class Rounds:
    """What one contender did in all rounds.

    Attributes:
        server: The contender.
        results: One for each round that went well.
        failure: Why the last of the others did not.
        load_before: Cores that others kept busy before the first round.
    """

    server: Server
    results: list[LoadResult] = field(default_factory=list[LoadResult])
    failure: str = ""
    load_before: float = 0.0


@contextlib.asynccontextmanager
async def warmed_up(
    rig: Rig, contenders: Sequence[Contender] | None = None
) -> AsyncGenerator[list[Server]]:
    """Start contenders, all if none are given, side by side, and warm them up.

    Those that do not start, or do not answer, are left out, and told in
    ``rig.missing``.
    """
    async with rig.all_running(contenders) as servers:
        warm: list[Server] = []
        for server in servers:
            if failure := await _failure_to_warm_up(rig, server):
                rig.missing[server.contender.name] = failure
            else:
                warm.append(server)
        yield warm


async def _failure_to_warm_up(rig: Rig, server: Server) -> str:
    """Put loads on a server until it answers; return why it does not, if so."""
    errors: dict[str, int] = {}
    for _ in range(MOST_WARM_UPS):
        try:
            result = await rig.load(server, WARM_UP)
        except RigError as error:
            return str(error)
        if result.tokens:
            return ""
        errors = result.errors
    return f"no token arrived: {errors}"


async def measure_rounds(
    rig: Rig, servers: Sequence[Server], load: Load
) -> list[Rounds]:
    """Put a load on each server in turn, as many times as the rig repeats.

    Args:
        rig: Where they run.
        servers: The contenders.
        load: What is done to each, at a time of its own.
    """
    load_before = await rig.foreign_load()
    rounds = [Rounds(server=server, load_before=load_before) for server in servers]
    for _ in range(rig.repeats):
        for one in rounds:
            try:
                result = await rig.load(one.server, load)
            except RigError as error:
                one.failure = str(error)
                continue
            if result.tokens:
                one.results.append(result)
            else:
                one.failure = f"no token arrived: {result.errors}"
    return rounds


def told(
    axis: Axis,
    rounds: Rounds,
    value: Callable[[LoadResult], float | None],
    *,
    samples: Callable[[LoadResult], list[float]] | None = None,
) -> Measurement:
    """Return what the rounds of a contender say of an axis.

    Args:
        axis: The axis.
        rounds: Those of one contender.
        value: The value of a round; ``None`` where it has none.
        samples: The distribution in a round; that of the middle round is drawn.
    """
    values = [(value(result), result) for result in rounds.results]
    found = sorted(
        ((number, result) for number, result in values if number is not None),
        key=lambda pair: pair[0],
    )
    detail: dict[str, float | str | list[float]] = {}
    if found:
        middle = found[len(found) // 2][1]
        detail |= _facts(middle)
        if samples is not None:
            detail["samples"] = samples(middle)
    if rounds.failure:
        detail["failure"] = rounds.failure
    return Measurement(
        axis=axis.name,
        contender=rounds.server.contender.name,
        values=tuple(number for number, _ in values if number is not None),
        detail=detail,
        load_before=rounds.load_before,
    )


def _facts(result: LoadResult) -> dict[str, float | str | list[float]]:
    """Return what explains a value: how busy all were, and what was counted."""
    seconds = result.measured_s
    facts: dict[str, float | str | list[float]] = {
        "clients": float(result.connected),
        "tokens_per_s": result.tokens_per_s,
        "wanted_tokens_per_s": result.wanted_tokens / seconds,
        "frames_per_s": result.frames / seconds,
        "server_cpu": result.server_cpu_s / seconds,
        "api_cpu": result.api_cpu_s / seconds,
        "client_cpu": result.client_cpu_s / seconds,
        "foreign_cpu": result.foreign_cpu_s / seconds,
    }
    if result.token_p999_ms is not None:
        facts["token_p999_ms"] = result.token_p999_ms
    if result.errors:
        facts["errors"] = "; ".join(
            f"{count} times {why}" for why, count in result.errors.items()
        )
    return facts
