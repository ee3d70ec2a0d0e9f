"""Many who connect at once."""

from __future__ import annotations

import contextlib
import os
import signal
from socket import create_connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamchat_nb.testing.server_process import ServerProcess

MORE_THAN_TORNADO_QUEUES = 300
SOON_S = 0.9
"""Whom the kernel does not answer tries again after a second."""


def test_those_who_come_while_the_server_is_busy_have_a_place_to_wait(
    server: ServerProcess,
) -> None:
    with contextlib.ExitStack() as stack:
        os.kill(server.pid, signal.SIGSTOP)
        stack.callback(os.kill, server.pid, signal.SIGCONT)
        for _ in range(MORE_THAN_TORNADO_QUEUES):
            stack.enter_context(
                create_connection(("127.0.0.1", server.port), timeout=SOON_S)
            )
