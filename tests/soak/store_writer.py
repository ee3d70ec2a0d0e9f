"""A process that writes conversations through a log and a SQLite store, to be killed.

    python -m tests.soak.store_writer

Reads one JSON object a line from its input: ``path`` of the database, ``life`` (which
writer of this database it is), ``seed``, and ``bug``, one of ``STORES``. For each it
forks a writer that goes on until it is killed, and prints ``["ended", status]`` once
it is. Everything is imported by then, so a writer begins at once.

A writer prints, a line each: ``["began", process id]``, ``["seen", conversation, seq,
event]`` for what a reader was shown, ``["acked", conversation, seq]`` for what its
author was told to be kept, and ``["failed", words]``. A line is written whole.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from streamchat_nb.conversation import journal
from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.sqlite import SqliteStore
from tests.soak.turns import follow, open_log, play_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.store import Append, StoredEvent

CONVERSATIONS = 3
LIFE_S = 20.0


class EarlyStore(SqliteStore):
    """Says that a batch is written a moment before it is. A planted bug."""

    _last: asyncio.Task[None] | None = None

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        self._last = asyncio.create_task(self._append_later(batch, self._last))

    async def _append_later(
        self, batch: Sequence[Append], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await before
        await asyncio.sleep(0.005)
        await super().append(batch)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        return False


class GreedyStore(SqliteStore):
    """Drops the event before those that are to be dropped as well. A planted bug."""

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        await super().append(
            [
                msgspec.structs.replace(
                    part, dropped=[(part.dropped[0][0] - 1, part.dropped[-1][1])]
                )
                if part.dropped
                else part
                for part in batch
            ]
        )


STORES = {"": SqliteStore, "early": EarlyStore, "greedy": GreedyStore}


def tell(*words: object) -> None:
    """Print a line, whole or not at all: a pipe takes as much at once."""
    os.write(1, json.dumps(words).encode() + b"\n")


def show(conversation: str, event: StoredEvent) -> None:
    tell("seen", conversation, event.seq, event.data.decode())


async def write(path: str, life: int, seed: int, bug: str) -> None:
    """Write conversations until killed."""
    store = STORES[bug](path)
    await store.open()
    if store.notice is not None:
        tell("failed", store.notice)
    writer = LogWriter(store)
    writer.start()
    async with asyncio.timeout(LIFE_S), asyncio.TaskGroup() as group:
        for number in range(CONVERSATIONS):
            log = await open_log(writer, f"c{number}")
            group.create_task(follow(log, show))
            group.create_task(converse(log, life, random.Random(seed + number)))  # noqa: S311 - the same on each run


async def converse(log: ConversationLog, life: int, dice: random.Random) -> None:
    """Play turns in one conversation, without end."""
    for number in itertools.count():
        seq = await play_turn(log, f"{life}.{number}", dice)
        tell("acked", log.id, seq)


def main() -> None:
    """Fork a writer for each line of the input."""
    journal.FILE_BYTES = 8_192
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            tell("began", os.getpid())
            try:
                asyncio.run(write(**order))
            except BaseException as error:  # noqa: BLE001 - told to whoever kills it
                tell("failed", repr(error))
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        tell("ended", status)


if __name__ == "__main__":
    main()
