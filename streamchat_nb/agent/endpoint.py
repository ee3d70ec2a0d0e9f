"""Where a model is reached, with which credential, and what is spoken there.

The rule that everything here serves: a key for Anthropic goes to Anthropic only.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamchat_nb.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NO_CREDENTIAL",
    "Endpoint",
    "EndpointProfile",
    "client_secrets",
    "credential_hint",
    "has_credential",
    "is_anthropic_url",
    "is_at_anthropic",
    "resolve_endpoint",
]

NO_CREDENTIAL = "none"
"""What other endpoints are sent where there is no credential for them."""

_log = logging.getLogger(__name__)
_CLIENT_SECRETS = (
    "access_token",
    "api_key",
    "auth_token",
    "aws_access_key",
    "aws_secret_key",
    "aws_session_token",
)
_OWN = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL")
_CLOUDS = (".amazonaws.com", ".api.aws", ".googleapis.com", ".services.ai.azure.com")
_API_PATH = re.compile(r"/v1(/messages)?/*\Z")


@dataclass(frozen=True, kw_only=True)
class EndpointProfile:
    """What an endpoint of the Messages API understands.

    Attributes:
        caching: ``cache_control`` at the top of a request.
        server_tools: Tools that the endpoint runs itself.
        betas: ``anthropic-beta`` headers.
        count_tokens: Counting the tokens of a request.
        images: Images in messages and tool results.
        output_format: ``output_config.format``, answers held to a schema.
        any_schema: There, all that JSON Schema has; else what the SDK makes of it.
        lenient: It ends streams and names stop reasons its own way.
    """

    caching: bool = False
    server_tools: bool = False
    betas: bool = False
    count_tokens: bool = False
    images: bool = False
    output_format: bool = False
    any_schema: bool = False
    lenient: bool = True

    @classmethod
    def of(cls, base_url: str | None) -> EndpointProfile:
        """Return what may be expected at a base URL; ``None`` is Anthropic's."""
        if base_url is not None and not is_anthropic_url(base_url):
            # Elsewhere, what Claude itself does holds; the rest is not promised.
            return cls(images=True, lenient=False) if _is_of_claude(base_url) else cls()
        return cls(
            caching=True,
            server_tools=True,
            betas=True,
            count_tokens=True,
            images=True,
            output_format=True,
            lenient=False,
        )


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An address with the credential that belongs to it.

    Attributes:
        base_url: Without ``/v1``; ``None`` leaves it to the SDK (Anthropic, or what
            the active profile of the SDK says).
        api_key: Anthropic's key, or the other endpoint's token; ``None`` for none.
        auth_token: Anthropic's bearer token; never set for another endpoint.
        headers: Sent with every request.
    """

    base_url: str | None
    api_key: str | None = field(default=None, repr=False)
    auth_token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def is_anthropic_url(url: str) -> bool:
    """Return whether a URL is Anthropic's own, over TLS."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_its_host = host == "anthropic.com" or host.endswith(".anthropic.com")
    return parts.scheme == "https" and is_its_host


