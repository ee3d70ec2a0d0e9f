"""The file of a cassette: read when it has changed, replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from streamchat_nb.agent.cassette_lines import decode_exchanges, encode_exchanges
from streamchat_nb.agent.model_errors import model_error
from streamchat_nb.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamchat_nb.agent.cassette_exchange import Exchange
    from streamchat_nb.agent.cassette_request import Part

__all__ = ["CassetteFile", "path_below"]

_MOST_BYTES = 67_108_864
_SUFFIX = ".jsonl"
_LONGEST_PATH = 1_000
# Of this process, whichever objects and loops use a file.
_writing = threading.Lock()


class CassetteFile:
    """The exchanges in a file. Thread-safe; blocks, so not for an event loop.

    A change puts a whole new file in the place of the old one: a process that is
    killed leaves the one or the other. What another one wrote meanwhile is read
    first; still, one process at a time should record.

    Args:
        path: Where it is; it and its folder need not exist. A symbolic link is
            followed once, now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._seen: tuple[int, int, int] | None = None
        self._exchanges: tuple[Exchange, ...] = ()

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return what the file holds now; the same object while it does not change.

        Raises:
            ModelError: ``model_cassette_invalid``.
        """
        with _writing:
            return self._read()

    def change(self, change: Callable[[list[Exchange]], None]) -> None:
        """Change the exchanges in place and write them.

        Raises:
            ModelError: ``model_cassette_invalid``; ``model_cassette_unwritable``, and
                the file is as it was.
        """
        with _writing:
            exchanges = list(self._read())
            change(exchanges)
            exchanges = _with_shared_parts(exchanges)
            data = encode_exchanges(exchanges)
            if len(data) > _MOST_BYTES:
                raise self._unwritable(f"It would be larger than {_MOST_BYTES} bytes.")
            try:
                self._replace(data)
                self._seen = self._look()
            except OSError as error:
                raise self._unwritable(f"{error.strerror}.") from None
            self._exchanges = tuple(exchanges)

    def check_writable(self) -> None:
        """Find out before a model is asked whether its answer can be kept.

        Raises:
            ModelError: ``model_cassette_unwritable``.
        """
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(f"{error.strerror}.") from None
        if not os.access(folder, os.W_OK):
            raise self._unwritable("Its folder cannot be written.")

    def _read(self) -> tuple[Exchange, ...]:
        try:
            seen = self._look()
            if seen == self._seen:
                return self._exchanges
            data = b"" if seen is None else self._bytes()
        except OSError as error:
            raise self._invalid(f"{error.strerror}.") from None
        self._exchanges = tuple(decode_exchanges(data)) if data.strip() else ()
        self._seen = seen
        return self._exchanges

    def _look(self) -> tuple[int, int, int] | None:
        """Return what changes when the file does; ``None`` while there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _bytes(self) -> bytes:
        with self.path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise self._invalid(f"It is larger than {_MOST_BYTES} bytes.")
        return data

    def _replace(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            new.write_bytes(data)
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(self.path, new)
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)

    def _invalid(self, reason: str) -> Exception:
        return model_error("model_cassette_invalid", reason=reason)

    def _unwritable(self, reason: str) -> Exception:
        return model_error("model_cassette_unwritable", reason=reason)


def _with_shared_parts(exchanges: list[Exchange]) -> list[Exchange]:
    """Return exchanges that hold each part once: a history comes again and again."""
    known: dict[str, Part] = {}
    shared: list[Exchange] = []
    for exchange in exchanges:
        parts = exchange.request.parts()
        firsts = [known.setdefault(part.id, part) for part in parts]
        if all(first is part for first, part in zip(firsts, parts, strict=True)):
            shared.append(exchange)
        else:
            request = exchange.request.with_parts(lambda part: known[part.id])
            shared.append(replace(exchange, request=request))
    return shared


def path_below(root: Path, given: str) -> Path:
    """Return the path of a cassette that a client names.

    Args:
        root: The folder that it must stay in.
        given: A relative path that ends in ``.jsonl``, with ``/`` between folders.

    Raises:
        InvalidInput: It is not one, it names something hidden, or it leads out of
            the folder, be it by a symbolic link.
    """
    parts = PurePosixPath(given).parts
    is_plain = (
        given.isprintable()
        and len(given) <= _LONGEST_PATH
        and given.endswith(_SUFFIX)
        and not PurePosixPath(given).is_absolute()
        and not PureWindowsPath(given).anchor
        and "\\" not in given
        and not any(part.startswith(".") for part in parts)
    )
    folder = root.expanduser().resolve()
    path = folder.joinpath(*parts).resolve() if is_plain else None
    if path is None or not path.is_relative_to(folder):
        raise InvalidInput(
            "cassette must be a path such as recordings/chat.jsonl: relative to the "
            "server's folder, within it, and ending in .jsonl."
        )
    return path
