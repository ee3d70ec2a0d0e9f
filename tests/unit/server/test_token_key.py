from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.server.auth import TokenAuthority
from streamchat_nb.server.token_key import OLDEST_S, KeyFile, TokenKey

if TYPE_CHECKING:
    from pathlib import Path


def authority(file: KeyFile | None, credential: str = "token:") -> TokenAuthority:
    server = TokenAuthority(
        lifetime_s=300, credential=lambda: credential, key_file=file
    )
    server.begin()
    return server


def test_next_server_takes_what_the_last_one_signed(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "conversations.key")
    token, _ = authority(file).issue("ada")
    after = authority(file)
    assert after.verify(token).subject == "ada"
    fresh, _ = after.issue("ada")
    assert after.verify(fresh).subject == "ada"
    assert fresh.partition(".")[0] != token.partition(".")[0]


def test_the_one_after_that_does_not(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "conversations.key")
    token, _ = authority(file).issue("ada")
    authority(file)
    with pytest.raises(AuthenticationError):
        authority(file).verify(token)


def test_changed_password_ends_tokens_of_the_last_server(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "conversations.key")
    token, _ = authority(file).issue("ada")
    with pytest.raises(AuthenticationError):
        authority(file, "token:changed").verify(token)


def test_server_without_a_file_knows_its_own_tokens_only() -> None:
    token, _ = authority(None).issue("ada")
    with pytest.raises(AuthenticationError):
        authority(None).verify(token)


def test_tokens_are_served_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = authority(KeyFile(tmp_path / "file" / "conversations.key"))
    token, _ = server.issue("ada")
    assert server.verify(token).subject == "ada"


def test_header_that_names_another_key_is_refused(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "conversations.key")
    token, _ = authority(file).issue("ada")
    after = authority(file)
    other, _ = after.issue("ada")
    mixed = ".".join([other.split(".")[0], *token.split(".")[1:]])
    with pytest.raises(AuthenticationError):
        after.verify(mixed)


def test_old_key_counts_for_nothing(tmp_path: Path) -> None:
    now = [1_000.0]
    file = KeyFile(tmp_path / "conversations.key", wall_clock_s=lambda: now[0])
    key = TokenKey.fresh(0.0)
    file.write(key)
    now[0] += OLDEST_S
    kept = file.read()
    assert kept is not None
    assert (kept.kid, kept.secret) == (key.kid, key.secret)
    now[0] += 1
    assert file.read() is None
    now[0] = 999.0
    assert file.read() is None


@pytest.mark.parametrize(
    "text", ["", "{}", "\0", '{"kid":"k","secret":"","made_at":0}']
)
def test_damaged_file_counts_for_nothing(tmp_path: Path, text: str) -> None:
    file = KeyFile(tmp_path / "conversations.key", wall_clock_s=lambda: 0.0)
    file.write(TokenKey.fresh(0.0))
    file.path.write_text(text)
    assert file.read() is None


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_file_is_for_this_user_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "conversations.key")
    file.path.write_text("what others may read")
    file.write(TokenKey.fresh(0.0))
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["conversations.key"]
    assert file.read() is not None
    file.path.chmod(0o640)
    assert file.read() is None


def test_representation_has_no_secret() -> None:
    key = TokenKey.fresh(0.0)
    assert repr(key.secret) not in repr(key)
    assert key.kid in repr(key)
