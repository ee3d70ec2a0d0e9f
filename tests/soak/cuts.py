"""Connections that are cut at random bytes while answers with tools stream.

Seats follow one conversation after the other through a proxy, by WebSocket and by event
stream, and come back from their cursor at once. Now and then one forgets what it saw,
as a page does that is reloaded. Each of them has to see the whole log all the same.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

from streamchat_nb.testing.fault_proxy import FaultProxy, RequestFaults, random_cuts
from streamchat_nb.testing.history import History
from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.real_server import real_server
from tests.soak.talk import Talk, following

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.testing.fault_proxy import ProxiedRequest
    from tests.soak.raw_client import Follower
    from tests.soak.real_server import RealServer

__all__ = ["FAULT", "run"]

SEATS_EACH = 6
SILENT_FOR_S = 1.0
PACE_S = 0.001
CATCH_UP_S = 60.0
ANSWERS_EACH = 5
QUESTIONS = (
    "Who is Ada Lovelace?",
    "Who works at Bell Labs?",
    "Search contacts for compiler",
    "/demo long 150",
    "show everything",
)


def run(count: int, seed: int, *, bug: str = "") -> Outcome:
    """Cut connections ``count`` times, with a bug in the server if one is named."""
    return asyncio.run(_run(count, seed, bug))


async def _run(count: int, seed: int, bug: str) -> Outcome:
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    violations: list[str] = []
    conversations = 0
    with (
        real_server(bug=bug, offline_pace_s=PACE_S) as server,
        FaultProxy(server.address.port, silence_s=SILENT_FOR_S) as proxy,
    ):
        proxy.faults = _cuts(proxy, count, seed)
        if not bug:
            await _follow_one(server, server.address.port, dice)
        before = server.census()
        started = time.monotonic()
        while proxy.cuts.total() < count and not violations:
            violations += map(str, check(await _follow_one(server, proxy.port, dice)))
            conversations += 1
        cut_for_ms = (time.monotonic() - started) * 1_000
        if not violations:
            left = History(conversation="", leftovers=server.leftovers(before))
            violations += map(str, check(left))
    figures = {ending: str(number) for ending, number in sorted(proxy.cuts.items())}
    figures["conversations"] = str(conversations)
    figures["per cut"] = f"{cut_for_ms / max(1, proxy.cuts.total()):.1f} ms"
    return Outcome(
        fault=FAULT.name,
        count=proxy.cuts.total(),
        violations=violations,
        figures=figures,
    )


def _cuts(
    proxy: FaultProxy, count: int, seed: int
) -> Callable[[ProxiedRequest], RequestFaults]:
    """Return cuts that mostly come soon, and sometimes late enough for a snapshot."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    soon = random_cuts(seed, within_bytes=4_000)
    late = random_cuts(seed, within_bytes=20_000)

    def choose(request: ProxiedRequest) -> RequestFaults:
        if proxy.cuts.total() >= count:
            return RequestFaults()
        return late(request) if dice.random() < 0.1 else soon(request)

    return choose


async def _follow_one(server: RealServer, port: int, dice: random.Random) -> History:
    """Follow one conversation to its end; return what everybody saw."""
    talk = await Talk.begin(server)
    seats: list[Follower] = []
    for number in range(SEATS_EACH):
        seats.append(talk.socket_follower(f"socket {number}", port))
        seats.append(talk.stream_follower(f"stream {number}", port))
    async with talk, following(seats):
        for _ in range(ANSWERS_EACH):
            await talk.ask(dice.choice(QUESTIONS))
            dice.choice(seats).forget()
        async with asyncio.timeout(CATCH_UP_S):
            while any(seat.seq < talk.head for seat in seats):
                await asyncio.sleep(0.01)
    return await talk.close_the_books()


FAULT = Fault(name="cuts", in_ci=2_000, in_soak=10_000, run=run)
