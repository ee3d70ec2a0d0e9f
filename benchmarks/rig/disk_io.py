"""What processes have written to disk, by the count of the operating system.

Of the two counts of ``/proc/PID/io``, ``write_bytes`` is what is compared: the pages
that a process has made dirty and that the disk must take, whether or not they are
deleted later. A page that is written twice before the disk has it counts once.
``wchar`` is what the process has passed to ``write``; it says what was asked for, but
counts what goes into a pipe, too.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Written", "folder_bytes", "written"]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written, in bytes.

    Attributes:
        disk_bytes: Pages that went to the disk, or have to.
        passed_bytes: What was passed to ``write``.
    """

    disk_bytes: int
    passed_bytes: int

    def since(self, before: Written) -> Written:
        """Return what came on top."""
        return Written(
            disk_bytes=self.disk_bytes - before.disk_bytes,
            passed_bytes=self.passed_bytes - before.passed_bytes,
        )


def written(pids: Sequence[int]) -> Written:
    """Return what living processes have written since they began."""
    disk_bytes = passed_bytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/io").read_text().splitlines()
            counts = dict(line.split(": ") for line in lines)
            disk_bytes += int(counts["write_bytes"])
            passed_bytes += int(counts["wchar"])
    return Written(disk_bytes=disk_bytes, passed_bytes=passed_bytes)


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size
