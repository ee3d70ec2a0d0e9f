"""Another program locks the database for a while: writing waits, the loop does not."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.sqlite import SqliteStore
from tests.soak.bustle import bustle, until
from tests.soak.outcome import Fault, Outcome
from tests.soak.witness import Witness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["FAULT", "lock_databases"]

LONGEST_S = 8.0
AT_ONCE = 10
"""How many databases are locked at the same time."""
BEAT_S = 0.01
LEAST_BEATS_PER_S = 10
"""How often the loop comes round at least while a database is locked. It would a
hundred times if the machine had nothing else to do."""
READ_S = 2.0


class Pulse:
    """How often the event loop came round, and how long it was away at most."""

    def __init__(self) -> None:
        self.beats = 0
        self.longest_s = 0.0

    async def beat(self) -> None:
        """Count until cancelled."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.monotonic()
            self.beats += 1
            self.longest_s = max(self.longest_s, now - last - BEAT_S)
            last = now


class Locks:
    """Locks databases, many at a time, and keeps the score.

    Attributes:
        done: How many were locked.
        violations: What did not hold meanwhile or afterwards.
        refusals: How many messages were refused, by code.
        pulse: Of the one event loop of all stores.
    """

    def __init__(self, store_type: type[SqliteStore]) -> None:
        self.done = 0
        self.violations: list[str] = []
        self.refusals: Counter[str] = Counter()
        self.pulse = Pulse()
        self._store_type = store_type

    async def happen(self, count: int, folder: Path, dice: random.Random) -> None:
        """Lock ``count`` databases in ``folder``."""
        heart = asyncio.create_task(self.pulse.beat())
        while self.done < count and not self.violations:
            wave = range(self.done, min(count, self.done + AT_ONCE))
            # Of each wave one is short and one as long as it gets.
            lengths_s = [0.1, LONGEST_S, *(dice.uniform(0.1, LONGEST_S) for _ in wave)]
            found = await asyncio.gather(
                *(
                    self._lock_once(folder / f"{number}.sqlite3", length_s, dice)
                    for number, length_s in zip(wave, lengths_s, strict=False)
                )
            )
            for number, words in zip(wave, found, strict=True):
                self.violations += [f"lock {number}: {each}" for each in words]
            self.done += len(wave)
        heart.cancel()

    async def _lock_once(
        self, path: Path, length_s: float, dice: random.Random
    ) -> list[str]:
        witness = Witness()
        found: list[str] = []
        store = self._store_type(path, wal=dice.random() < 0.7)
        await store.open()
        writer = LogWriter(store)
        writer.start()
        try:
            async with bustle(writer, witness, seed=dice.randrange(2**32)) as scene:
                await until(lambda: scene.turns >= 2, "the beginning")
                async with locked(path):
                    found += await self._wait_and_read(store, length_s)
                goal = scene.turns + 3
                await until(lambda: scene.turns >= goal, "a turn after the lock")
            if writer.failure is not None:
                found.append(f"the lock is gone and still: {writer.failure.message}")
            await writer.stop()
            self.refusals.update(scene.refusals)
            found += scene.violations + await witness.violations(store)
        except TimeoutError as error:
            found.append(f"hung: {error}")
        finally:
            await writer.stop(timeout_s=0.1)
            await store.close()
        return found

    async def _wait_and_read(self, store: SqliteStore, length_s: float) -> list[str]:
        """Stay for a lock's time; check that the loop runs and that reading goes on."""
        found: list[str] = []
        before = self.pulse.beats
        async with asyncio.timeout(length_s + READ_S):
            if not await store.read("c0", 0) or len(await store.list("ada")) != 2:
                found.append("what is there cannot be read")
            await asyncio.sleep(length_s)
        beats = self.pulse.beats - before
        if beats < length_s * LEAST_BEATS_PER_S:
            found.append(f"the loop came round {beats} times in {length_s:.1f} s")
        return found


@asynccontextmanager
async def locked(path: Path) -> AsyncGenerator[None]:
    """Keep the database from being written to, as another program would."""
    connection = await asyncio.to_thread(
        sqlite3.connect, path, timeout=10, isolation_level=None, check_same_thread=False
    )
    try:
        await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
        yield
    finally:
        await asyncio.to_thread(connection.close)


def lock_databases(
    count: int, seed: int, store_type: type[SqliteStore] = SqliteStore
) -> Outcome:
    """Lock ``count`` databases, each for 0.1 to 8 seconds."""
    locks = Locks(store_type)
    with tempfile.TemporaryDirectory() as folder:
        dice = random.Random(seed)  # noqa: S311 - the same on each run
        asyncio.run(locks.happen(count, Path(folder), dice))
    figures = {"longest pause of the loop": f"{locks.pulse.longest_s * 1_000:.0f} ms"}
    figures |= {code: f"{number} refused" for code, number in locks.refusals.items()}
    return Outcome(
        fault=FAULT.name,
        count=locks.done,
        violations=locks.violations,
        figures=figures,
    )


FAULT = Fault(name="store_locks", in_ci=10, in_soak=50, run=lock_databases)
