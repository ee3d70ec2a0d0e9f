"""What the SQLite store does with the file it is given."""

import asyncio
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamchat_nb.conversation import file_lock, sqlite_file
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.sqlite_file import network_mount, store_error
from streamchat_nb.conversation.sqlite_schema import SCHEMA_VERSION
from streamchat_nb.errors import StoreError, UsageError
from streamchat_nb.testing.store_samples import (
    events_of,
    read_all,
    record_of,
    refusal,
)

NAME = "chat.sqlite3"
REPOSITORY = Path(__file__).resolve().parents[3]


def run(
    store: SqliteStore, scenario: Callable[[SqliteStore], Awaitable[None]]
) -> SqliteStore:
    async def with_store() -> None:
        await store.open()
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(with_store())
    return store


async def fill(store: SqliteStore) -> None:
    await store.create(record_of("a"), events_of(1, 400, size=200))


async def check_filled(store: SqliteStore) -> None:
    assert await read_all(store, "a") == events_of(1, 400, size=200)


async def check_empty(store: SqliteStore) -> None:
    assert await store.list("ada") == []


def open_error(path: Path, *, busy_timeout_s: float = 5.0) -> StoreError:
    async def scenario() -> StoreError:
        store = SqliteStore(path, busy_timeout_s=busy_timeout_s)
        error = await refusal(store.open())
        assert (await refusal(store.get("a"))).code == "store_closed"
        await store.close()
        return error

    return asyncio.run(scenario())


# Place and permissions


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_files_are_for_this_user_only(tmp_path: Path) -> None:
    async def check_modes(store: SqliteStore) -> None:
        await fill(store)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "new").iterdir()
        }
        assert modes == dict.fromkeys(
            (NAME, f"{NAME}-wal", f"{NAME}-shm", f"{NAME}.lock"), 0o600
        )

    umask = os.umask(0)
    try:
        run(SqliteStore(tmp_path / "new" / NAME), check_modes)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        (tmp_path / "new" / NAME).chmod(0o644)
        run(SqliteStore(tmp_path / "new" / NAME), check_filled)
        assert stat.S_IMODE((tmp_path / "new" / NAME).stat().st_mode) == 0o600
    finally:
        os.umask(umask)


def test_location_is_the_file_and_there_is_no_notice(tmp_path: Path) -> None:
    store = run(SqliteStore(tmp_path / NAME), fill)
    assert store.location == str(tmp_path / NAME)
    assert store.notice is None


def test_closed_file_needs_no_companions(tmp_path: Path) -> None:
    run(SqliteStore(tmp_path / NAME), fill)
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, f"{NAME}.lock"]


def test_impossible_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / NAME, tmp_path / "folder"):
        error = open_error(path)
        assert str(path) in error.message
        assert "choose another path" in error.message
        assert not error.retryable


def test_second_opening_is_a_mistake(tmp_path: Path) -> None:
    async def open_again(store: SqliteStore) -> None:
        with pytest.raises(UsageError):
            await store.open()

    run(SqliteStore(tmp_path / NAME), open_again)


# One process for a file


def test_file_in_use_is_left_to_its_holder(tmp_path: Path) -> None:
    async def scenario() -> None:
        stores = [SqliteStore(tmp_path / NAME) for _ in range(8)]
        for number, store in enumerate(stores, 1):
            await store.open()
            suffix = "" if number == 1 else f"-{number}"
            assert store.location == str(tmp_path / f"chat{suffix}.sqlite3")
            await store.create(record_of(f"c{number}"), [])
            assert [record.id for record in await store.list("ada")] == [f"c{number}"]
        assert stores[0].notice is None
        assert stores[2].notice is not None
        for fact in (NAME, "chat-3.sqlite3", f"process {os.getpid()}"):
            assert fact in stores[2].notice
        ninth = SqliteStore(tmp_path / NAME)
        error = await refusal(ninth.open())
        assert error.code == "store_locked"
        assert error.retryable
        await ninth.close()
        await stores[0].close()
        again = SqliteStore(tmp_path / NAME)
        await again.open()
        assert again.notice is None
        assert (await again.get("c1")) is not None
        for store in (*stores, again):
            await store.close()

    asyncio.run(scenario())


