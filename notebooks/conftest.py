"""Servers for the notebooks while nbval runs them, with the offline demo."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamchat_nb.client.discovery import CONNECTION_VARIABLE
from streamchat_nb.testing.server_process import ServerProcess

_PACE = "--StreamchatExtension.offline_pace_s=0"
_WORK = Path(__file__).parent
_SERVER = ServerProcess([_PACE], work=_WORK)
# One of its own: recordings hold what tools there were.
_SERVER_WITH_MCP = ServerProcess(
    [_PACE, "--StreamchatExtension.mcp_file=mcp_servers.json"], work=_WORK
)
_started: set[ServerProcess] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the kernel of a notebook find its server by its environment."""
    server = _SERVER_WITH_MCP if item.path.name == "mcp.ipynb" else _SERVER
    if server not in _started:
        _started.add(server)
        server.start()
    os.environ[CONNECTION_VARIABLE] = str(server.connection_file)


def pytest_sessionfinish() -> None:
    """End them."""
    for server in (_SERVER, _SERVER_WITH_MCP):
        server.remove()
