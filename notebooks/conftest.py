"""A server for the notebooks while nbval runs them, with the offline demo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.client.discovery import CONNECTION_VARIABLE
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    import pytest

_SERVER = ServerProcess(
    [
        "--StreamchatExtension.offline_pace_s=0",
        "--StreamchatExtension.mcp_file=mcp_servers.json",
    ],
    work=Path(__file__).parent,
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server and let kernels find it by their environment."""
    if session.config.getoption("collectonly"):
        return
    _SERVER.start()
    os.environ[CONNECTION_VARIABLE] = str(_SERVER.connection_file)


def pytest_sessionfinish() -> None:
    """End it."""
    _SERVER.remove()
