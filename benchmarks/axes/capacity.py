"""How many tokens per second does one core carry?

Conversations stream at 80 deltas per second. First 50 of them show what a token costs
in CPU time, which hardly depends on how busy the machine is. Then ever more, until one
delta in a hundred is over 100 ms late or 3 % of them are missing; the most that went
well is then measured again for the other values.

A contender that is starved reads several deltas at once, so that each costs less:
capacity is more than CPU time alone says. Where the rig's own core is the one that is
full, ``detail["note"]`` says so, and the value is the least that the contender does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from benchmarks.rig.load import Load, LoadResult
from benchmarks.rig.measurement import Axis, Measurement
from benchmarks.rig.rig import RigError
from benchmarks.rig.rounds import Rounds, measure_rounds, told, warmed_up

if TYPE_CHECKING:
    from benchmarks.rig.rig import Rig, Server

__all__ = ["AXES", "measure"]

CPU_PER_TOKEN = Axis(
    name="token_cpu",
    title="CPU time per token, 50 conversations",
    quick_title="CPU time per token, 20 conversations",
    unit="µs",
)
CAPACITY = Axis(
    name="capacity",
    title="tokens per second on one core with p99 up to 100 ms",
    unit="tokens/s",
    less_is_better=False,
    ahead=25_000.0,
    moonshot=45_000.0,
)
AXES = (CPU_PER_TOKEN, CAPACITY)

LATEST_MS = 100.0
LEAST_DELIVERED = 0.97
RIG_IS_FULL = 0.93
"""So much of the rig's core, and it is the rig that is measured."""
MOST_STEPS = 8
FINE = 1.1
"""Between what went well and what did not, at most."""
COARSE = 1.5
STEPS_DOWN = (1.0, 0.9, 0.8)
"""What is tried of the best load, when it is measured again."""

TWENTY = Load(clients=20, deltas=1_000, warm_up_s=0.8, measured_s=2.0)
FIFTY = Load(clients=50, deltas=1_000, warm_up_s=0.8, measured_s=1.2)
MANY = Load(deltas=2_000, warm_up_s=1.5, measured_s=1.5)


async def measure(rig: Rig, *, quick: bool) -> list[Measurement]:
    """Measure all contenders of the rig that are servers.

    Args:
        rig: Has the contenders.
        quick: CPU time only, with 20 conversations: far from where the core is full, so
            that a token that costs twice as much shows.
    """
    with_cpu = [one for one in rig.contenders if one.launch is not None]
    async with warmed_up(rig, with_cpu) as servers:
        fifty = await measure_rounds(rig, servers, TWENTY if quick else FIFTY)
        found = [told(CPU_PER_TOKEN, one, _cpu_per_token_us) for one in fifty]
        if quick:
            return found
        searches = [Search(rig, one) for one in fifty]
        for search in searches:
            await search.run()
        for _ in range(rig.repeats - 1):
            for search in searches:
                await search.repeat()
    return found + [search.measurement() for search in searches]


class Search:
    """Looks for the most that a contender carries.

    Args:
        rig: Where it runs.
        fifty: What it did with 50 conversations.
    """

    def __init__(self, rig: Rig, fifty: Rounds) -> None:
        self._rig = rig
        self._fifty = fifty
        self._server: Server = fifty.server
        self._steps: list[LoadResult] = []
        self._best: LoadResult | None = None
        self._values: list[float] = []
        self._failure = fifty.failure
        self._note = ""

    async def run(self) -> None:
        """Find it: in coarse steps, then in the middle of what is left."""
        if not self._fifty.results:
            return
        share = _share(self._fifty.results[-1])
        conversations = max(2, round(FIFTY.clients / max(share, 0.02)))
        good, bad = 0, 0
        for _ in range(MOST_STEPS):
            result = await self._step(conversations)
            if result is None:
                return
            if is_carried(result):
                good, self._best = conversations, result
            else:
                bad = conversations
            if _rig_share(result) > RIG_IS_FULL:
                self._note = "the rig's own core was full: it may carry more"
                break
            if good and bad and bad < good * FINE:
                break
            conversations = _next(good, bad)
        if self._best is not None:
            self._values.append(self._best.tokens_per_s)
        else:
            self._failure = self._failure or "no load was carried"

    async def repeat(self) -> None:
        """Measure the most that was carried once more; what is less if it is not."""
        if self._best is None:
            return
        for part in STEPS_DOWN:
            result = await self._step(max(1, round(self._best.connected * part)))
            if result is not None and is_carried(result):
                self._values.append(result.tokens_per_s)
                return

    def measurement(self) -> Measurement:
        """Return what was found, with how late tokens were at each load."""
        steps = sorted(self._steps, key=lambda result: result.wanted_tokens)
        rounds = Rounds(
            server=self._server,
            results=[] if self._best is None else [self._best],
            failure=self._failure,
            load_before=self._fifty.load_before,
        )
        measurement = told(CAPACITY, rounds, lambda result: result.tokens_per_s)
        measurement.detail["curve_x"] = [
            one.wanted_tokens / one.measured_s for one in steps
        ]
        measurement.detail["curve_y"] = [one.token_p99_ms or 0.0 for one in steps]
        measurement.detail["curve_x_title"] = "tokens per second that were sent"
        measurement.detail["curve_y_title"] = "ms added to a token, p99"
        if self._note:
            measurement.detail["note"] = self._note
        return Measurement(
            axis=measurement.axis,
            contender=measurement.contender,
            values=tuple(self._values),
            detail=measurement.detail,
            load_before=measurement.load_before,
        )

    async def _step(self, conversations: int) -> LoadResult | None:
        load = replace(MANY, clients=conversations)
        try:
            result = await self._rig.load(self._server, load)
        except RigError as error:
            self._failure = str(error)
            return None
        if result.tokens:
            self._steps.append(result)
        return result


def is_carried(result: LoadResult) -> bool:
    """Return whether a load was carried: nearly all arrived, and in time."""
    return (
        result.token_p99_ms is not None
        and result.token_p99_ms <= LATEST_MS
        and result.tokens >= LEAST_DELIVERED * result.wanted_tokens
        and not result.errors
    )


def _next(good: int, bad: int) -> int:
    """Return how many conversations to try next."""
    if not bad:
        return round(good * COARSE)
    if not good:
        return max(1, round(bad / COARSE))
    return (good + bad) // 2


def _share(result: LoadResult) -> float:
    """Return how much of its core the contender was busy."""
    return result.server_cpu_s / result.measured_s


def _rig_share(result: LoadResult) -> float:
    return (result.api_cpu_s + result.client_cpu_s) / result.measured_s


def _cpu_per_token_us(result: LoadResult) -> float:
    return result.server_cpu_s / result.tokens * 1e6
