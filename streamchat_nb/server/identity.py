"""Who asks, and from where: the rules every handler of ours shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from jupyter_server.auth.identity import (
    IdentityProvider,
    LegacyIdentityProvider,
    PasswordIdentityProvider,
)

from streamchat_nb.server.principal import Principal

if TYPE_CHECKING:
    import re

    from jupyter_server.base.handlers import JupyterHandler

__all__ = ["OWNER", "origin_is_ours", "principal_of"]

OWNER = "owner"
_THE_OWNER = Principal(id=OWNER, name="You")
_SINGLE_USER_PROVIDERS = (
    IdentityProvider,
    PasswordIdentityProvider,
    LegacyIdentityProvider,
)


def principal_of(handler: JupyterHandler) -> Principal:
    """Return whose conversations an authenticated request may see.

    With Jupyter's stock providers everyone who has the server's token or password
    is one trust domain, and names are random for each browser: one constant owner.
    Any other provider (a hub, an identity service) knows its users: their name.
    """
    if type(handler.identity_provider) in _SINGLE_USER_PROVIDERS:
        return _THE_OWNER
    user = handler.current_user
    return Principal(id=user.username, name=user.display_name or user.username)


def origin_is_ours(handler: JupyterHandler) -> bool:
    """Return whether the request's ``Origin``, if any, is this server's.

    Stricter than Jupyter on purpose: the rule holds whatever the credential, and
    ``allow_origin = "*"`` grants nothing. An exact ``allow_origin`` and
    ``allow_origin_pat`` are respected.
    """
    origin = handler.request.headers.get("Origin")
    if origin is None:
        return True
    if "," in origin or origin == "null":
        return False
    origin = origin.lower()
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    host = handler.request.headers.get("Host", "").lower()
    if parts.scheme in ("http", "https") and parts.netloc == host != "":
        return True
    if handler.allow_origin and handler.allow_origin != "*":
        return handler.allow_origin.lower() == origin
    pattern = cast("re.Pattern[str] | None", handler.allow_origin_pat)
    return pattern is not None and pattern.fullmatch(origin) is not None
