"""The wall clock jumps by hours: order is by number, and nothing waits for it."""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.protocol.codec import decode_event
from tests.soak.bustle import bustle, until
from tests.soak.outcome import Fault, Outcome
from tests.soak.witness import Witness

if TYPE_CHECKING:
    from streamchat_nb.conversation.store import ConversationRecord, ListPosition, Store

__all__ = ["FAULT", "jump_clocks"]

HOUR_MS = 3_600_000
NOON_MS = 1_790_000_000_000
CONVERSATIONS = 5
JUMPS_EACH = 20
"""How many jumps one store lives through."""


class Clock:
    """A wall clock that somebody sets, again and again."""

    def __init__(self) -> None:
        self._now_ms = NOON_MS

    def __call__(self) -> int:
        """Return milliseconds since the epoch; a few go by each time."""
        self._now_ms += 3
        return self._now_ms

    def jump(self, hours: float) -> None:
        """Set it."""
        self._now_ms += int(hours * HOUR_MS)


def jump_clocks(
    count: int, seed: int, store_type: type[SqliteStore] = SqliteStore
) -> Outcome:
    """Let the clock jump ``count`` times while conversations go on."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    violations: list[str] = []
    done = turns = 0
    while done < count and not violations:
        jumps = min(JUMPS_EACH, count - done)
        with tempfile.TemporaryDirectory() as folder:
            store = store_type(Path(folder) / "chat.sqlite3")
            found, played = asyncio.run(_jump(store, jumps, dice))
        violations += [f"jumps from {done} on: {words}" for words in found]
        done += jumps
        turns += played
    return Outcome(
        fault=FAULT.name,
        count=done,
        violations=violations,
        figures={"turns": f"{turns}"},
    )


async def _jump(
    store: SqliteStore, jumps: int, dice: random.Random
) -> tuple[list[str], int]:
    clock, witness = Clock(), Witness()
    found: list[str] = []
    played = 0
    await store.open()
    writer = LogWriter(store, wall_clock_ms=clock)
    writer.start()
    try:
        async with bustle(
            writer, witness, seed=dice.randrange(2**32), conversations=CONVERSATIONS
        ) as scene:
            for _ in range(jumps):
                clock.jump(dice.choice((-48, -1, -0.01, 0.01, 1, 48)) * dice.random())
                goal = scene.turns + 2
                await until(lambda goal=goal: scene.turns >= goal, "a turn")
        played = scene.turns
        await writer.stop()
        found += scene.violations + await witness.violations(store)
        found += await _check_list(store, dice)
    except TimeoutError as error:
        found.append(f"hung: {error}")
    finally:
        await writer.stop(timeout_s=0.1)
        await store.close()
    return found, played


async def _check_list(store: Store, dice: random.Random) -> list[str]:
    """Check that a list shows each conversation once, by the time of its last event."""
    listed: list[ConversationRecord] = []
    before: ListPosition | None = None
    while page := await store.list("ada", limit=dice.randrange(1, 4), before=before):
        listed += page
        before = page[-1].position
    found: list[str] = []
    if len({record.id for record in listed}) != len(listed) or (
        len(listed) != CONVERSATIONS
    ):
        found.append(f"the list has {[record.id for record in listed]}")
    times = [record.updated_ms for record in listed]
    if times != sorted(times, reverse=True):
        found.append(f"the list is not in order: {times}")
    for record in listed:
        last = await store.read(record.id, record.head - 1)
        if decode_event(last[0].data).ts != record.updated_ms:
            found.append(f"{record.id} is listed by another time than its last event's")
    return found


FAULT = Fault(name="clock_jumps", in_ci=100, in_soak=500, run=jump_clocks)
