from __future__ import annotations

import importlib.util
import json
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.utils import base64url_encode

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.server.auth import AUDIENCE, ISSUER, TokenAuthority
from streamchat_nb.server.token_key import TOKEN_TYPE, TokenKey

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
    for index, character in enumerate(token):
        other = "A" if character != "A" else "B"
        with pytest.raises(AuthenticationError) as refused:
            authority.verify(token[:index] + other + token[index + 1 :])
        assert refused.value.code == "auth_invalid"


def library_reads(authority: TokenAuthority, token: str) -> dict[str, Any]:
    """Read a token as a library for tokens of all kinds does."""
    return jwt.decode_complete(
        token,
        authority._mix(authority._keys[0]),
        algorithms=["HS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "scope"]},
    )


def library_writes(
    authority: TokenAuthority, claims: dict[str, Any], **header: str
) -> str:
    """Write a token with a server's own key, in our order of the header's fields."""
    key = authority._keys[0]
    given = {"alg": "HS256", "typ": TOKEN_TYPE, "kid": key.kid, **header}
    signed = b".".join(
        base64url_encode(json.dumps(part, separators=(",", ":")).encode())
        for part in (given, claims)
    )
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(signed, authority._mix(key))
    return b".".join((signed, base64url_encode(signature))).decode()


def test_tokens_are_what_a_library_reads() -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, exp = authority.issue("ada@example.org")
    read = library_reads(authority, token)
    key = authority._keys[0]
    assert read["header"] == {"alg": "HS256", "typ": TOKEN_TYPE, "kid": key.kid}
    claims = read["payload"]
    assert (claims["sub"], claims["exp"]) == ("ada@example.org", exp)
    assert claims["exp"] - claims["iat"] == 300
    assert claims["scope"] == "chat:read chat:write"
    grant = authority.verify(library_writes(authority, claims))
    assert (grant.subject, grant.jti) == ("ada@example.org", claims["jti"])


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"aud": [AUDIENCE, "other"]},
        {"aud": []},
        {"sub": ""},
        {"sub": 1},
        {"jti": ""},
        {"jti": None},
        {"scope": ""},
        {"scope": "chat:read admin"},
        {"scope": "chat:read " * 60},
        {"iat": 0},
        {"iat": "1"},
        {"nbf": 0},
        {"nbf": 4_000_000_000},
        {"exp": 4_000_000_000},
        {"exp": True},
        {"exp": 1e300},
    ],
)
def test_well_signed_token_outside_the_profile_is_refused(
    change: dict[str, Any],
) -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, _ = authority.issue("ada")
    claims = library_reads(authority, token)["payload"]
    authority.verify(library_writes(authority, claims))
    with pytest.raises(AuthenticationError) as refused:
        authority.verify(library_writes(authority, {**claims, **change}))
    assert refused.value.code == "auth_invalid"


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"])
def test_well_signed_token_without_a_claim_is_refused(missing: str) -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, _ = authority.issue("ada")
    claims = library_reads(authority, token)["payload"]
    del claims[missing]
    with pytest.raises(AuthenticationError):
        authority.verify(library_writes(authority, claims))


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"typ": "JWT"}, {"kid": "other"}, {"cty": "JWT"}]
)
def test_well_signed_token_with_another_header_is_refused(
    header: dict[str, str],
) -> None:
    authority = TokenAuthority(lifetime_s=300, credential=Credential())
    token, _ = authority.issue("ada")
    claims = library_reads(authority, token)["payload"]
    with pytest.raises(AuthenticationError):
        authority.verify(library_writes(authority, claims, **header))


@pytest.mark.parametrize("after_s", [309, 311])
def test_token_is_good_for_ten_seconds_more_than_it_says(after_s: int) -> None:
    now = [1_000_000.0]
    authority = TokenAuthority(
        lifetime_s=300, credential=Credential(), wall_clock_s=lambda: now[0]
    )
    token, _ = authority.issue("ada")
    now[0] += after_s
    if after_s < 310:
        assert authority.verify(token).subject == "ada"
        return
    with pytest.raises(AuthenticationError) as refused:
        authority.verify(token)
    assert refused.value.code == "auth_expired"


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
