"""How much later than at the endpoint is a token at a client?

Every delta is 80 per second of its answer, and a packet of its own. What is measured is
the time from the fake API's stamp, taken just before it writes a delta, until the
client has read it; of first tokens, the time from the request on, as the API answers at
once. "raw upstream" is the same without a contender in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.rig.load import Load
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rounds import measure_rounds, told, warmed_up

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig

__all__ = ["AXES", "measure"]

FIRST_TOKEN = Axis(
    name="first_token_p50",
    title="first token after, one conversation, p50",
    unit="ms",
    ahead=2.5,
    moonshot=0.6,
)
TOKEN_P50 = Axis(
    name="token_p50",
    title="added to a token, one conversation, p50",
    unit="ms",
    ahead=0.5,
    moonshot=0.3,
)
TOKEN_P99 = Axis(
    name="token_p99",
    title="added to a token, one conversation, p99",
    unit="ms",
    ahead=2.0,
    moonshot=1.0,
)
CROWD_P99 = Axis(
    name="crowd_token_p99",
    title="added to a token, 200 conversations, p99",
    unit="ms",
    ahead=50.0,
    moonshot=5.0,
)
AXES = (FIRST_TOKEN, TOKEN_P50, TOKEN_P99, CROWD_P99)

# Short answers, so that there are many first tokens.
ONE = Load(clients=1, deltas=16, warm_up_s=0.4, measured_s=2.0)
CROWD = Load(clients=200, deltas=1_000, warm_up_s=1.5, measured_s=1.5)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig.

    Args:
        rig: Has the contenders.
        quick: Without the many conversations: what they take depends on the machine.
    """
    found: list[Measurement] = []
    async with warmed_up(rig) as servers:
        for one in await measure_rounds(rig, servers, ONE):
            found += [
                told(FIRST_TOKEN, one, lambda result: result.first_token_p50_ms),
                told(
                    TOKEN_P50,
                    one,
                    lambda result: result.token_p50_ms,
                    samples=lambda result: result.token_ms,
                ),
                told(TOKEN_P99, one, lambda result: result.token_p99_ms),
            ]
        if not quick:
            found += [
                told(
                    CROWD_P99,
                    one,
                    lambda result: result.token_p99_ms,
                    samples=lambda result: result.token_ms,
                )
                for one in await measure_rounds(rig, servers, CROWD)
            ]
    return found
