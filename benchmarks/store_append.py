"""How long does an event wait until a store has committed it?

Conversations produce events at a fixed pace, evenly spread in time, and never wait for
the store. What has come up while one batch is written goes into the next batch, as the
log above a store does it. ``--busy`` keeps the event loop's thread busy beside it.

    python -m benchmarks.store_append --conversations 1,50,200
"""

import argparse
import asyncio
import json
import platform
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    Store,
    StoredEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RATE_PER_S = 80
EVENT = b'{"type":"block.delta","message":"m1","block":0,"delta":"token "}'.ljust(150)


class Committer:
    """Commits what is pending, one batch after the other."""

    def __init__(self, store: Store) -> None:
        self.latencies_ms: list[float] = []
        self.batches = 0
        self._store = store
        self._heads: dict[str, int] = {}
        self._pending: list[tuple[str, float]] = []
        self._woken = asyncio.Event()
        self._is_finished = False

    def offer(self, conversation: str) -> None:
        """Add an event of ``conversation`` to the next batch."""
        self._pending.append((conversation, time.perf_counter()))
        self._woken.set()

    def finish(self) -> None:
        """Let ``run`` end once everything is committed."""
        self._is_finished = True
        self._woken.set()

    async def run(self) -> None:
        """Commit until there is nothing more to come."""
        while self._pending or not self._is_finished:
            await self._woken.wait()
            self._woken.clear()
            pending, self._pending = self._pending, []
            await self._store.append([self._part(name) for name, _ in pending])
            now = time.perf_counter()
            self.latencies_ms += [(now - offered) * 1_000 for _, offered in pending]
            self.batches += bool(pending)

    def _part(self, conversation: str) -> Append:
        seq = self._heads[conversation] = self._heads.get(conversation, 0) + 1
        return Append(
            conversation=conversation, events=[StoredEvent(seq, EVENT)], updated_ms=seq
        )


async def _produce(committer: Committer, names: list[str], seconds: float) -> None:
    start = time.perf_counter()
    offered = 0
    while (elapsed := time.perf_counter() - start) < seconds:
        due = int(elapsed * RATE_PER_S * len(names))
        for number in range(offered, due):
            committer.offer(names[number % len(names)])
        offered = due
        await asyncio.sleep(0.001)
    committer.finish()


async def _keep_loop_busy(share: float, until: float) -> None:
    while time.perf_counter() < until and share:
        busy_until = time.perf_counter() + share / 1_000
        while time.perf_counter() < busy_until:
            pass
        await asyncio.sleep((1 - share) / 1_000)


async def _measure(
    store: Store, conversations: int, seconds: float, busy: float
) -> dict[str, float]:
    await store.open()
    names = [f"conversation-{number}" for number in range(conversations)]
    for name in names:
        record = ConversationRecord(
            id=name, log="0", owner="o", title="", created_ms=0, updated_ms=0
        )
        await store.create(record, [])
    committer = Committer(store)
    cpu_start_s = _cpu_s()
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        group.create_task(_produce(committer, names, seconds))
        group.create_task(_keep_loop_busy(busy, time.perf_counter() + seconds))
    cpu_s = _cpu_s() - cpu_start_s
    await store.close()
    latencies_ms = committer.latencies_ms
    percentiles = quantiles(latencies_ms, n=1_000)
    return {
        "appends": len(latencies_ms),
        "batches": committer.batches,
        "p50_ms": round(percentiles[499], 3),
        "p99_ms": round(percentiles[989], 3),
        "p999_ms": round(percentiles[998], 3),
        "max_ms": round(max(latencies_ms), 3),
        "cpu_us": round(cpu_s / len(latencies_ms) * 1e6),
    }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure as the command line says and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", default="1,50,200")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--busy", type=float, default=0.0, help="loop's share, 0 to 1")
    arguments = parser.parse_args()
    results: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Callable[[str], Store]] = {
            "memory": lambda _: MemoryStore(),
            "sqlite": lambda name: SqliteStore(Path(folder) / f"{name}.sqlite3"),
        }
        for name, make_store in stores.items():
            for count in arguments.conversations.split(","):
                figures = asyncio.run(
                    _measure(
                        make_store(count),
                        int(count),
                        arguments.seconds,
                        arguments.busy,
                    )
                )
                results.append({"store": name, "conversations": int(count), **figures})
    json.dump(
        {
            "benchmark": "store_append",
            "rate_per_s": RATE_PER_S,
            "event_bytes": len(EVENT),
            "busy": arguments.busy,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": platform.platform(),
            "results": results,
        },
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()
