"""Two files beside a database into which events go first: one write for a commit.

A write is taken by the operating system before ``write`` returns, so that it survives
the end of the process, however that ends, without a thread, a transaction or a wait for
the disk. What must survive a loss of power as well is forced to the disk afterwards, on
a thread. Whoever holds the events moves them to where they are kept, and releases
their places here; a file in which nothing is held is written anew from its beginning.

What an older round has left behind the end of a file is read with the rest after a
kill. It does no harm: those entries are true, and were moved before they were released.
"""

import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from errno import EBADF
from io import FileIO
from pathlib import Path
from struct import Struct

import msgspec

from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.store import StoredEvent

__all__ = ["JOURNAL_SUFFIXES", "Entry", "Journal"]

JOURNAL_SUFFIXES = ("-events-1", "-events-2")
"""What the names of the files have after the database's."""
FILE_BYTES = 33_554_432
"""Where a file is full: seldom before the turns that fill it are over, and most is
dropped. What is held of it is in memory as well."""
_HEAD = Struct("<II")
"""Of a record: the length of what follows and its CRC-32."""


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """Events of one conversation, as they were appended.

    Attributes:
        conversation: Its id.
        log: Tells its log from another one under the same id.
        updated_ms: See ``Append``.
        open_turns: See ``Append``.
        events: In order, without a gap.
        durable: See ``Append``.
        texts: See ``Append``.
    """

    conversation: str
    log: int
    updated_ms: int
    open_turns: int
    events: list[StoredEvent]
    durable: bool = False
    texts: list[MessageText] = []


_sync_data = getattr(os, "fdatasync", os.fsync)
"""Without what a file's size does not need, where a system knows the difference."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Entry])


class _File:
    """One of the two.

    Attributes:
        end: Where the next record goes.
        held: How many events in it are held.
        is_in_folder: Whether the disk knows that the folder has this file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self.held = 0
        self.is_in_folder = False
        self._file: FileIO | None = None

    def read(self) -> Iterator[list[Entry]]:
        """Give the records there are, and leave ``end`` behind the last one."""
        data = self.path.read_bytes() if self.path.exists() else b""
        self.end = 0
        while len(data) >= self.end + _HEAD.size:
            length, check = _HEAD.unpack_from(data, self.end)
            body = data[self.end + _HEAD.size : self.end + _HEAD.size + length]
            if not length or len(body) < length or zlib.crc32(body) != check:
                return
            try:
                entries = _decoder.decode(body)
            except msgspec.DecodeError:
                return
            self.end += _HEAD.size + length
            yield entries

    def append(self, record: bytes) -> bool:
        """Write a record; return whether all of it was taken."""
        try:
            if self._file is None:
                self._file = self._open()
                self._file.seek(self.end)
            if self._file.write(record) == len(record):
                self.end += len(record)
                return True
        except OSError:
            pass
        self.close()  # the next attempt begins at the same place
        return False

    def sync(self) -> None:
        """Force to the disk what was written; on any thread.

        Raises:
            OSError: The disk does not take it, or the file was closed meanwhile.
        """
        file = self._file
        try:
            if file is not None:
                _sync_data(file.fileno())
        except ValueError:
            pass  # it is closed
        if file is None or file.closed:  # and its number may be another one's by now
            raise OSError(EBADF, os.strerror(EBADF))
        if not self.is_in_folder:
            _sync_folder(self.path.parent)
            self.is_in_folder = True

    def begin_anew(self) -> None:
        """Let the next record be the first one."""
        self.end = 0
        if self._file is not None:
            self._file.seek(0)

    def close(self) -> None:
        """Close it, if it is open."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close it and delete it."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _open(self) -> FileIO:
        return open(self.path, "r+b", buffering=0, opener=_open_private)


class Journal:
    """The two files of one database. Every call is a disk's.

    Not thread-safe, but for ``sync``.

    Args:
        path: The database's.
    """

    def __init__(self, path: Path) -> None:
        self._files = [
            _File(path.with_name(path.name + suffix)) for suffix in JOURNAL_SUFFIXES
        ]
        self._current = 0

    @property
    def to_be_emptied(self) -> int | None:
        """The file that is full and not free yet, if there is one."""
        other = 1 - self._current
        return other if self._files[other].held else None

    def read(self) -> list[tuple[int, Entry]]:
        """Return what a process that did not end well has left, with its file.

        The entries are in no order. Nothing is held by this; see ``keep``.

        Raises:
            OSError: A file cannot be read.
        """
        return [
            (number, entry)
            for number, file in enumerate(self._files)
            for entries in file.read()
            for entry in entries
        ]

    def write(self, entries: Sequence[Entry]) -> int | None:
        """Write entries, all or none; return in which file, with their events held.

        ``None``: There is no room, or the disk does not take it; nothing is written.
        """
        body = _encoder.encode(entries)
        record = _HEAD.pack(len(body), zlib.crc32(body)) + body
        file = self._files[self._current]
        if file.end and file.end + len(record) > FILE_BYTES:
            other = self._files[1 - self._current]
            if other.held:
                return None
            other.begin_anew()
            file, self._current = other, 1 - self._current
        if not file.append(record):
            return None
        for entry in entries:
            file.held += len(entry.events)
        return self._current

    def sync(self, number: int) -> None:
        """Force to the disk what was written to a file before; on any thread.

        Raises:
            OSError: The disk does not take it. What it has is not certain then, and
                forcing it again does not say.
        """
        self._files[number].sync()

    def keep(self, counts: Mapping[int, int]) -> None:
        """Say how many events of each file that was ``read`` are held."""
        for number, file in enumerate(self._files):
            file.held = counts.get(number, 0)
            if not file.held:
                file.begin_anew()

    def release(self, number: int, events: int) -> None:
        """Count events of a file as no longer held."""
        file = self._files[number]
        file.held -= events
        if not file.held:
            file.begin_anew()

    def close(self) -> None:
        """Close the files; delete them where nothing is held. Idempotent."""
        for file in self._files:
            if file.held:
                file.close()
            else:
                with suppress(OSError):
                    file.remove()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)


def _sync_folder(folder: Path) -> None:
    """Force to the disk which files a folder has, where a system can do so."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