HOLD = """
import asyncio, sys
from streamchat_nb.conversation import file_lock, sqlite_file
from streamchat_nb.conversation.sqlite import SqliteStore

async def hold():
    store = SqliteStore(sys.argv[1])
    await store.open()
    print(store.location, flush=True)
    await asyncio.sleep(60)

asyncio.run(hold())
"""


def test_file_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == str(path)
            store = run(SqliteStore(path), fill)
            assert store.location == str(tmp_path / "chat-2.sqlite3")
            assert f"process {holder.pid}" in (store.notice or "")
        finally:
            holder.kill()
            holder.wait(10)
    store = run(SqliteStore(path), check_empty)
    assert store.location == str(path)


def test_holder_that_cannot_be_named_is_another_process(tmp_path: Path) -> None:
    async def open_second(_: SqliteStore) -> None:
        (tmp_path / f"{NAME}.lock").write_bytes(b"\xff\xff")
        second = SqliteStore(tmp_path / NAME)
        await second.open()
        assert f"{NAME} is in use by another process" in (second.notice or "")
        await second.close()

    run(SqliteStore(tmp_path / NAME), open_second)


def test_file_system_without_locks_is_used_with_a_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock, "_lock", refuse)
    store = run(SqliteStore(tmp_path / NAME), fill)
    assert "no second server" in (store.notice or "")
    assert store.location == str(tmp_path / NAME)
    run(SqliteStore(tmp_path / NAME), check_filled)


def test_file_locked_by_another_program_can_be_opened_later(tmp_path: Path) -> None:
    run(SqliteStore(tmp_path / NAME, wal=False), fill)
    connection = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    error = open_error(tmp_path / NAME, busy_timeout_s=0.1)
    assert error.code == "store_locked"
    assert error.retryable
    connection.close()
    store = run(SqliteStore(tmp_path / NAME), check_filled)
    assert store.notice is None
    assert store.location == str(tmp_path / NAME)


# Files that are not ours, or not any more


def test_other_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / NAME) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = (tmp_path / NAME).read_bytes()
    error = open_error(tmp_path / NAME)
    assert error.code == "store_foreign"
    assert not error.retryable
    assert (tmp_path / NAME).read_bytes() == before


def test_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    run(SqliteStore(tmp_path / NAME), fill)
    with sqlite3.connect(tmp_path / NAME) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = (tmp_path / NAME).read_bytes()
    error = open_error(tmp_path / NAME)
    assert error.code == "store_version"
    assert "Upgrade" in error.message
    assert not error.retryable
    assert (tmp_path / NAME).read_bytes() == before


