"""Connections that are cut at random bytes while answers with tools stream.

Seats follow one conversation after the other through a proxy, by WebSocket and by event
stream, and come back from their cursor at once. Now and then one forgets what it saw,
as a page does that is reloaded. The product's own client follows too, through a proxy
that is kinder: it waits between two attempts, and long for who is silent. Each of them
has to see the whole log all the same.
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
from tests.soak.own_client import OwnClient
from tests.soak.real_server import real_server
from tests.soak.talk import Talk, following

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.testing.fault_proxy import ProxiedRequest
    from tests.soak.raw_client import Follower
    from tests.soak.real_server import RealServer

    Faults = Callable[[ProxiedRequest], RequestFaults]

__all__ = ["FAULT", "run"]

SEATS_EACH = 6
SILENT_FOR_S = 1.0
PACE_S = 0.001
ANSWERS_EACH = 5
CUTS_OF_OUR_CLIENT = 4
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
        FaultProxy(server.address.port) as kind_proxy,
    ):
        if not bug:
            await _follow_one(server, (proxy, kind_proxy), dice)
        before = server.census()
        started = time.monotonic()
        proxy.faults = _at_most(count, proxy, _cuts(seed))
        while proxy.cuts.total() < count and not violations:
            kindly = random_cuts(
                seed + conversations, within_bytes=20_000, endings=("fin", "rst")
            )
            enough = kind_proxy.cuts.total() + CUTS_OF_OUR_CLIENT
            kind_proxy.faults = _at_most(enough, kind_proxy, kindly)
            history = await _follow_one(server, (proxy, kind_proxy), dice)
            violations += map(str, check(history))
            conversations += 1
        cut_for_ms = (time.monotonic() - started) * 1_000
        if not violations:
            left = History(conversation="", leftovers=server.leftovers(before))
            violations += map(str, check(left))
    cuts = proxy.cuts + kind_proxy.cuts
    figures = {ending: str(number) for ending, number in sorted(cuts.items())}
    figures["of our client"] = str(kind_proxy.cuts.total())
    figures["conversations"] = str(conversations)
    figures["per cut"] = f"{cut_for_ms / max(1, cuts.total()):.1f} ms"
    return Outcome(
        fault=FAULT.name,
        count=cuts.total(),
        violations=violations,
        figures=figures,
    )


def _at_most(count: int, proxy: FaultProxy, faults: Faults) -> Faults:
    """Return faults that end once a proxy has made so many cuts."""
    return lambda request: (
        faults(request) if proxy.cuts.total() < count else RequestFaults()
    )


def _cuts(seed: int) -> Faults:
    """Return cuts that mostly come soon, and sometimes late enough for a snapshot."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    soon = random_cuts(seed, within_bytes=4_000)
    late = random_cuts(seed, within_bytes=20_000)

    def choose(request: ProxiedRequest) -> RequestFaults:
        return late(request) if dice.random() < 0.1 else soon(request)

    return choose


async def _follow_one(
    server: RealServer, proxies: tuple[FaultProxy, FaultProxy], dice: random.Random
) -> History:
    """Follow one conversation to its end; return what everybody saw."""
    proxy, kind_proxy = proxies
    talk = await Talk.begin(server)
    raw: list[Follower] = []
    for number in range(SEATS_EACH):
        raw.append(talk.socket_follower(f"socket {number}", proxy.port))
        raw.append(talk.stream_follower(f"stream {number}", proxy.port))
    own = [
        OwnClient(talk, kind_proxy.port, "websocket"),
        OwnClient(talk, kind_proxy.port, "sse"),
    ]
    async with talk, following([*raw, *own]):
        for _ in range(ANSWERS_EACH):
            await talk.ask(dice.choice(QUESTIONS))
            dice.choice(raw).forget()
        await talk.caught_up([*raw, *own])
    return await talk.close_the_books()


FAULT = Fault(name="cuts", in_ci=2_000, in_soak=10_000, run=run)
