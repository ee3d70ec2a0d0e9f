"""The file by which kernels and scripts of the same user find this server."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConnectionFile"]


@dataclass(frozen=True)
class ConnectionFile:
    """A file of mode 0600 with ``{"url", "token"}``; its path is no secret.

    Attributes:
        path: Where it is.
    """

    VARIABLE: ClassVar[str] = "STREAMCHAT_NB_CONNECTION"

    path: Path

    @classmethod
    def write(cls, directory: Path, *, url: str, token: str) -> ConnectionFile:
        """Write a new file that only this user can read."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / f"streamchat_nb-{os.getpid()}-{secrets.token_hex(4)}.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": url, "token": token}, file)
        return cls(path)

    def remove(self) -> None:
        """Delete it. Idempotent."""
        with contextlib.suppress(OSError):
            self.path.unlink()
