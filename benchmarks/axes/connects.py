"""What does it cost a server to let somebody in?

CPU time of the server from the first SYN until a client is authenticated: TCP, the
upgrade, the identity that Jupyter wants where there is one, and the token. Clients
come up to 64 at once. They have their token before: peers are shown one that the client
signed itself, which is in their favour; ours takes one that the server made.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rig import RigError
from benchmarks.rig.rounds import Rounds, told, warmed_up

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

CONNECT_CPU = Axis(
    name="connect_cpu",
    title="CPU time to connect and authenticate",
    unit="ms",
    ahead=1.2,
    moonshot=0.6,
)
AXES = (CONNECT_CPU,)

FEW = Load(clients=100, conversations="none", warm_up_s=0.1, measured_s=0.4)
MANY = Load(clients=800, conversations="none", warm_up_s=0.1, measured_s=0.4)
"""CPU time is told in hundredths of a second: so many make that a fiftieth."""


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that are servers.

    Args:
        rig: Has the contenders.
        quick: Half the clients.
    """
    load = replace(MANY, clients=400) if quick else MANY
    servers = [one for one in rig.contenders if one.launch is not None]
    async with warmed_up(rig, servers) as warm:
        load_before = await rig.foreign_load()
        rounds = [Rounds(server=server, load_before=load_before) for server in warm]
        for one in rounds:
            with contextlib.suppress(RigError):  # who cannot shows it below
                await rig.load(one.server, FEW)
        for _ in range(rig.repeats):
            for one in rounds:
                try:
                    result = await rig.load(one.server, load)
                except RigError as error:
                    one.failure = str(error)
                    continue
                one.results.append(result)
    return [told(CONNECT_CPU, one, _milliseconds) for one in rounds]


def _milliseconds(result: LoadResult) -> float | None:
    """Return what one cost; ``None`` where not all came in."""
    if result.errors or not result.connected:
        return None
    return result.connect_cpu_s / result.connected * 1_000
