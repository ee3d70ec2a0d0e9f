from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.conversation.artifacts import (
    Artifact,
    ArtifactStore,
    FileArtifacts,
    MemoryArtifacts,
    artifacts_beside,
    media_type_of,
)
from streamchat_nb.errors import InvalidInput, StoreError, TooLarge

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
TEXT = "naïve,café\n1,2\n".encode()


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "memory":
        return MemoryArtifacts(limit_bytes=1_000)
    return FileArtifacts(tmp_path / "files", limit_bytes=1_000)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n\xff\xfe", "application/pdf"),
        (TEXT, "text/plain"),
        (b"<svg onload=alert(1)>", "text/plain"),
    ],
)
def test_kind_is_told_by_the_bytes(data: bytes, media_type: str) -> None:
    assert media_type_of(data) == media_type


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01binary", b"PK\x03\x04\xff", b"\xff\xfe"]
)
def test_other_kinds_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        Artifact.of("x", data)


def test_same_file_is_the_same_artifact_and_names_are_plain() -> None:
    one, again = Artifact.of("a.png", PNG), Artifact.of("a.png", PNG)
    assert one == again
    assert Artifact.of("b.png", PNG).id != one.id
    assert Artifact.of("../../etc/\x00pass\nwd", TEXT).name == ".. .. etc pass wd"
    assert Artifact.of(" ", TEXT).name == "file"


def test_files_come_back_whole_and_go_with_their_conversation(
    store: ArtifactStore,
) -> None:
    async def scenario() -> None:
        artifact = Artifact.of("tabelle ü.csv", TEXT)
        await store.put("c1", artifact)
        await store.put("c1", artifact)
        assert await store.get("c1", artifact.id) == artifact
        assert await store.get("c2", artifact.id) is None
        for wrong in ("..", ".", "a_" + "0" * 40, "a_" + "g" * 40):
            assert await store.get("c1", wrong) is None
        await store.delete("c1")
        await store.delete("c1")
        assert await store.get("c1", artifact.id) is None

    asyncio.run(scenario())


def test_room_of_a_conversation_ends(store: ArtifactStore) -> None:
    async def scenario() -> None:
        await store.put("c1", Artifact.of("a", b"a" * 600))
        with pytest.raises(TooLarge, match="1000 bytes"):
            await store.put("c1", Artifact.of("b", b"b" * 600))
        await store.delete("c1")
        await store.put("c1", Artifact.of("b", b"b" * 600))

    asyncio.run(scenario())


def test_files_are_for_the_user_alone_and_whole(tmp_path: Path) -> None:
    store = FileArtifacts(tmp_path / "files")
    asyncio.run(store.put("..", Artifact.of("a", TEXT)))
    (folder,) = (tmp_path / "files").iterdir()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().endswith(b"\n" + TEXT)


def test_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("in the way")
    with pytest.raises(StoreError, match="could not be written"):
        asyncio.run(FileArtifacts(tmp_path / "files").put("c", Artifact.of("a", TEXT)))


def test_place_belongs_to_the_store(tmp_path: Path) -> None:
    assert isinstance(artifacts_beside("memory"), MemoryArtifacts)
    beside = artifacts_beside(str(tmp_path / "conversations-2.sqlite3"))
    assert isinstance(beside, FileArtifacts)
    assert beside.directory == tmp_path / "conversations-2.artifacts"
