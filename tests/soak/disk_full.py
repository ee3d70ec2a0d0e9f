"""The disk is full: nothing is acked that is not kept, and then all goes on."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.events import TurnStatus
from tests.soak.bustle import bustle, until
from tests.soak.outcome import Fault, Outcome
from tests.soak.turns import open_log
from tests.soak.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Generator

    from streamchat_nb.conversation.log import ConversationLog
    from streamchat_nb.conversation.sqlite_tables import Tables
    from streamchat_nb.conversation.sqlite_writer import Change

__all__ = ["FAULT", "fill_disks"]

DISK_BYTES = 2_097_152
FULL_CODES = ("store_full", "store_unavailable")
ENOUGH = 10
"""How many violations are enough to stop."""


class SmallDisk:
    """A file system of 2 MiB, filled by a file beside the database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    async def fill(self, _: SqliteStore, room_bytes: int) -> None:
        """Take all room but ``room_bytes``."""
        free = shutil.disk_usage(self.folder).free
        with suppress(OSError):
            await asyncio.to_thread(self._ballast.write_bytes, bytes(free - room_bytes))

    async def free(self, _: SqliteStore) -> None:
        """Give the room back."""
        await asyncio.to_thread(self._ballast.unlink)


class PageLimit:
    """A limit of SQLite's own, where no file system can be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def fill(self, store: SqliteStore, room_bytes: int) -> None:
        """Let the database grow by ``room_bytes`` only."""

        def limit(tables: Tables) -> bool:
            (pages,) = tables.connection.execute("PRAGMA page_count").fetchone()
            return self._limit(tables, pages + room_bytes // 4_096)

        await self._change(store, limit)

    async def free(self, store: SqliteStore) -> None:
        """Let it grow again."""
        await self._change(store, lambda tables: self._limit(tables, 1_000_000))

    async def _change(self, store: SqliteStore, change: Change) -> None:
        assert store._writer is not None
        await store._writer.write(change, durable=False, data_bytes=0)

    def _limit(self, tables: Tables, pages: int) -> bool:
        tables.connection.execute(f"PRAGMA max_page_count = {pages}")
        return True


@contextmanager
def disk() -> Generator[SmallDisk | PageLimit]:
    """Give a disk that can be filled; a real one where this user may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        mount = [
            "/usr/bin/mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={DISK_BYTES}",
            "tmpfs",
            folder,
        ]
        try:
            subprocess.run(mount, check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            yield PageLimit(Path(folder))
            return
        try:
            yield SmallDisk(Path(folder))
        finally:
            subprocess.run(["/usr/bin/umount", folder], check=True, timeout=10)


def fill_disks(
    count: int, seed: int, store_type: type[SqliteStore] = SqliteStore
) -> Outcome:
    """Fill the disk ``count`` times, each at another point of other conversations."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    violations: list[str] = []
    refusals: Counter[str] = Counter()
    done = 0
    with disk() as place:
        while done < count and len(violations) < ENOUGH:
            path = place.folder / f"{done}.sqlite3"
            store = store_type(path, wal=dice.random() < 0.7)
            found = asyncio.run(_fill_once(place, store, dice, refusals))
            violations += [f"point {done}: {words}" for words in found]
            done += 1
            for file in place.folder.glob("*.sqlite3*"):
                file.unlink()
    figures = {"by": type(place).__name__}
    figures |= {code: f"{number} refused" for code, number in refusals.items()}
    return Outcome(fault=FAULT.name, count=done, violations=violations, figures=figures)


async def _fill_once(
    place: SmallDisk | PageLimit,
    store: SqliteStore,
    dice: random.Random,
    refusals: Counter[str],
) -> list[str]:
    witness = Witness()
    found: list[str] = []
    await store.open()
    writer = LogWriter(store)
    writer.start()
    try:
        aside = await open_log(writer, "aside")
        async with bustle(writer, witness, seed=dice.randrange(2**32)) as scene:
            begin = dice.randrange(8)
            await until(lambda: scene.turns >= begin, "the beginning")
            await place.fill(store, dice.randrange(65_536))
            try:
                await until(lambda: writer.failure is not None, "a full disk")
                found += await _check_refusal_and_reading(store, aside)
                await asyncio.sleep(dice.random() / 20)
            finally:
                await place.free(store)
            goal = scene.turns + 3
            await until(lambda: scene.turns >= goal, "a turn with room again")
        if writer.failure is not None:
            found.append(f"there is room and still: {writer.failure.message}")
        await writer.stop()
        refusals.update(scene.refusals)
        found += scene.violations + await witness.violations(store)
    except TimeoutError as error:
        found.append(f"hung: {error}")
    finally:
        await writer.stop(timeout_s=0.1)
        await store.close()
    return found


async def _check_refusal_and_reading(
    store: SqliteStore, aside: ConversationLog
) -> list[str]:
    """Check what a caller sees of a store without room."""
    found: list[str] = []
    async with asyncio.timeout(10):
        found += [
            f"{conversation} cannot be read"
            for conversation in ("c0", "c1", "aside")
            if not await store.read(conversation, 0, limit_events=1)
        ]
        if len(await store.list("ada")) != 3:
            found.append("the list cannot be read")
        asked = TurnStatus(phase="thinking", label="?")
        try:
            seq = await aside.append(asked, rejectable=True)
        except StoreError as error:
            if error.code not in FULL_CODES or not error.retryable:
                found.append(f"an unclear refusal: {error!r}")
        else:
            record = await store.get(aside.id)
            if record is None or record.head < seq:
                found.append(f"event {seq} was acked on a full disk and not kept")
    return found


FAULT = Fault(name="disk_full", in_ci=50, in_soak=200, run=fill_disks)
