"""The key that signs the socket's tokens, and the file that hands it on.

When a server is restarted, all its clients come back within seconds. Those whose token
is still good need not ask for another one if the next server knows who signed it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ALGORITHM", "ROTATE_AFTER_S", "TOKEN_TYPE", "KeyFile", "TokenKey"]

ALGORITHM = "HS256"
TOKEN_TYPE = "sc-access+jwt"  # noqa: S105 - a media type, not a secret
ROTATE_AFTER_S = 24 * 3600.0
OLDEST_S = ROTATE_AFTER_S + 600.0
"""By then, all that a key has signed is over."""
SECRET_BYTES = 64
MOST_FILE_BYTES = 4_096


@dataclass(frozen=True)
class TokenKey:
    """A key.

    Attributes:
        kid: Its name, which is in the header of what it signs.
        secret: 64 random bytes.
        made_at: When it was made, on the clock of whoever keeps it.
    """

    kid: str
    secret: bytes = field(repr=False)
    made_at: float

    @classmethod
    def fresh(cls, now: float) -> TokenKey:
        """Return a new one."""
        return cls(secrets.token_hex(8), secrets.token_bytes(SECRET_BYTES), now)

    @property
    def header(self) -> dict[str, str]:
        """The header of what it signs."""
        return {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": self.kid}


class _Kept(msgspec.Struct):
    kid: str
    secret: bytes
    made_at: float


class KeyFile:
    """A file with the key of the server that runs, or ran last, beside its database.

    For this user alone, mode 0600; one that others may read counts for nothing. Who
    reads it still lacks the server's own token or password, with which a key is mixed
    before it signs.

    Args:
        path: The file.
        wall_clock_s: Seconds since the epoch.
    """

    def __init__(
        self, path: Path, *, wall_clock_s: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._wall_clock_s = wall_clock_s

    def read(self) -> TokenKey | None:
        """Return the key, if there is one whose tokens may still be good."""
        try:
            with self.path.open("rb") as file:
                if not _is_for_us_alone(file.fileno()):
                    return None
                kept = msgspec.json.decode(file.read(MOST_FILE_BYTES), type=_Kept)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        age_s = self._wall_clock_s() - kept.made_at
        if len(kept.secret) != SECRET_BYTES or not 0 <= age_s <= OLDEST_S:
            return None
        return TokenKey(kept.kid, kept.secret, kept.made_at)

    def write(self, key: TokenKey) -> None:
        """Take the place of the key that was there.

        Raises:
            OSError: It cannot be written; what was there may be gone.
        """
        kept = _Kept(kid=key.kid, secret=key.secret, made_at=self._wall_clock_s())
        new = self.path.with_name(f"{self.path.name}.new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(kept))
        new.replace(self.path)


def _is_for_us_alone(descriptor: int) -> bool:
    if sys.platform == "win32":  # pragma: no cover - the folder is the user's own
        return True
    status = os.fstat(descriptor)
    is_ours = status.st_uid == os.geteuid()
    return is_ours and stat.S_IMODE(status.st_mode) & 0o077 == 0
