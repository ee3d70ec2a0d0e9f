"""The journal of the SQLite store: what it takes at once, and where that goes."""

import asyncio
import errno
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamchat_nb.conversation import journal
from streamchat_nb.conversation.journal import JOURNAL_SUFFIXES
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.sqlite_writer import Change, SqliteWriter
from streamchat_nb.conversation.store import Append
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    read_all,
    record_of,
    refusal,
)
from tests.integration.stores.running import run

NAME = "chat.sqlite3"


def in_tables(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT seq FROM event ORDER BY seq")
        return [seq for (seq,) in rows]


def files_of(folder: Path) -> list[Path]:
    return [folder / f"{NAME}{suffix}" for suffix in JOURNAL_SUFFIXES]


def is_any(paths: list[Path]) -> bool:
    return any(path.exists() for path in paths)


KILLED = """
import asyncio, sys
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.testing.store_samples import append_of, record_of

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    await store.create(record_of("a"), [])
    said = MessageText("m", 2, "A grey heron.")
    assert store.append_now([append_of("a", 1, 3, updated_ms=5, texts=[said])])
    print("written", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A database whose process was killed when all events were in the journal."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / NAME)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
    assert in_tables(tmp_path / NAME) == []
    return tmp_path / NAME


def test_what_is_in_the_journal_is_read_listed_and_unfinished(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        for name in ("a", "b"):
            await store.create(record_of(name), events_of(1, 1))
        open_turn = append_of("a", 2, 5, updated_ms=9_000, open_turns=1)
        assert store.append_now([open_turn])
        assert in_tables(tmp_path / NAME) == [1, 1]
        assert await read_all(store, "a") == events_of(1, 5)
        assert await store.read("a", 1, limit_events=2) == events_of(2, 3)
        assert await store.read("a", 3, limit_bytes=1) == events_of(4, 4)
        changed = {"head": 5, "updated_ms": 9_000, "open_turns": 1}
        assert await store.get("a") == record_of("a", **changed)
        assert [each.id for each in await store.list("ada")] == ["a", "b"]
        hits = await store.search("ada", "conversation")
        assert [hit.record.head for hit in hits] == [5, 1]
        assert await store.unfinished() == ["a"]

    run(SqliteStore(tmp_path / NAME), scenario)
    assert in_tables(tmp_path / NAME) == [1, 1, 2, 3, 4, 5]
    assert not is_any(files_of(tmp_path))


def test_change_of_a_conversation_takes_along_what_is_held_of_it(
    tmp_path: Path,
) -> None:
    async def scenario(store: SqliteStore) -> None:
        for name in ("a", "b"):
            await store.create(record_of(name), events_of(1, 1))
        assert store.append_now([append_of("a", 2, 9), append_of("b", 2, 2)])
        end = append_of("a", 10, 11, dropped=[(3, 8)], durable=True)
        await store.append([end])
        # What is dropped never came there, and what is of others is still held.
        assert in_tables(tmp_path / NAME) == [1, 1, 2, 9, 10, 11]
        assert store.append_now([append_of("a", 12, 12), append_of("b", 3, 3)])
        assert [event.seq for event in await read_all(store, "a")] == [
            *(1, 2, 9, 10, 11, 12)
        ]
        assert await read_all(store, "b") == events_of(1, 3)

    run(SqliteStore(tmp_path / NAME), scenario)


def test_full_journal_is_moved_while_events_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 600)

    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        at_once = 0
        for seq in range(1, 400):
            is_written = store.append_now([append_of("a", seq, seq)])
            at_once += is_written
            if not is_written:
                await store.append([append_of("a", seq, seq)])
            if seq % 50 == 0:
                assert await read_all(store, "a") == events_of(1, seq)
            await asyncio.sleep(0.001)
        assert at_once > 100

    run(SqliteStore(tmp_path / NAME), scenario)
    assert in_tables(tmp_path / NAME) == list(range(1, 400))


def test_locked_database_takes_events_and_is_read(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert store.append_now([append_of("a", 2, 3)])
            error = await refusal(store.append([append_of("a", 4, 4, durable=True)]))
            assert error.code == "store_locked"
            assert store.append_now([append_of("a", 4, 4)])
            assert await read_all(store, "a") == events_of(1, 4)
        await store.append([append_of("a", 5, 5, title="Now")])
        assert await read_all(store, "a") == events_of(1, 5)

    run(SqliteStore(tmp_path / NAME, busy_timeout_s=0.1), scenario)


class Disk:
    """Stands before the disk: counts what is forced to it, and fails at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forced = 0
        self.is_broken = False
        self.has_time = threading.Event()
        self.has_time.set()
        self._force = journal._sync_data
        monkeypatch.setattr(journal, "_sync_data", self)

    def __call__(self, descriptor: int) -> None:
        if self.is_broken:
            raise OSError(errno.EIO, "Input/output error")
        assert self.has_time.wait(10)
        self._force(descriptor)
        self.forced += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def durable(first: int, last: int, **values: Any) -> Append:
    return append_of("a", first, last, durable=True, **values)


def test_durable_events_are_forced_to_the_disk_by_sync_alone(
    tmp_path: Path, disk: Disk
) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        assert store.append_now([append_of("a", 2, 3)])
        await store.sync()
        assert disk.forced == 0
        assert store.append_now([durable(4, 5)])
        assert store.append_now([append_of("a", 6, 6)])
        assert disk.forced == 0
        assert await read_all(store, "a") == events_of(1, 6)
        disk.has_time.clear()
        syncs = [asyncio.create_task(store.sync()) for _ in range(2)]
        done, _ = await asyncio.wait(syncs, timeout=0.05)
        assert not done
        disk.has_time.set()
        await asyncio.gather(*syncs)
        assert disk.forced == 1
        await store.sync()
        assert disk.forced == 1
        assert in_tables(tmp_path / NAME) == [1]

    run(SqliteStore(tmp_path / NAME), scenario)


def test_disk_that_does_not_take_the_journal_has_it_in_the_tables(
    tmp_path: Path, disk: Disk
) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        disk.is_broken = True
        assert store.append_now([durable(2, 3)])
        with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                error = await refusal(store.sync())
                assert error.code == "store_locked"
                disk.is_broken = False  # but what it has forgotten, it has forgotten
            assert await read_all(store, "a") == events_of(1, 3)
        await store.sync()
        assert (disk.forced, in_tables(tmp_path / NAME)) == (0, [1, 2, 3])
        assert store.append_now([durable(4, 4)])
        await store.sync()
        assert (disk.forced, in_tables(tmp_path / NAME)) == (1, [1, 2, 3])

    run(SqliteStore(tmp_path / NAME, busy_timeout_s=0.05), scenario)


def test_what_a_loss_of_power_could_undo_below_it_is_forced_with_it(
    tmp_path: Path, disk: Disk
) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        # A transaction that did not wait: without it the next events have a gap below.
        await store.append([append_of("a", 2, 2, title="Now")])
        assert store.append_now([durable(3, 3)])
        await store.sync()
        assert (disk.forced, in_tables(tmp_path / NAME)) == (0, [1, 2, 3])

    run(SqliteStore(tmp_path / NAME), scenario)


def test_forced_events_come_into_the_tables_by_what_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    write = SqliteWriter.write

    async def noting(self: SqliteWriter, change: Change, **values: Any) -> bool:
        waits.append(values["durable"])
        return await write(self, change, **values)

    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        monkeypatch.setattr(SqliteWriter, "write", noting)
        await store.append([append_of("a", 2, 2, title="Now")])
        await store.append([append_of("a", 3, 3, title="Then", durable=True)])
        assert store.append_now([durable(4, 4)])
        await store.append([append_of("a", 5, 5, title="Now")])
        await store.append([append_of("a", 6, 6, title="Then")])
        assert waits == [False, True, True, False]

    run(SqliteStore(tmp_path / NAME), scenario)


def test_words_in_the_journal_are_found(tmp_path: Path) -> None:
    async def found(store: SqliteStore) -> list[str]:
        return [hit.message for hit in await store.search("ada", "heron")]

    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        assert await found(store) == []
        said = MessageText("m1", 2, "A grey heron.")
        assert store.append_now([durable(2, 3, texts=[said])])
        assert await found(store) == ["m1"]
        assert in_tables(tmp_path / NAME) == [1, 2, 3]
        again = MessageText("m2", 4, "A white heron.")
        assert store.append_now([durable(4, 4, texts=[again])])
        await store.append([append_of("a", 5, 5, title="Now")])
        assert await found(store) == ["m2"]
        answer = MessageText("m3", 6, "Which one?", is_answer=True)
        assert not durable(6, 6, texts=[answer]).is_plain

    run(SqliteStore(tmp_path / NAME), scenario)


def test_conversation_made_again_has_nothing_of_the_one_before(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 1))
        assert store.append_now([append_of("a", 2, 3)])
        assert await store.delete("a")
        assert await store.read("a", 0) == []
        assert not store.append_now([append_of("a", 4, 4)])
        await store.create(record_of("a", log="other"), events_of(1, 1))
        assert await read_all(store, "a") == events_of(1, 1)
        assert store.append_now([append_of("a", 2, 2)])

    run(SqliteStore(tmp_path / NAME), scenario)
    assert in_tables(tmp_path / NAME) == [1, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("wal", [True, False])
def test_journal_of_a_killed_process_is_found(left: Path, wal: bool) -> None:
    async def scenario(store: SqliteStore) -> None:
        assert await read_all(store, "a") == events_of(1, 3)
        assert [hit.message for hit in await store.search("ada", "heron")] == ["m"]
        assert store.append_now([append_of("a", 4, 4)]) == wal
        await store.append([append_of("a", 5 if wal else 4, 5)])
        assert await read_all(store, "a") == events_of(1, 5)

    run(SqliteStore(left, wal=wal), scenario)
    assert in_tables(left) == [1, 2, 3, 4, 5]
    assert not is_any(files_of(left.parent))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_journal_outlives_a_database_that_cannot_be_written_to(left: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        with closing(sqlite3.connect(left, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await store.open()
            assert await read_all(store, "a") == events_of(1, 3)
            await store.close()

    asyncio.run(scenario(SqliteStore(left, busy_timeout_s=0.05)))
    assert in_tables(left) == []
    assert is_any(files_of(left.parent))

    async def check(store: SqliteStore) -> None:
        assert await read_all(store, "a") == events_of(1, 3)

    run(SqliteStore(left), check)
    assert in_tables(left) == [1, 2, 3]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_damaged_database_takes_its_journal_aside(left: Path) -> None:
    left.write_bytes(b"not a database" * 1_000)

    async def scenario(store: SqliteStore) -> None:
        assert "damaged" in (store.notice or "")
        assert await store.get("a") is None

    run(SqliteStore(left), scenario)
    assert is_any([Path(f"{left}.corrupt-1{suffix}") for suffix in JOURNAL_SUFFIXES])


def test_journal_that_cannot_be_read_refuses_to_open(tmp_path: Path) -> None:
    files_of(tmp_path)[0].mkdir()

    async def scenario() -> None:
        store = SqliteStore(tmp_path / NAME)
        error = await refusal(store.open())
        assert "-events-" in error.message
        await store.close()

    asyncio.run(scenario())
