"""What the SQLite store promises when the process, the disk or others fail it."""

# pyright: reportPrivateUsage=false

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.sqlite_tables import Tables
from streamchat_nb.conversation.store import Append, StoredEvent
from streamchat_nb.errors import StoreError
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    read_all,
    record_of,
    refusal,
)
from tests.integration.stores.running import run

NAME = "chat.sqlite3"
REPOSITORY = Path(__file__).resolve().parents[3]


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Keep the store's file from being written to, as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


async def do(store: SqliteStore, action: Callable[[Tables], object]) -> None:
    """Run ``action`` on the thread and connection that write."""
    assert store._writer is not None

    def change(tables: Tables) -> bool:
        action(tables)
        return True

    await store._writer.write(change, durable=False, data_bytes=0)


# Killed

KILLED = """
import asyncio, json, sys
from streamchat_nb.conversation import journal
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.errors import StoreError
from streamchat_nb.testing.store_samples import append_of, record_of

journal.FILE_BYTES = 4_096

async def write(store, name, number):
    record = await store.get(name)
    if record is None:
        await store.create(record_of(name), [])
        head = 0
    else:
        head = record.head
    while True:
        last = head + 1 + head % 3
        part = append_of(name, head + 1, last)
        if head % 7 == number or not store.append_now([part]):
            await store.append([part])
        head = last
        print(json.dumps([name, head]), flush=True)

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    assert store.notice is None, store.notice
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(write(store, f"c{number}", number))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    dice = random.Random(20)  # noqa: S311 - the same on each run
    path = tmp_path / NAME
    confirmed: dict[str, int] = {}
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
        ) as child:
            assert child.stdout is not None
            for _ in range(dice.randrange(1, 200)):
                name, head = json.loads(child.stdout.readline())
                confirmed[name] = head
            time.sleep(dice.random() / 50)
            child.send_signal(signal.SIGKILL)
            # What it had confirmed before the end is still in the pipe.
            for line in child.stdout.read().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    name, head = json.loads(line)
                    confirmed[name] = head
            assert child.wait(10) == -signal.SIGKILL
        run(SqliteStore(path), lambda store: check_confirmed(store, confirmed))
    assert sum(confirmed.values()) > 1_000


async def check_confirmed(store: SqliteStore, confirmed: dict[str, int]) -> None:
    assert store.notice is None
    for name, head in confirmed.items():
        record = await store.get(name)
        assert record is not None
        # One more append may have been committed and not confirmed in time.
        assert head <= record.head <= head + 3
        assert await read_all(store, name) == events_of(1, record.head)


# Disk


async def check_refusal_and_recovery(
    store: SqliteStore,
    fill: Callable[[], Awaitable[None]],
    free: Callable[[], Awaitable[None]],
) -> None:
    """Fill the disk under ``store``; it must refuse whole batches, then go on."""
    for name in ("a", "b"):
        await store.create(record_of(name), [])
    await fill()
    large = [StoredEvent(seq, bytes(200_000)) for seq in range(1, 40)]
    for _ in range(3):
        error = await refusal(
            store.append(
                [
                    append_of("a", 1, 1),
                    Append(conversation="b", events=large, updated_ms=1),
                ]
            )
        )
        assert error.code == "store_full"
        assert error.retryable
        for name in ("a", "b"):
            assert await store.get(name) == record_of(name)
            assert await store.read(name, 0) == []
    await free()
    await store.append([append_of("a", 1, 9), append_of("b", 1, 9)])
    for name in ("a", "b"):
        assert await store.read(name, 0) == events_of(1, 9)


def test_full_database_refuses_and_recovers(tmp_path: Path) -> None:
    def limit(tables: Tables, pages: int) -> None:
        tables.connection.execute(f"PRAGMA max_page_count = {pages}")

    async def scenario(store: SqliteStore) -> None:
        await check_refusal_and_recovery(
            store,
            lambda: do(store, lambda tables: limit(tables, 100)),
            lambda: do(store, lambda tables: limit(tables, 1_000_000)),
        )

    run(SqliteStore(tmp_path / NAME), scenario)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["/usr/bin/umount", str(place)], check=True, timeout=10)


@pytest.mark.parametrize("wal", [True, False])
def test_full_disk_refuses_and_recovers(small_disk: Path, wal: bool) -> None:
    ballast = small_disk / "ballast"

    async def fill() -> None:
        await asyncio.to_thread(ballast.write_bytes, bytes(3_000_000))

    async def free() -> None:
        await asyncio.to_thread(ballast.unlink)

    run(
        SqliteStore(small_disk / NAME, wal=wal),
        lambda store: check_refusal_and_recovery(store, fill, free),
    )


# Locked


def test_short_lock_of_another_program_is_waited_for(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        longest_pause_s = 0.0
        with locked(tmp_path / NAME):
            append = asyncio.ensure_future(store.append([append_of("a", 1, 2)]))
            last = start = time.monotonic()
            while last < start + 0.5:
                await asyncio.sleep(0.001)
                now = time.monotonic()
                longest_pause_s = max(longest_pause_s, now - last)
                last = now
            assert not append.done()
            assert await store.read("a", 0) == []
        await append
        assert await store.read("a", 0) == events_of(1, 2)
        # The loop went on: it was never away for anything like the lock's time.
        assert longest_pause_s < 0.25

    run(SqliteStore(tmp_path / NAME), scenario)


def test_long_lock_of_another_program_refuses_and_recovers(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        with locked(tmp_path / NAME):
            for _ in range(2):
                error = await refusal(store.append([append_of("a", 1, 2)]))
                assert error.code == "store_locked"
                assert error.retryable
            assert await store.get("a") == record_of("a")
        await store.append([append_of("a", 1, 2)])
        assert await store.read("a", 0) == events_of(1, 2)

    run(SqliteStore(tmp_path / NAME, busy_timeout_s=0.1), scenario)


def test_reader_of_another_program_stops_nothing(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        with closing(
            sqlite3.connect(tmp_path / NAME, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM event").fetchone()
            await store.append([append_of("a", 1, 2)])
            assert await store.read("a", 0) == events_of(1, 2)

    run(SqliteStore(tmp_path / NAME), scenario)


# Writes that wait together


def test_waiting_appends_share_one_commit_and_fail_one_by_one(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(50)]

    async def scenario(store: SqliteStore) -> None:
        for name in names:
            await store.create(record_of(name), [])
        statements: list[str] = []
        await do(store, lambda it: it.connection.set_trace_callback(statements.append))
        statements.clear()
        with locked(tmp_path / NAME):
            first = asyncio.ensure_future(store.append([append_of("c0", 1, 1)]))
            await asyncio.sleep(0.1)
            others = [
                asyncio.ensure_future(
                    store.append([append_of(name, 1 + number % 2, 2)])
                )
                for number, name in enumerate(names[1:])
            ]
            await asyncio.sleep(0)
        await first
        outcomes = await asyncio.gather(*others, return_exceptions=True)
        await do(store, lambda it: it.connection.set_trace_callback(None))
        assert [isinstance(each, Exception) for each in outcomes] == [
            bool(number % 2) for number in range(49)
        ]
        assert statements.count("COMMIT") == 2  # the first one is alone
        for number, name in enumerate(names[1:]):
            expected = [] if number % 2 else events_of(1, 2)
            assert await store.read(name, 0) == expected

    run(SqliteStore(tmp_path / NAME), scenario)


def test_only_durable_appends_wait_for_the_disk(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        await store.create(record_of("b"), [])
        statements: list[str] = []
        await do(store, lambda it: it.connection.set_trace_callback(statements.append))
        level = "NORMAL"  # of the call above
        for seq, durable in enumerate((False, False, True, True, False), 1):
            statements.clear()
            (event,) = events_of(seq, seq)
            relaxed = append_of("a", seq, seq)
            part = Append(
                conversation="b", events=[event], updated_ms=1, durable=durable
            )
            await store.append([relaxed, part])
            before, level = level, "FULL" if durable else "NORMAL"
            assert statements.count("COMMIT") == 1
            assert [each for each in statements if each.startswith("PRAGMA")] == (
                [] if level == before else [f"PRAGMA synchronous = {level}"]
            )
        await do(store, lambda it: it.connection.set_trace_callback(None))

    run(SqliteStore(tmp_path / NAME), scenario)


def test_too_much_that_waits_is_refused(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        events = [StoredEvent(1, bytes(60_000))]
        with locked(tmp_path / NAME):
            first = asyncio.ensure_future(
                store.append([Append(conversation="a", events=events, updated_ms=1)])
            )
            await asyncio.sleep(0)
            second = asyncio.ensure_future(store.append([append_of("a", 2, 2)]))
            await asyncio.sleep(0)
            error = await refusal(
                store.append([Append(conversation="a", events=events, updated_ms=1)])
            )
            assert error.code == "store_busy"
            assert error.retryable
        await asyncio.gather(first, second)
        for seq in range(3, 9):
            events = [StoredEvent(seq, bytes(60_000))]
            append = Append(conversation="a", events=events, updated_ms=1)
            await asyncio.gather(store.append([append]), store.delete("nobody"))
        assert len(await store.read("a", 0)) == 8

    run(SqliteStore(tmp_path / NAME, waiting_limit_bytes=100_000), scenario)


def test_value_that_cannot_be_stored_spares_the_others(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        await store.create(record_of("b"), [])
        for wrong in (
            Append(conversation="a", events=[], updated_ms=2**70),
            Append(conversation="a", events=[], updated_ms=1, title="\ud800"),
        ):
            outcomes = await asyncio.gather(
                refusal(store.append([append_of("a", 1, 1), wrong])),
                store.append([Append(conversation="b", events=[], updated_ms=7)]),
            )
            assert outcomes[0].code == "store_invalid"
            assert not outcomes[0].retryable
        assert await store.get("a") == record_of("a")
        assert await store.get("b") == record_of("b", updated_ms=7)

    run(SqliteStore(tmp_path / NAME), scenario)


def test_readers_connection_cannot_write(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        assert store._reader is not None
        await refusal(
            store._reader.read(lambda it: it.execute("DELETE FROM conversation"))
        )
        assert await store.get("a") == record_of("a")

    run(SqliteStore(tmp_path / NAME), scenario)


# Ends


def test_close_gives_up_on_a_disk_that_hangs(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / NAME, close_timeout_s=0.1)
        await store.open()
        await store.create(record_of("a"), [])
        with locked(tmp_path / NAME):
            append = asyncio.ensure_future(store.append([append_of("a", 1, 1)]))
            await asyncio.sleep(0)
            error = await refusal(store.close())
            assert "0.1 s" in error.message
        await append
        async with asyncio.timeout(30):
            while True:
                with suppress(StoreError):
                    await store.close()
                    break

    asyncio.run(scenario())


def test_cancelled_open_is_cleaned_up_by_close(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / NAME)
        opening = asyncio.ensure_future(store.open())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait({opening})
        assert opening.cancelled()
        await store.close()
        again = SqliteStore(tmp_path / NAME)
        await again.open()
        assert again.notice is None
        await again.close()

    asyncio.run(scenario())
