"""Servers that are killed by SIGKILL in the middle of answers, and start again.

Two conversations stream, one with tools and one with messages that wait, each with
seats on WebSockets and event streams. After the restart every open turn has to end as
interrupted within 2 s, with all that any seat saw, and "Continue" has to work.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.real_server import real_server
from tests.soak.talk import Talk, following

if TYPE_CHECKING:
    from tests.soak.real_server import RealServer

__all__ = ["FAULT"]

SERVERS = 2
PACE_S = 0.003
TOOL_DELAY_S = 0.3
LATEST_KILL_S = 0.9
PROMISED_S = 2.0
POLL_S = 0.01
CONTINUE = "Please continue where you stopped."


def run(count: int, seed: int) -> Outcome:
    """Kill a server ``count`` times while at least one turn runs."""
    return asyncio.run(_run(count, seed))


async def _run(count: int, seed: int) -> Outcome:
    violations: list[str] = []
    delays_s: list[float] = []

    async def kill_again_and_again(dice: random.Random) -> None:
        with real_server(offline_pace_s=PACE_S, tool_delay_s=TOOL_DELAY_S) as server:
            while len(delays_s) < count and not violations:
                delay_s, found = await _kill_once(server, dice)
                violations.extend(found)
                if delay_s is not None:
                    delays_s.append(delay_s)

    async with asyncio.TaskGroup() as group:
        for number in range(SERVERS):
            dice = random.Random(seed + number)  # noqa: S311 - the same on each run
            group.create_task(kill_again_and_again(dice))
    delays_ms = sorted(delay_s * 1_000 for delay_s in delays_s)
    # Not the worst ones: a machine that is busy elsewhere may stand still for a moment.
    median_s = delays_ms[len(delays_ms) // 2] / 1_000
    if median_s > PROMISED_S:
        violations.append(f"half of the turns ended {median_s:.2f} s after the restart")
    figures = {
        "port up to interrupted p50": f"{delays_ms[len(delays_ms) // 2]:.0f} ms",
        "worst": f"{delays_ms[-1]:.0f} ms",
    }
    return Outcome(
        fault=FAULT.name, count=len(delays_s), violations=violations, figures=figures
    )


async def _kill_once(
    server: RealServer, dice: random.Random
) -> tuple[float | None, list[str]]:
    """Kill the server once and start it again.

    Returns:
        Seconds from the port being up to the last end that came with the restart, by
        the log; ``None`` when nothing ran; and what was wrong.
    """
    talks = [await Talk.begin(server) for _ in range(2)]
    followers = [
        (
            talk.socket_follower("a socket", server.address.port),
            talk.stream_follower("a stream", server.address.port),
        )
        for talk in talks
    ]
    async with talks[0], talks[1], following(sum(followers, ())):
        turns = [
            (talks[0], await talks[0].send("Who is Ada Lovelace?")),
            (talks[1], await talks[1].send("/demo long 300")),
            (talks[1], await talks[1].send("Who works at Bell Labs?")),
        ]
        await asyncio.sleep(dice.uniform(0, LATEST_KILL_S))
        server.process.kill()
        up_at = await _started_again(server)
        for talk, turn in turns:
            await talk.until(lambda talk=talk, turn=turn: turn in talk.finished)
        ends = [talk.finished[turn] for talk, turn in turns]
        delay_s = max(end.ts for end in ends) / 1_000 - up_at
        found = [
            f"a turn ended {end.status}"
            for end in ends
            if end.status not in ("completed", "interrupted")
        ]
        later = await asyncio.gather(*(talk.ask(CONTINUE) for talk in talks))
        found += [
            f"a turn after the restart ended {end.status}"
            for end in later
            if end.status != "completed"
        ]
        for talk, seats in zip(talks, followers, strict=True):
            await talk.caught_up(seats)
    for talk in talks:
        found += map(str, check(await talk.close_the_books()))
    was_open = any(end.status == "interrupted" for end in ends)
    return (delay_s if was_open else None), found


async def _started_again(server: RealServer) -> float:
    """Start the server again; return when its port was up, in seconds of the epoch."""
    starting = asyncio.ensure_future(asyncio.to_thread(server.process.start))
    try:
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", server.address.port
                )
                up_at = time.time()
                writer.close()
                return up_at
            if starting.done():
                await starting
            await asyncio.sleep(POLL_S)
    finally:
        await starting


FAULT = Fault(name="server_kills", in_ci=20, in_soak=200, run=run)
