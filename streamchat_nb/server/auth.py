"""Short-lived tokens for the socket: made for a Jupyter identity, verified strictly.

The profile (``docs/explanation/security.md`` argues for it): HS256 and nothing else,
the header has exactly ``alg``, ``typ`` and ``kid``; all of iss, aud, sub, iat, nbf,
exp, jti and scope are required, integers are integers, a token lives at most 300 s
and has at most 4 KiB. Keys are random, live in memory, rotate, and are mixed with
the server's current credential, so that a changed password ends every token.

A server reads no token but its own. So a token is not taken apart to find out how it
wants to be checked: its first part is, letter for letter, the one that a key of ours
writes, or it is no token; and its last part is the one that this key writes for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AUDIENCE", "ISSUER", "SCOPES", "TOKEN_TYPE", "Grant", "TokenAuthority"]

ISSUER = "streamchat"
AUDIENCE = "streamchat:ws"
TOKEN_TYPE = "sc-access+jwt"  # noqa: S105 - a media type, not a secret
SCOPES = ("chat:read", "chat:write")
MOST_LIFETIME_S = 300
MOST_TOKEN_BYTES = 4096
MOST_SCOPE_BYTES = 256
LEEWAY_S = 10
ROTATE_AFTER_S = 24 * 3600.0
_SUBJECT = re.compile(r"[A-Za-z0-9._:@+= -]{1,256}\Z")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True)
class Grant:
    """What a good token says."""

    subject: str
    scopes: tuple[str, ...]
    exp: int
    jti: str


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    alg: str
    typ: str
    kid: str


class _Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    iss: str
    aud: str | list[str]
    sub: str
    iat: int
    nbf: int
    exp: int
    jti: str
    scope: str


_claims_decoder = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True)
class _Key:
    kid: str
    secret: bytes
    made_at: float

    @cached_property
    def header(self) -> str:
        """The first part of every token that this key signs."""
        return _part(_Header(alg="HS256", typ=TOKEN_TYPE, kid=self.kid))


class TokenAuthority:
    """Makes and verifies tokens for one server process.

    Args:
        lifetime_s: Life of a token in seconds, at most 300.
        credential: Gives the server's current credential (its token or password
            hash); read on every use, so that a change ends all tokens.
        wall_clock_s: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        lifetime_s: int,
        credential: Callable[[], str],
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._lifetime_s = min(lifetime_s, MOST_LIFETIME_S)
        self._credential = credential
        self._wall_clock_s = wall_clock_s
        self._keys: list[_Key] = []

    def issue(self, subject: str) -> tuple[str, int]:
        """Return ``(token, exp)`` for a subject; ``exp`` in seconds since the epoch.

        Raises:
            AuthenticationError: The subject cannot be carried by a token.
        """
        if not _SUBJECT.match(subject):
            raise AuthenticationError("This user name cannot be put into a token.")
        now = int(self._wall_clock_s())
        key = self._current_key()
        exp = now + self._lifetime_s
        claims = _Claims(
            iss=ISSUER,
            aud=AUDIENCE,
            sub=subject,
            iat=now,
            nbf=now,
            exp=exp,
            jti=secrets.token_urlsafe(12),
            scope=" ".join(SCOPES),
        )
        signed = f"{key.header}.{_part(claims)}"
        return f"{signed}.{self._signature(key, signed)}", exp

    def verify(self, token: str) -> Grant:
        """Return what a token grants.

        Raises:
            AuthenticationError: ``auth_expired`` for one that was good and is over,
                ``auth_invalid`` for every other fault, always with the same words.
        """
        if len(token) > MOST_TOKEN_BYTES or not _COMPACT.match(token):
            raise _invalid()
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        key = next((key for key in self._keys if key.header == header), None)
        if key is None or not hmac.compare_digest(
            signature, self._signature(key, signed)
        ):
            raise _invalid()
        try:
            claims = _claims_decoder.decode(_decoded(payload))
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise _invalid() from None
        return _checked(claims, self._wall_clock_s())

    def _current_key(self) -> _Key:
        now = time.monotonic()
        if not self._keys or now - self._keys[0].made_at > ROTATE_AFTER_S:
            fresh = _Key(secrets.token_hex(8), secrets.token_bytes(64), now)
            self._keys = [fresh, *self._keys[:1]]
        return self._keys[0]

    def _signature(self, key: _Key, signed: str) -> str:
        return _text(hmac.digest(self._mix(key), signed.encode(), hashlib.sha256))

    def _mix(self, key: _Key) -> bytes:
        return hmac.digest(key.secret, self._credential().encode(), hashlib.sha512)


def _part(value: msgspec.Struct) -> str:
    return _text(msgspec.json.encode(value))


def _text(data: bytes) -> str:
    """Return bytes as a token carries them: base64url, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    """Return the bytes of a part.

    Raises:
        ValueError: It is not written as ``_text`` writes.
    """
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if _text(data) != part:
        raise binascii.Error("not canonical")
    return data


def _checked(claims: _Claims, now: float) -> Grant:
    """Check what the types of the claims leave open.

    Raises:
        AuthenticationError: As ``TokenAuthority.verify``.
    """
    scopes = tuple(claims.scope.split(" "))
    well_formed = (
        claims.iss == ISSUER
        and claims.aud in (AUDIENCE, [AUDIENCE])
        and _SUBJECT.match(claims.sub) is not None
        and claims.jti != ""
        and len(claims.scope) <= MOST_SCOPE_BYTES
        and set(scopes) <= set(SCOPES)
        and min(claims.iat, claims.nbf, claims.exp) > 0
        and 0 < claims.exp - claims.iat <= MOST_LIFETIME_S
        and max(claims.iat, claims.nbf) <= now + LEEWAY_S
    )
    if not well_formed:
        raise _invalid()
    if claims.exp <= now - LEEWAY_S:
        raise AuthenticationError(
            "The token has expired; ask for a fresh one.",
            code="auth_expired",
            retryable=True,
        )
    return Grant(claims.sub, scopes, claims.exp, claims.jti)


def _invalid() -> AuthenticationError:
    return AuthenticationError("The token is not valid; ask for a fresh one.")
