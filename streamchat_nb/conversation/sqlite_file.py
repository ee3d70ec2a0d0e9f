"""The database file of the SQLite store: who holds it, who may read it, is it sound.

Nothing here knows an event loop; everything may block on the disk.
"""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamchat_nb.conversation.file_lock import FileLock
from streamchat_nb.conversation.journal import JOURNAL_SUFFIXES
from streamchat_nb.conversation.sqlite_schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    create_tables,
    upgrade_tables,
)
from streamchat_nb.errors import StoreError, StreamchatError

__all__ = ["OpenDatabase", "network_mount", "open_database", "store_error"]

HIGHEST_COPY = 8
"""How many processes may each hold a file of the same name at once."""
PAGE_BYTES = 1_024
"""Of a new file. A commit writes whole pages, and most have a few small rows: with
SQLite's usual 4,096 bytes they would write three times as much."""
CHECK_TIME_S = 1.0
"""How long the check for damage may delay opening; what it has not seen by then
shows when it is read."""

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CALLERS_FAULT = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
_NETWORK_FILESYSTEMS = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "gfs", "gfs2"),
        *("glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "panfs"),
        *("pvfs2", "smb2", "smb3", "smbfs", "virtiofs", "wekafs"),
    )
)


@dataclass(frozen=True, kw_only=True)
class OpenDatabase:
    """A database that this process holds, ready to be written to.

    Attributes:
        path: The file, which may be another than the one asked for.
        connection: The one connection that writes, in autocommit mode. It belongs to
            the thread that opened it.
        uses_wal: Whether it has a write-ahead log.
        lock: To be released after the connection is closed.
        notices: What a person should know about how it was opened.
    """

    path: Path
    connection: sqlite3.Connection
    uses_wal: bool
    lock: FileLock
    notices: tuple[str, ...]

    def close(self) -> None:
        """Close the connection and release the file."""
        self.connection.close()
        self.lock.release()


