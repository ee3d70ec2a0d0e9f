"""Where is the server? Explicit, from the environment, or among the running ones."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from streamchat_nb.errors import ConnectError, UsageError

__all__ = ["ServerAddress", "find_server", "read_connection_file"]

CONNECTION_VARIABLE = "STREAMCHAT_NB_CONNECTION"
URL_VARIABLE = "STREAMCHAT_NB_URL"
TOKEN_VARIABLE = "STREAMCHAT_NB_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """A Jupyter server that has the extension.

    Attributes:
        url: Its base address with a trailing slash, for example
            ``http://127.0.0.1:8888/``.
        token: Its token; empty for a server without one. Never shown.
    """

    url: str
    token: str = field(default="", repr=False)

    @property
    def api(self) -> str:
        """Base address of our routes, with a trailing slash."""
        return f"{self.url}streamchat/api/"


def find_server(url: str | None = None, token: str | None = None) -> ServerAddress:
    """Return the server to talk to.

    The first that is given wins: the arguments; ``STREAMCHAT_NB_URL`` and
    ``STREAMCHAT_NB_TOKEN``; the file named by ``STREAMCHAT_NB_CONNECTION`` (set by the
    server for its kernels); the hub's variables; the server that is this process's
    parent; the only running server. A token is never taken from one of these places
    and an address from another.

    Args:
        url: Base address of the Jupyter server.
        token: Its token.

    Raises:
        UsageError: ``url`` is not an http address, or ``token`` cannot be one.
        ConnectError: No server was found (``server_not_found``).
    """
    if url:
        return _explicit(url, token)
    if token:
        raise UsageError("A token alone leads nowhere; give the server's url, too.")
    for find in (
        _from_variables,
        _from_connection_file,
        _from_hub,
        _from_running_servers,
    ):
        address = find()
        if address is not None:
            return address
    raise ConnectError(
        "No Jupyter server with streamchat_nb was found. Start one (jupyter lab, or "
        "jupyter streamchat), or say where it is: give its url and token, or set "
        f"{URL_VARIABLE} and {TOKEN_VARIABLE}. In a notebook without a server, "
        "Chat(local=True) runs one in its kernel.",
        code="server_not_found",
    )


def _explicit(url: str, token: str | None) -> ServerAddress:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError("The server's url must begin with http:// or https://.")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise UsageError("The token has characters that no token has; copy it again.")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"
    return ServerAddress(url=base, token=token or "")


def read_connection_file(path: Path) -> ServerAddress | None:
    """Return the address in a server's connection file; ``None`` if it has none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _explicit(content["url"], content["token"])
    except (OSError, ValueError, KeyError, TypeError, UsageError):
        return None


def _from_variables() -> ServerAddress | None:
    url = os.environ.get(URL_VARIABLE)
    return _explicit(url, os.environ.get(TOKEN_VARIABLE)) if url else None


def _from_connection_file() -> ServerAddress | None:
    path = os.environ.get(CONNECTION_VARIABLE)
    return read_connection_file(Path(path)) if path else None


def _from_hub() -> ServerAddress | None:
    token = os.environ.get("JUPYTERHUB_API_TOKEN")
    url = os.environ.get("JUPYTERHUB_SERVICE_URL")
    if not token or not url:
        return None
    return _explicit(url.replace("//0.0.0.0", "//127.0.0.1"), token)


def _from_running_servers() -> ServerAddress | None:
    from jupyter_server.serverapp import list_running_servers  # noqa: PLC0415

    servers = list(list_running_servers())
    parent = os.environ.get("JPY_PARENT_PID")
    own = [server for server in servers if str(server.get("pid")) == parent]
    chosen = own or (servers if len(servers) == 1 else [])
    if not chosen:
        return None
    return _explicit(chosen[0]["url"], chosen[0].get("token", ""))
