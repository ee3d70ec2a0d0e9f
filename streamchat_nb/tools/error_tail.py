"""What a program said last on its standard error, and not more than that."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["ErrorTail"]

_MOST_BYTES = 4_096
_MOST_UNREAD_BYTES = 65_536


class ErrorTail(asyncio.Protocol):
    """Keeps the end of what programs write to a file that it opens.

    All else is read and forgotten: nobody is held up, and nothing grows.
    """

    def __init__(self) -> None:
        self._kept = b""

    @property
    def last_line(self) -> str:
        """The last line that says something; empty where there is none."""
        lines = self._kept.decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else ""

    @override
    def data_received(self, data: bytes) -> None:
        self._kept = (self._kept + data)[-_MOST_BYTES:]

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncGenerator[TextIO]:
        """Open the file to give to a program; what was kept before is forgotten."""
        self._kept = b""
        if sys.platform == "win32":  # its loop cannot read such a pipe
            with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: ASYNC230, PTH123
                yield nothing
            return
        reading, writing = os.pipe()
        with os.fdopen(writing, "w", encoding="utf-8") as file:
            pipe = os.fdopen(reading, "rb", buffering=0)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_read_pipe(lambda: self, pipe)
            try:
                yield file
            finally:
                # What a program said before it ended may still stand in the pipe.
                with contextlib.suppress(OSError):
                    self.data_received(pipe.read(_MOST_UNREAD_BYTES) or b"")
                transport.close()
