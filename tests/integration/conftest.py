from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """One server for all tests that only talk to it."""
    arguments = [
        "--StreamchatExtension.offline_pace_s=0.001",
        "--StreamchatExtension.authenticate_timeout_s=1.0",
    ]
    with ServerProcess(arguments) as process:
        yield process
