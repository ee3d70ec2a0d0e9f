"""Where a notebook's cassette is for the server that plays it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamchat_nb.client.discovery import CONNECTION_VARIABLE
from streamchat_nb.errors import UsageError
from streamchat_nb.widget.local_server import local_server

if TYPE_CHECKING:
    from streamchat_nb.client.discovery import ServerAddress

__all__ = ["cassette_settings"]

MODES = ("auto", "record", "replay")

_OWN_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


def cassette_settings(
    cassette: str | os.PathLike[str], mode: str, server: ServerAddress
) -> dict[str, str]:
    """Return what a conversation's settings say of its cassette.

    Args:
        cassette: Path of the file, relative to the current folder: the notebook's.
        mode: One of ``auto``, ``record`` and ``replay``.
        server: Who plays it.

    Raises:
        UsageError: There is no such mode, or the server cannot have such a file; says
            what to do.
    """
    if mode not in MODES:
        raise UsageError(f"cassette_mode is one of {', '.join(MODES)}, not {mode!r}.")
    path = Path(cassette).expanduser().resolve()
    if path.suffix != ".jsonl":
        raise UsageError(f"A cassette's name ends in .jsonl; {path.name} does not.")
    root = _root_of(server)
    if root is None:
        raise UsageError(
            "A cassette is a file of the server, which does not run where this kernel "
            "does. Set StreamchatExtension.cassette there instead."
        )
    if not path.is_relative_to(root):
        raise UsageError(
            f"{path} is not within {root}, the server's folder. Give the cassette a "
            "place there, or start the server above it."
        )
    return {
        "cassette": path.relative_to(root).as_posix(),
        "cassette_mode": mode,
    }


def _root_of(server: ServerAddress) -> Path | None:
    """Return the folder of a server on this machine; ``None`` if it is not here."""
    from jupyter_server.serverapp import list_running_servers  # noqa: PLC0415 - heavy

    address = urlsplit(server.url)
    if address.hostname not in _OWN_HOSTS:
        return None
    for folder in _runtime_folders():
        for running in list_running_servers(folder):
            if (running["port"], running["base_url"]) == (address.port, address.path):
                return Path(running["root_dir"]).resolve()
    return None


def _runtime_folders() -> list[str | None]:
    """Return where servers say what they are; ``None`` stands for the usual folder."""
    named = os.environ.get(CONNECTION_VARIABLE)
    own = local_server().runtime_folder
    folders = [Path(named).parent if named else None, own]
    return [None, *(str(folder) for folder in folders if folder)]