def open_database(
    path: Path, *, wal: bool | None, busy_timeout_s: float
) -> OpenDatabase:
    """Open or make the database at ``path``, or a numbered one beside it.

    Args:
        path: The file wanted. Its folder is made, for this user only, when missing.
        wal: Whether to use a write-ahead log; ``None`` decides by the file system.
        busy_timeout_s: How long to wait for a database that something else locks.

    Raises:
        StoreError: It cannot be opened; the message says what to do.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        claimed_path, lock, notices = _claim(path)
        try:
            connection = _connect_to_sound(claimed_path, wal, busy_timeout_s, notices)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise StoreError(
            f"Cannot open the database {path}: {error.strerror}. Make the place "
            "writable for this user, or choose another path.",
            retryable=False,
        ) from None
    except sqlite3.Error as error:
        raise store_error(error) from error
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return OpenDatabase(
        path=claimed_path,
        connection=connection,
        uses_wal=mode == "wal",
        lock=lock,
        notices=tuple(notices),
    )


def _claim(path: Path) -> tuple[Path, FileLock, list[str]]:
    """Return the first free file among ``path`` and its numbered neighbours."""
    holder = ""
    for candidate in _candidates(path):
        lock = FileLock(candidate)
        try:
            is_free = lock.acquire()
        except OSError as error:
            if not lock.path.exists():
                raise
            return candidate, lock, [_unlockable(candidate, error)]
        if is_free:
            return candidate, lock, [_in_use(path, candidate, holder)] if holder else []
        holder = holder or lock.holder()
    raise StoreError(
        f"{path} and its {HIGHEST_COPY - 1} numbered neighbours are all in use "
        f"({path.name} by {holder}). Stop a server, or choose another path.",
        code="store_locked",
    )


def _in_use(path: Path, candidate: Path, holder: str) -> str:
    return (
        f"{path} is in use by {holder}, so this server keeps its conversations in "
        f"{candidate}. Stop the other server to have them in one place."
    )


def _candidates(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, HIGHEST_COPY + 1):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _unlockable(path: Path, error: OSError) -> str:
    return (
        f"{path} cannot be kept for this process alone ({error.strerror}). Make sure "
        "that no second server uses it."
    )


def _connect_to_sound(
    path: Path, wal: bool | None, busy_timeout_s: float, notices: list[str]
) -> sqlite3.Connection:
    """Connect to ``path``; when it is damaged, to a new one in its place."""
    try:
        return _connect(path, wal, busy_timeout_s, notices)
    except sqlite3.DatabaseError as error:
        if _primary_code(error) not in _DAMAGED:
            raise
    notices.append(_move_aside(path))
    return _connect(path, wal, busy_timeout_s, notices)


def _connect(
    path: Path, wal: bool | None, busy_timeout_s: float, notices: list[str]
) -> sqlite3.Connection:
    """Connect to ``path`` with the right journal, the tables made or checked."""
    mount = network_mount(path) if wal is None else None
    reason = "is set up so" if wal is False else None
    if mount:
        reason = f"is on a network file system ({mount})"
    if reason is None:
        try:
            return _connect_in_mode("WAL", path, busy_timeout_s)
        except sqlite3.OperationalError as error:
            if _primary_code(error) in _LOCKED:
                raise
        reason = "is on a file system that cannot hold a write-ahead log"
    connection = _connect_in_mode("TRUNCATE", path, busy_timeout_s)
    notices.append(
        f"{path} {reason}: it is kept with a rollback journal, slower and as safe."
    )
    return connection


def _connect_in_mode(
    journal_mode: str, path: Path, busy_timeout_s: float
) -> sqlite3.Connection:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    # Before SQLite opens it; its other files take their permissions from this one.
    if sys.platform != "win32":
        os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    try:
        if journal_mode != "WAL":
            # The only way out of a write-ahead log where there is no shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = _is_new(connection, path)
        if is_new:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        _set_journal(connection, journal_mode)
        if is_new:
            create_tables(connection)
        else:
            _check_for_damage(connection)
            upgrade_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal(connection: sqlite3.Connection, mode: str) -> None:
    (actual,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    if actual != mode.lower():
        raise sqlite3.OperationalError(f"cannot have the journal mode {mode}")
    connection.execute("PRAGMA locking_mode = NORMAL")
    # More than the default: a page that changes often is copied back less often.
    connection.execute("PRAGMA wal_autocheckpoint = 8000")


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is empty; refuse one that is not for us."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return True
    if application != APPLICATION_ID:
        raise StoreError(
            f"{path} is another program's database and was left as it is. Choose "
            "another path.",
            code="store_foreign",
            retryable=False,
        )
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer streamchat_nb (schema {version}, this one "
            f"knows {SCHEMA_VERSION}) and was left as it is. Upgrade streamchat_nb, or "
            "choose another path.",
            code="store_version",
            retryable=False,
        )
    return False


def network_mount(path: Path, *, mounts: str | None = None) -> str | None:
    r"""Return the type of the network file system that holds ``path``, if it is one.

    Args:
        path: A path; it need not exist.
        mounts: The text of Linux's ``/proc/self/mountinfo``, read when ``None``.
            Where there is none, only Windows' ``\\server`` paths are recognised.
    """
    path = path.resolve()
    if path.drive.startswith("\\\\"):
        return "smb"
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace")
        except OSError:
            return None
    longest, found = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        # A later mount on the same point hides the earlier one.
        if len(point.parts) >= longest and path.is_relative_to(point):
            longest, found = len(point.parts), after.split()[0]
    return found if found in _NETWORK_FILESYSTEMS else None


def _check_for_damage(connection: sqlite3.Connection) -> None:
    """Raise ``sqlite3.DatabaseError`` when the pages of the file do not fit."""
    deadline = time.monotonic() + CHECK_TIME_S
    timer = threading.Timer(CHECK_TIME_S, connection.interrupt)
    timer.start()
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if _primary_code(error) != sqlite3.SQLITE_INTERRUPT:
            raise
        verdict = "interrupted"
    finally:
        timer.cancel()
        timer.join()
    # A check that was cut short may take what it has not seen for damage.
    if verdict != "ok" and time.monotonic() < deadline:
        damage = sqlite3.DatabaseError("the check for damage failed")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


def _move_aside(path: Path) -> str:
    """Rename a damaged database with its companions; return the notice."""
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", "-journal", *JOURNAL_SUFFIXES, ""):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return (
        f"{path} was damaged. It was moved to {aside} and a new one was begun; the "
        "conversations in it are not shown. Restore a backup, or try SQLite's .recover."
    )


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def store_error(error: Exception) -> StreamchatError:
    """Return what a failure of the database means to a caller of the store."""
    if isinstance(error, StreamchatError):
        return error
    if not isinstance(error, sqlite3.Error) or isinstance(error, _CALLERS_FAULT):
        return StoreError(
            f"A value cannot be stored ({type(error).__name__}); nothing was written.",
            code="store_invalid",
            retryable=False,
        )
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            "The disk is full; nothing was written. Free some space.",
            code="store_full",
        )
    if code in _LOCKED:
        return StoreError(
            "Another program locks the database; nothing was written. Try again.",
            code="store_locked",
        )
    if code in _DAMAGED:
        return StoreError(
            "The database is damaged. Restart the server: it moves the file aside and "
            "begins a new one.",
            code="store_corrupt",
            retryable=False,
        )
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    return StoreError(
        f"The database cannot be used now ({name}). See to its disk; the store goes on "
        "by itself."
    )