def _is_of_claude(url: str) -> bool:
    """Return whether a URL is of a cloud that has Claude: Amazon, Google, Microsoft."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(_CLOUDS)


def is_at_anthropic(base_url: str | None = None) -> bool:
    """Return whether requests go to Anthropic itself.

    Args:
        base_url: As in ``resolve_endpoint``.

    Raises:
        UsageError: As ``resolve_endpoint``.
    """
    url = resolve_endpoint(base_url).base_url
    return url is None or is_anthropic_url(url)


def resolve_endpoint(
    base_url: str | None = None,
    api_key: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Return where requests go and what is shown there.

    ``ANTHROPIC_API_KEY`` is for Anthropic and goes nowhere else. Another endpoint
    gets ``api_key``, else ``ANTHROPIC_AUTH_TOKEN``, else the word ``none``, in both
    of the headers in use.

    Args:
        base_url: Address of the endpoint; ``None`` for ``ANTHROPIC_BASE_URL``, and
            without that for Anthropic.
        api_key: The credential; ``None`` for the environment's.
        environment: Read in place of the process's environment.

    Raises:
        UsageError: ``base_url`` is no http address, or has a password in it; or the
            key has a character that no key has.
    """
    variables = os.environ if environment is None else environment
    url = _clean_url(base_url or variables.get("ANTHROPIC_BASE_URL"))
    if url is None and "ANTHROPIC_BASE_URL" in variables:
        url = "https://api.anthropic.com"  # set and empty: the SDK would stumble
    explicit = _clean_key(api_key, "api_key")
    token = _clean_key(variables.get("ANTHROPIC_AUTH_TOKEN"), "ANTHROPIC_AUTH_TOKEN")
    if url is None or is_anthropic_url(url):
        key = explicit or _clean_key(
            variables.get("ANTHROPIC_API_KEY"), "ANTHROPIC_API_KEY"
        )
        return Endpoint(base_url=url, api_key=key, auth_token=None if key else token)
    key = explicit or token or NO_CREDENTIAL
    return Endpoint(
        base_url=url,
        api_key=key,
        headers={"X-Api-Key": key, "Authorization": f"Bearer {key}"},
    )


def has_credential(base_url: str | None = None) -> bool:
    """Return whether a real model can be asked.

    Another endpoint than Anthropic's counts as ready: many need no credential. Where
    the SDK might find one, it is imported and asked, which takes seconds: call this
    off the event loop.

    Args:
        base_url: As in ``resolve_endpoint``.

    Raises:
        UsageError: As ``resolve_endpoint``.
    """
    endpoint = resolve_endpoint(base_url)
    if endpoint.api_key or endpoint.auth_token:
        return True
    if not _sdk_may_find_one():
        return False
    import anthropic  # seconds, and only where it is needed

    try:
        with anthropic.Anthropic(base_url=endpoint.base_url) as client:
            return client.credentials is not None
    except anthropic.AnthropicError:
        return True  # one is configured, and its fault shall be seen, not hidden
    except OSError:
        return False


def _sdk_may_find_one() -> bool:
    """Return whether there is a variable or a folder that the SDK takes one from."""
    variables = (name for name, value in os.environ.items() if value)
    if any(name.startswith("ANTHROPIC_") and name not in _OWN for name in variables):
        return True
    if sys.platform == "win32":
        return True  # its folder is in another place there
    try:
        return Path("~/.config/anthropic").expanduser().exists()
    except (OSError, RuntimeError):
        return True  # there is no home, or it cannot be looked into


def client_secrets(client: object) -> tuple[str, ...]:
    """Return the credentials in an SDK's client, of whichever platform it is for."""
    found = (getattr(client, name, None) for name in _CLIENT_SECRETS)
    return tuple(secret for secret in found if isinstance(secret, str) and secret)


def credential_hint() -> str:
    """Return how to leave the offline demo: two sentences of Markdown."""
    return (
        "To talk to a real model, set `ANTHROPIC_API_KEY` in the environment of the "
        "Jupyter server and start it again. For another endpoint that speaks the "
        "Messages API, set `base_url` (or `ANTHROPIC_BASE_URL`), with "
        "`ANTHROPIC_AUTH_TOKEN` where it wants a token."
    )


def _clean_url(url: str | None) -> str | None:
    if url is None or not url.strip():
        return None
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, has_user, _ = parts.hostname, parts.username, parts.port
    except ValueError:
        host, has_user, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or "\\" in url:
        raise UsageError(
            "base_url must be an address such as https://host or "
            "http://127.0.0.1:11434."
        )
    if has_user is not None:
        raise UsageError(
            "base_url must not hold a user name or a password. Give the endpoint's "
            "token by api_key or ANTHROPIC_AUTH_TOKEN."
        )
    stripped = _API_PATH.sub("", url)
    if stripped != url:
        _log.warning(
            "base_url ends in %s, which is added to it anyway: left out for host %s.",
            url[len(stripped) :],
            host,
        )
    return stripped


def _clean_key(key: str | None, name: str) -> str | None:
    key = (key or "").strip()
    if not key:
        return None
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"{name} has a character that no key has. Copy the key again, alone."
        )
    return key
