"""A lock that tells processes apart: one of them may use a file, the others see who."""

import os
import sys
from pathlib import Path

__all__ = ["FileLock"]


class FileLock:
    """Keeps a file for one process, until it is released or the process ends.

    The lock is on a file of its own beside the one it stands for: closing any
    descriptor of a database would drop SQLite's own locks on it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; return whether it is ours.

        Raises:
            OSError: The lock file cannot be made, or cannot be locked here.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """Return who holds the lock, as far as can be told, for a message."""
        try:
            process = self.path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            process = ""
        return f"process {process}" if process else "another process"

    def release(self) -> None:
        """Let the next one have it. Idempotent."""
        if self._descriptor is not None:
            # The file stays: removing it could let two others lock two files.
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":  # pragma: no cover - other systems
    import msvcrt

    def _lock(descriptor: int) -> None:
        # A locked byte cannot be read: one far behind the text that is there.
        os.lseek(descriptor, 1_048_576, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
