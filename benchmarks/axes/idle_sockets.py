"""What does a server keep for somebody who is there and says nothing?

A contender is started, has answered some questions, so that all is loaded, and then
1,000 clients connect, authenticate and are silent. What its memory grows by, shared by
them, is the value. Each repeat has a new process, because memory that was let go of
is taken again and would not be seen. What the kernel holds for a socket is in nobody's
figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rig import RigError
from benchmarks.rig.rounds import Rounds, told, warmed_up

if TYPE_CHECKING:
    from benchmarks.rig.contenders import Contender
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

IDLE_MEMORY = Axis(
    name="idle_memory",
    title="memory for an idle socket",
    unit="kB",
    ahead=25.0,
    moonshot=16.0,
)
AXES = (IDLE_MEMORY,)

IDLE = Load(clients=1_000, conversations="none", warm_up_s=1.0, measured_s=1.0)
BYTES_PER_KB = 1_000


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that are servers.

    Args:
        rig: Has the contenders.
        quick: Each once.
    """
    contenders = [one for one in rig.contenders if one.launch is not None]
    rounds: dict[str, Rounds] = {}
    for _ in range(1 if quick else rig.repeats):
        for contender in contenders:
            await _measure_one(rig, contender, rounds)
    return [told(IDLE_MEMORY, one, _kilobytes) for one in rounds.values()]


async def _measure_one(
    rig: Rig, contender: Contender, rounds: dict[str, Rounds]
) -> None:
    load_before = await rig.foreign_load()
    async with warmed_up(rig, [contender]) as servers:
        for server in servers:
            one = rounds.setdefault(
                contender.name, Rounds(server=server, load_before=load_before)
            )
            try:
                one.results.append(await rig.load(server, IDLE))
            except RigError as error:
                one.failure = str(error)


def _kilobytes(result: LoadResult) -> float | None:
    """Return what one takes; ``None`` where not all came in."""
    if result.errors or not result.connected:
        return None
    grown = result.resident_bytes - result.resident_before_bytes
    return grown / result.connected / BYTES_PER_KB
