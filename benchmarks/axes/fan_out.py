"""How late is a token when many watch one conversation?

All clients follow one conversation, in which the first one asks: 80 deltas per second
go to each. The bare upstream has no viewers and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rig.load import Load
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rounds import measure_rounds, told, warmed_up

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

HUNDRED_P50 = Axis(
    name="viewers_100_p50",
    title="added to a token, one conversation with 100 viewers, p50",
    unit="ms",
    ahead=1.5,
    moonshot=0.8,
)
THOUSAND_P99 = Axis(
    name="viewers_1000_p99",
    title="added to a token, one conversation with 1,000 viewers, p99",
    unit="ms",
    ahead=150.0,
    moonshot=50.0,
)
AXES = (HUNDRED_P50, THOUSAND_P99)

HUNDRED = Load(
    clients=100, conversations="shared", deltas=1_000, warm_up_s=0.5, measured_s=1.2
)
THOUSAND = Load(
    clients=1_000, conversations="shared", deltas=1_000, warm_up_s=0.8, measured_s=1.5
)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that have viewers.

    Args:
        rig: Has the contenders.
        quick: Without the thousand viewers: what they take depends on the machine.
    """
    with_viewers = [one for one in rig.contenders if one.launch is not None]
    async with warmed_up(rig, with_viewers) as servers:
        found = [
            told(
                HUNDRED_P50,
                one,
                lambda result: result.token_p50_ms,
                samples=lambda result: result.token_ms,
            )
            for one in await measure_rounds(rig, servers, HUNDRED)
        ]
        if not quick:
            found += [
                told(
                    THOUSAND_P99,
                    one,
                    lambda result: result.token_p99_ms,
                    samples=lambda result: result.token_ms,
                )
                for one in await measure_rounds(rig, servers, THOUSAND)
            ]
    return found
