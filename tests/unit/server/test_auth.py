from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import pytest

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.server.auth import TokenAuthority
from streamchat_nb.server.token_key import TokenKey

CORPORA = Path(
    os.environ.get(
        "STREAMCHAT_CORPORA",
        Path(__file__).parents[3].parent / "shared" / "corpora",
    )
)


class Credential:
    """A server credential that a test can change."""

    value = "token:"

    def __call__(self) -> str:
        return self.value


def test_token_of_this_server_is_good() -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, exp = authority.issue("ada@example.org")
    grant = authority.verify(token)
    assert grant.subject == "ada@example.org"
    assert grant.scopes == ("chat:read", "chat:write")
    assert grant.exp == exp
    assert abs(exp - time.time() - 300) < 5


def test_lifetime_is_at_most_300_s() -> None:
    authority = TokenAuthority(
        lifetime_s=9_999, credential=Credential(), wall_clock_s=lambda: 1_000.0
    )
    assert authority.issue("ada")[1] == 1_300


def test_expired_token_has_its_own_code() -> None:
    now = [time.time() - 400]
    authority = TokenAuthority(
        lifetime_s=300, credential=Credential(), wall_clock_s=lambda: now[0]
    )
    token, _ = authority.issue("ada")
    now[0] += 400
    with pytest.raises(AuthenticationError) as caught:
        authority.verify(token)
    assert (caught.value.code, caught.value.retryable) == ("auth_expired", True)


def test_changed_password_ends_every_token() -> None:
    credential = Credential()
    authority = TokenAuthority(lifetime_s=300, credential=credential)
    token, _ = authority.issue("ada")
    credential.value = "token:other"
    with pytest.raises(AuthenticationError):
        authority.verify(token)


def test_another_server_refuses_it() -> None:
    token, _ = TokenAuthority(lifetime_s=300, credential=Credential()).issue("ada")
    with pytest.raises(AuthenticationError):
        TokenAuthority(lifetime_s=300, credential=Credential()).verify(token)


def test_any_single_flipped_character_is_refused() -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, _ = authority.issue("ada")
    wrong = 0
    for index, character in enumerate(token):
        other = "A" if character != "A" else "B"
        try:
            authority.verify(token[:index] + other + token[index + 1 :])
        except AuthenticationError:
            continue
        wrong += 1
    # The last character of a base64url signature has two bits that mean nothing.
    assert wrong <= 1


def test_subject_that_cannot_be_carried_is_refused() -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    for subject in ("", "a\n", "a\0", "x" * 300):
        with pytest.raises(AuthenticationError):
            authority.issue(subject)


def _vectors() -> Any:
    path = CORPORA / "own" / "jwt_vectors.py"
    if not path.exists():
        pytest.skip(f"no token vectors at {path}")
    spec = importlib.util.spec_from_file_location("jwt_vectors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_attack_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = _vectors()
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    authority._keys = [TokenKey("k1", b"", time.monotonic())]

    def mix(_: object) -> bytes:
        return vectors.SECRET

    monkeypatch.setattr(authority, "_mix", mix)
    wrong: list[str] = []
    for vector in vectors.make(int(time.time())):
        try:
            authority.verify(vector["token"])
            verdict = "accept"
        except AuthenticationError:
            verdict = "reject"
        if vector["expect"] not in (verdict, "either"):
            wrong.append(f"{vector['name']}: {verdict}")
    assert wrong == []