def _not_a_database(data: bytes) -> bytes:
    return b"not a database" * (len(data) // 14)


def _without_header(data: bytes) -> bytes:
    return bytes(4_096) + data[4_096:]


def _cut_short(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _with_zeroed_page(data: bytes) -> bytes:
    middle = len(data) // 2 // 4_096 * 4_096
    return data[:middle] + bytes(4_096) + data[middle + 4_096 :]


@pytest.mark.parametrize(
    "damage", [_not_a_database, _without_header, _cut_short, _with_zeroed_page]
)
def test_damaged_file_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / NAME
    for number in (1, 2):
        run(SqliteStore(path), fill)
        damaged = damage(path.read_bytes())
        path.write_bytes(damaged)
        store = run(SqliteStore(path), check_empty)
        aside = tmp_path / f"{NAME}.corrupt-{number}"
        assert store.location == str(path)
        assert str(aside) in (store.notice or "")
        assert aside.read_bytes() == damaged
    run(SqliteStore(path), fill)
    assert run(SqliteStore(path), check_filled).notice is None


def test_log_of_a_damaged_file_does_not_get_into_the_new_one(tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()

    async def crash(store: SqliteStore) -> None:
        await fill(store)
        for suffix in ("", "-wal"):
            data = (tmp_path / f"{NAME}{suffix}").read_bytes()
            (crashed / f"{NAME}{suffix}").write_bytes(data[:32] + bytes(len(data)))

    run(SqliteStore(tmp_path / NAME), crash)
    path = crashed / NAME
    store = run(SqliteStore(path), check_empty)
    assert "corrupt-1" in (store.notice or "")
    run(SqliteStore(path), check_empty)
    run(SqliteStore(path), fill)
    run(SqliteStore(path), check_filled)


def test_check_for_damage_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill_much(store: SqliteStore) -> None:
        await store.create(record_of("a"), events_of(1, 20_000))

    run(SqliteStore(tmp_path / NAME), fill_much)
    data = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(data[:-40_960] + bytes(40_960))
    monkeypatch.setattr(sqlite_file, "CHECK_TIME_S", 0.0)
    store = SqliteStore(tmp_path / NAME)

    async def read_damaged(store: SqliteStore) -> None:
        assert store.notice is None
        error = await refusal(read_all(store, "a"))
        assert error.code == "store_corrupt"
        assert "Restart" in error.message
        assert not error.retryable

    run(store, read_damaged)


# Journals


def journal_mode(path: Path) -> str:
    connection = sqlite3.connect(path)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    return mode


def test_write_ahead_log_that_cannot_be_is_replaced(tmp_path: Path) -> None:
    # Its shared memory cannot be made, as on file systems that do not share memory.
    (tmp_path / f"{NAME}-shm").mkdir()
    store = run(SqliteStore(tmp_path / NAME), fill)
    assert "rollback journal" in (store.notice or "")
    run(SqliteStore(tmp_path / NAME), check_filled)


def test_network_file_system_gets_a_rollback_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report_network(_: Path) -> str:
        return "nfs4"

    monkeypatch.setattr(sqlite_file, "network_mount", report_network)
    store = run(SqliteStore(tmp_path / NAME), fill)
    assert "network file system (nfs4)" in (store.notice or "")
    assert journal_mode(tmp_path / NAME) == "delete"
    # Somebody who knows better decides.
    assert run(SqliteStore(tmp_path / NAME, wal=True), check_filled).notice is None
    assert journal_mode(tmp_path / NAME) == "wal"


def test_journal_can_be_chosen_and_changed(tmp_path: Path) -> None:
    store = run(SqliteStore(tmp_path / NAME, wal=False), fill)
    assert "rollback journal" in (store.notice or "")
    assert journal_mode(tmp_path / NAME) == "delete"
    assert run(SqliteStore(tmp_path / NAME), check_filled).notice is None
    assert journal_mode(tmp_path / NAME) == "wal"
    run(SqliteStore(tmp_path / NAME, wal=False), check_filled)
    assert journal_mode(tmp_path / NAME) == "delete"


MOUNTS = """\
24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
25 24 0:21 / /home rw,relatime shared:1 - nfs4 server:/home rw,vers=4.2
26 25 0:22 / /home/ada/local\\040disk rw - xfs /dev/vdb rw
27 24 0:23 / /mnt rw - cifs //server/share rw
28 24 0:24 / /mnt rw - ext4 /dev/vdc rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/chat", None),
        ("/home/ada/chat", "nfs4"),
        ("/home", "nfs4"),
        ("/homework/chat", None),
        ("/home/ada/local disk/chat", None),
        ("/mnt/chat", None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_network_mount_is_that_of_the_innermost_mount(
    path: str, expected: str | None
) -> None:
    assert network_mount(Path(path), mounts=MOUNTS) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")
def test_network_mount_of_this_machine_is_found_without_help(tmp_path: Path) -> None:
    assert network_mount(tmp_path) == network_mount(tmp_path / "not there")


def test_failure_of_the_disk_names_its_kind_and_is_retryable() -> None:
    failure = sqlite3.OperationalError("disk I/O error")
    failure.sqlite_errorcode = sqlite3.SQLITE_IOERR
    failure.sqlite_errorname = "SQLITE_IOERR"
    error = store_error(failure)
    assert error.code == "store_unavailable"
    assert error.retryable
    assert "SQLITE_IOERR" in error.message


# Leaks


def test_opening_and_closing_leaks_nothing(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("counts open files in /proc")
    run(SqliteStore(tmp_path / NAME), fill)
    before = len(list(descriptors.iterdir()))
    for _ in range(50):
        run(SqliteStore(tmp_path / NAME), check_filled)
        open_error(tmp_path)
    assert len(list(descriptors.iterdir())) == before
    for thread in threading.enumerate():
        if thread.name.startswith("streamchat-store"):
            thread.join(10)
            assert not thread.is_alive()
