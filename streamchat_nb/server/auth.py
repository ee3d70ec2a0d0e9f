"""Short-lived tokens for the socket: made for a Jupyter identity, verified strictly.

The profile (``docs/explanation/security.md`` argues for it): HS256 and nothing else,
the header has exactly ``alg``, ``typ`` and ``kid``; all of iss, aud, sub, iat, nbf,
exp, jti and scope are required, integers are integers, a token lives at most 300 s
and has at most 4 KiB. Keys are random, rotate at each start and each day, and are mixed
with the server's current credential, so that a changed password ends every token. The
last one is kept for the next server, which takes what it signed, and signs nothing
with it.

PyJWT writes tokens and makes signatures. What a stranger sends is compared with that:
the header has to say what a key of ours says, so that nobody chooses an algorithm, and
the signature has to be the very text; only then are claims decoded. PyJWT is imported
for the first token: with it comes cryptography, a quarter of what this extension
imports, and no server needs that to be there.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streamchat_nb.errors import AuthenticationError
from streamchat_nb.server.token_key import (
    ALGORITHM,
    ROTATE_AFTER_S,
    TOKEN_TYPE,
    TokenKey,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jwt.algorithms import Algorithm

    from streamchat_nb.server.token_key import KeyFile

__all__ = ["AUDIENCE", "ISSUER", "SCOPES", "TOKEN_TYPE", "Grant", "TokenAuthority"]

logger = logging.getLogger(__name__)

ISSUER = "streamchat"
AUDIENCE = "streamchat:ws"
SCOPES = ("chat:read", "chat:write")
MOST_LIFETIME_S = 300
MOST_TOKEN_BYTES = 4096
LEEWAY_S = 10
MOST_SCOPE_CHARACTERS = 256
_SCOPES = frozenset(SCOPES)
_SUBJECT = re.compile(r"[A-Za-z0-9._:@+= -]{1,256}\Z")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


class _Claims(msgspec.Struct, frozen=True):
    """The claims of a token, in their order; the types are those of the profile."""

    iss: str
    aud: str | list[str]
    sub: str
    iat: int
    nbf: int
    exp: int
    jti: str
    scope: str


_header_decoder = msgspec.json.Decoder(dict[str, str])
_claims_decoder = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True)
class Grant:
    """What a good token says."""

    subject: str
    scopes: tuple[str, ...]
    exp: int
    jti: str


class TokenAuthority:
    """Makes and verifies tokens for one server process.

    Args:
        lifetime_s: Life of a token in seconds, at most 300.
        credential: Gives the server's current credential (its token or password
            hash); read on every use, so that a change ends all tokens.
        key_file: Has the last server's key, and keeps this one's for the next;
            ``None``: tokens end with the process.
        wall_clock_s: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        lifetime_s: int,
        credential: Callable[[], str],
        key_file: KeyFile | None = None,
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._lifetime_s = min(lifetime_s, MOST_LIFETIME_S)
        self._credential = credential
        self._key_file = key_file
        self._wall_clock_s = wall_clock_s
        self._keys: list[TokenKey] = []

    def begin(self) -> None:
        """Take over from the last server: know its key, and have one of one's own.

        Reads and writes a file, so it is for a thread, before any other call, and
        once the database is this process's own.
        """
        before = None if self._key_file is None else self._key_file.read()
        self._keys = [] if before is None else [before]
        self._rotate()

    def issue(self, subject: str) -> tuple[str, int]:
        """Return ``(token, exp)`` for a subject; ``exp`` in seconds since the epoch.

        Raises:
            AuthenticationError: The subject cannot be carried by a token.
        """
        if not _SUBJECT.match(subject):
            raise AuthenticationError("This user name cannot be put into a token.")
        import jwt  # noqa: PLC0415 - cryptography comes with it: see the module

        now = int(self._wall_clock_s())
        key = self._current_key()
        exp = now + self._lifetime_s
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": exp,
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(SCOPES),
        }
        token = jwt.encode(
            claims,
            self._mix(key),
            algorithm=ALGORITHM,
            headers=key.header,
        )
        return token, exp

    def verify(self, token: str) -> Grant:
        """Return what a token grants.

        Raises:
            AuthenticationError: ``auth_expired`` for one that was good and is over,
                ``auth_invalid`` for every other fault, always with the same words.
        """
        if len(token) > MOST_TOKEN_BYTES or not _COMPACT.match(token):
            raise _invalid()
        return _checked(self._signed_claims(token), self._wall_clock_s())

    def _signed_claims(self, token: str) -> _Claims:
        """Return the claims of a token that a key of ours has signed."""
        signed, _, signature = token.rpartition(".")
        head, _, payload = signed.partition(".")
        try:
            header = _header_of(head)
            for key in self._keys:
                if header == key.header:
                    good = self._signature(key, signed)
                    if hmac.compare_digest(good, signature):
                        return _claims_decoder.decode(_decoded(payload))
        except (ValueError, msgspec.DecodeError, RecursionError):
            pass
        raise _invalid()

    def _current_key(self) -> TokenKey:
        is_due = not self._keys or (
            time.monotonic() - self._keys[0].made_at > ROTATE_AFTER_S
        )
        if is_due:
            self._rotate()
        return self._keys[0]

    def _rotate(self) -> None:
        """Sign with a fresh key from now on; what the last one signed stays good."""
        fresh = TokenKey.fresh(time.monotonic())
        self._keys = [fresh, *self._keys[:1]]
        if self._key_file is not None:
            try:
                self._key_file.write(fresh)
            except OSError as error:
                why = type(error).__name__
                logger.info("Tokens end with this server: no key file (%s)", why)

    def _signature(self, key: TokenKey, signed: str) -> str:
        """Return the last part of a token, as PyJWT writes it."""
        from jwt.utils import base64url_encode  # noqa: PLC0415

        made = _algorithm().sign(signed.encode(), self._mix(key))
        return base64url_encode(made).decode()

    def _mix(self, key: TokenKey) -> bytes:
        return hmac.new(
            key.secret, self._credential().encode(), hashlib.sha512
        ).digest()


@functools.cache
def _algorithm() -> Algorithm:
    import jwt  # noqa: PLC0415

    return jwt.get_algorithm_by_name(ALGORITHM)


def _checked(claims: _Claims, now: float) -> Grant:
    """Check what the types do not say: who it is for, its times, its words."""
    scopes = tuple(claims.scope.split(" "))
    well_formed = (
        claims.iss == ISSUER
        and claims.aud in (AUDIENCE, [AUDIENCE])
        and _SUBJECT.match(claims.sub) is not None
        and claims.jti != ""
        and len(claims.scope) <= MOST_SCOPE_CHARACTERS
        and _SCOPES.issuperset(scopes)
        and min(claims.iat, claims.nbf) > 0
        and max(claims.iat, claims.nbf) <= now + LEEWAY_S
        and 0 < claims.exp - claims.iat <= MOST_LIFETIME_S
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


@functools.lru_cache(maxsize=64)  # all tokens of a key have the same
def _header_of(part: str) -> dict[str, str]:
    return _header_decoder.decode(_decoded(part))


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _invalid() -> AuthenticationError:
    return AuthenticationError("The token is not valid; ask for a fresh one.")
