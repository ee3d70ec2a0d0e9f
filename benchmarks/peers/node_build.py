"""Peers for Node, installed and compiled where that was not done yet."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from hatch_build import FrontendBuildError, find_npm

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lacks_of_node_peer", "node_program"]

INSTALL = (
    ("ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"),
    300.0,
)
BUILD = (("run", "build", "--if-present"), 120.0)
"""What npm is told to do, and the seconds it may take."""
MARK = "node_modules/.built-from"
"""In a peer's folder: the hash of what it was built from."""


def node_program() -> str:
    """Return the path of the Node to run peers with.

    Raises:
        RuntimeError: There is none that is new enough.
    """
    npm = find_npm()
    if npm is None:
        raise RuntimeError("Install Node 20.19 or newer.")
    return str(npm.node_folder / "node")


def lacks_of_node_peer(folder: Path) -> str | None:
    """Make a peer ready to be started; return what is missing, ``None`` if nothing is.

    Installs its packages and compiles it, once for each state of its sources. That
    takes up to a minute and the network.

    Args:
        folder: The peer's, with its ``package.json``.
    """
    npm = find_npm()
    if npm is None:
        return "there is no Node of 20.19 or newer"
    mark, state = folder / MARK, _state_of(folder)
    if mark.exists() and mark.read_text() == state:
        return None
    try:
        for arguments, timeout_s in (INSTALL, BUILD):
            if npm.run(arguments, folder, timeout_s) != 0:
                return f"npm {' '.join(arguments)} failed in {folder}"
    except FrontendBuildError as error:
        return str(error)
    mark.write_text(state)
    return None


def _state_of(folder: Path) -> str:
    """Return a hash of what a peer is built from."""
    sources = [*folder.glob("*.json"), *folder.glob("src/**/*.ts")]
    names = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sources
    }
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()
