"""Artifacts: files that people attached to a conversation, each kept once and whole.

An artifact's id is made from its content and its name, so that an upload that is
repeated gives the same one. What it is, is told by its bytes and never by who sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import msgspec
from typing_extensions import override

from streamchat_nb.errors import InvalidInput, StoreError, TooLarge

__all__ = [
    "Artifact",
    "ArtifactStore",
    "FileArtifacts",
    "MemoryArtifacts",
    "artifacts_beside",
    "media_type_of",
]

MOST_NAME_CHARACTERS = 120
PDF = "application/pdf"
TEXT = "text/plain"
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", PDF),
)
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]+")
_ID = re.compile(r"a_[0-9a-f]{40}")
_HEAD_BYTES = 4_096


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file of a conversation.

    Attributes:
        id: Made from what follows; the same for the same file.
        name: The file's name, for people.
        media_type: What the bytes are: ``image/png``, ``image/jpeg``, ``image/gif``,
            ``image/webp``, ``application/pdf`` or ``text/plain`` (UTF-8).
        data: The bytes.
    """

    id: str
    name: str
    media_type: str
    data: bytes

    @classmethod
    def of(cls, name: str, data: bytes) -> Artifact:
        """Return the artifact of a file.

        Raises:
            InvalidInput: The file is empty or of a kind that is not taken.
        """
        name = _NOT_IN_NAMES.sub(" ", name).strip()[:MOST_NAME_CHARACTERS] or "file"
        media_type = media_type_of(data)
        made_from = b"\n".join([name.encode(errors="replace"), data])
        id_ = f"a_{hashlib.sha256(made_from).hexdigest()[:40]}"
        return cls(id=id_, name=name, media_type=media_type, data=data)


def media_type_of(data: bytes) -> str:
    """Return what a file is, by its bytes.

    Raises:
        InvalidInput: It is empty or of a kind that is not taken.
    """
    if not data:
        raise InvalidInput("The file is empty.")
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    with contextlib.suppress(UnicodeDecodeError):
        if "\x00" not in data.decode():
            return TEXT
    raise InvalidInput(
        "This kind of file cannot be attached. Images (PNG, JPEG, GIF, WebP), PDF and "
        "text in UTF-8 can."
    )


class ArtifactStore(ABC):
    """Keeps the artifacts of conversations. Methods do not block the event loop.

    Args:
        limit_bytes: Most bytes of one conversation's artifacts.
    """

    def __init__(self, *, limit_bytes: int = 268_435_456) -> None:
        self.limit_bytes = limit_bytes

    @abstractmethod
    async def put(self, conversation: str, artifact: Artifact) -> None:
        """Keep an artifact; one that is there already stays as it is.

        Cancel safe: it is kept whole or not at all.

        Raises:
            TooLarge: The conversation has no room for it.
            StoreError: It could not be written.
        """

    @abstractmethod
    async def get(self, conversation: str, artifact: str) -> Artifact | None:
        """Return an artifact, or ``None`` where there is none.

        Raises:
            StoreError: It could not be read.
        """

    @abstractmethod
    async def delete(self, conversation: str) -> None:
        """Delete all artifacts of a conversation. Idempotent.

        Raises:
            StoreError: Not all of them could be deleted.
        """

    def _check_room(self, used_bytes: int, artifact: Artifact) -> None:
        if used_bytes + len(artifact.data) > self.limit_bytes:
            raise TooLarge(
                f"The files of this conversation may have {self.limit_bytes} bytes; "
                f"{used_bytes} are used. Start another conversation for this one.",
                details={"used_bytes": used_bytes, "limit_bytes": self.limit_bytes},
            )


class MemoryArtifacts(ArtifactStore):
    """Keeps artifacts in this process and loses them with it.

    Args:
        limit_bytes: Most bytes of one conversation, and of all together.
    """

    def __init__(self, *, limit_bytes: int = 268_435_456) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self._kept: dict[str, dict[str, Artifact]] = {}

    @override
    async def put(self, conversation: str, artifact: Artifact) -> None:
        used = sum(
            len(kept.data) for of_one in self._kept.values() for kept in of_one.values()
        )
        mine = self._kept.setdefault(conversation, {})
        if artifact.id not in mine:
            self._check_room(used, artifact)
            mine[artifact.id] = artifact

    @override
    async def get(self, conversation: str, artifact: str) -> Artifact | None:
        return self._kept.get(conversation, {}).get(artifact)

    @override
    async def delete(self, conversation: str) -> None:
        self._kept.pop(conversation, None)


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of an artifact's file."""

    name: str
    media_type: str


class FileArtifacts(ArtifactStore):
    """Keeps artifacts as files: a folder for a conversation, a file for an artifact.

    A file begins with a line of JSON that says its name and kind; the bytes follow.
    The folder and the files are for the user alone.

    Args:
        directory: Where; made when it is needed.
        limit_bytes: Most bytes of one conversation's artifacts.
    """

    def __init__(self, directory: Path, *, limit_bytes: int = 268_435_456) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self.directory = directory

    @override
    async def put(self, conversation: str, artifact: Artifact) -> None:
        await asyncio.shield(asyncio.to_thread(self._put, conversation, artifact))

    @override
    async def get(self, conversation: str, artifact: str) -> Artifact | None:
        return await asyncio.to_thread(self._get, conversation, artifact)

    @override
    async def delete(self, conversation: str) -> None:
        await asyncio.shield(asyncio.to_thread(self._delete, conversation))

    def _put(self, conversation: str, artifact: Artifact) -> None:
        folder = self._folder(conversation)
        path = folder / artifact.id
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                return
            self._check_room(sum(f.stat().st_size for f in folder.iterdir()), artifact)
            head = _Head(name=artifact.name, media_type=artifact.media_type)
            part = folder / f".{secrets.token_hex(8)}"
            try:
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(msgspec.json.encode(head) + b"\n")
                    file.write(artifact.data)
                    file.flush()
                    os.fsync(file.fileno())
                part.rename(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("written", error) from None

    def _get(self, conversation: str, artifact: str) -> Artifact | None:
        if not _ID.fullmatch(artifact):
            return None
        path = self._folder(conversation) / artifact
        try:
            head, _, data = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", error) from None
        if len(head) > _HEAD_BYTES:
            return None
        known = msgspec.json.decode(head, type=_Head)
        return Artifact(
            id=artifact, name=known.name, media_type=known.media_type, data=data
        )

    def _delete(self, conversation: str) -> None:
        try:
            shutil.rmtree(self._folder(conversation))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _failed("deleted", error) from None

    def _folder(self, conversation: str) -> Path:
        # An id may be `..`, or name another stream of a file on some systems.
        name = hashlib.sha256(conversation.encode()).hexdigest()[:40]
        return self.directory / name


def _failed(what: str, error: OSError) -> StoreError:
    reason = error.strerror or type(error).__name__
    return StoreError(
        f"A file of the conversation could not be {what}: {reason}.",
    )


def artifacts_beside(location: str) -> ArtifactStore:
    """Return the place for artifacts that belongs to a store.

    Args:
        location: Where the store's data is: ``"memory"`` or the path of its file.
    """
    if location == "memory":
        return MemoryArtifacts()
    return FileArtifacts(Path(location).with_suffix(".artifacts"))
