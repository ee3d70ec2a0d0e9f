"""Seats that come late to a conversation of 1,000 events, while a tool runs.

Each has to have the whole state at once: what was said, what the turn does now, and how
far its tool is. Measured is the time from connecting to ``live``.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.conversation.state import ConversationState
from streamchat_nb.protocol.events import ToolProgress
from streamchat_nb.protocol.frames import Live, Snapshot
from streamchat_nb.testing.history_check import check
from tests.soak.outcome import Fault, Outcome
from tests.soak.real_server import real_server
from tests.soak.talk import Talk, following

if TYPE_CHECKING:
    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.protocol.frames import Frame
    from tests.soak.raw_client import Follower

__all__ = ["FAULT"]

EVENTS = 1_000
GOAL_MS = 150
PACE_S = 0.001
TOOL_DELAY_S = 2.0
JOIN_FOR_S = 1.5
JOIN_S = 10.0


def run(count: int, seed: int) -> Outcome:
    """Let ``count`` seats join late; nothing here is left to chance."""
    del seed
    return asyncio.run(_run(count))


async def _run(count: int) -> Outcome:
    violations: list[str] = []
    taken_ms: list[float] = []
    with real_server(offline_pace_s=PACE_S, tool_delay_s=TOOL_DELAY_S) as server:
        talk = await Talk.begin(server)
        async with talk:
            while talk.head < EVENTS:
                await talk.ask("/demo long 300")
            while len(taken_ms) < count and not violations:
                turn = await talk.send("Who is Ada Lovelace?")
                await _tool_reports(talk, turn)
                until = time.monotonic() + JOIN_FOR_S
                while time.monotonic() < until and len(taken_ms) < count:
                    milliseconds, faults = await _join(talk, turn, len(taken_ms))
                    taken_ms.append(milliseconds)
                    violations += faults
                await talk.until(lambda turn=turn: turn in talk.finished)
        violations += map(str, check(await talk.close_the_books()))
    taken_ms.sort()
    p50_ms, p99_ms = (taken_ms[len(taken_ms) * part // 100] for part in (50, 99))
    if p50_ms > GOAL_MS:
        violations.append(f"half of the seats took more than {p50_ms:.0f} ms")
    return Outcome(
        fault=FAULT.name,
        count=len(taken_ms),
        violations=violations,
        figures={
            "events": str(talk.head),
            "p50": f"{p50_ms:.0f} ms",
            "p99": f"{p99_ms:.0f} ms",
        },
    )


async def _tool_reports(talk: Talk, turn: str) -> None:
    """Wait until the witness has seen a tool of a turn at work."""
    seat = talk.history.seat("the witness")
    await talk.until(
        lambda: any(
            isinstance(received, ToolProgress) and received.turn == turn
            for received in seat.connections[-1].received[-50:]
        )
    )


async def _join(talk: Talk, turn: str, number: int) -> tuple[float, list[str]]:
    """Let a seat join; return the milliseconds it took, and what its state lacked."""
    live = asyncio.Event()

    def receive(received: Frame | Event | UnknownEvent) -> None:
        if isinstance(received, Live):
            live.set()

    port = talk.server.address.port
    make = (talk.socket_follower, talk.stream_follower)[number % 2]
    joiner: Follower = make(f"joiner {number}", port)
    joiner.silence_s = JOIN_S
    joiner.on_receive = receive
    started = time.monotonic()
    async with asyncio.timeout(JOIN_S), following([joiner]):
        await live.wait()
        milliseconds = (time.monotonic() - started) * 1_000
    return milliseconds, _lacking(joiner, turn)


def _lacking(joiner: Follower, turn: str) -> list[str]:
    """Return what the first snapshot of a seat does not say about a running tool."""
    parts = [
        msgspec.json.decode(received.state, type=ConversationState)
        for received in joiner.seat.connections[0].received
        if isinstance(received, Snapshot)
    ]
    if not parts:
        return [f"{joiner.seat.name} had no snapshot"]
    turns = [state for state in parts[0].turns if state.turn == turn]
    calls = [call for call in parts[0].tool_calls if call.turn == turn]
    lacking: list[str] = []
    if not turns or not turns[0].label or turns[0].phase != "using_tool":
        lacking.append(f"{joiner.seat.name} does not see what the turn does")
    if not calls or calls[0].status != "running" or not calls[0].progress_message:
        lacking.append(f"{joiner.seat.name} does not see the tool's progress")
    return lacking


FAULT = Fault(name="late_joiners", in_ci=60, in_soak=600, run=run)
