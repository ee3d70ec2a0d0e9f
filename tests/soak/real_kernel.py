"""A real kernel for the harness: its cells, its death, its next life."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Generator

    from jupyter_client.blocking.client import BlockingKernelClient

    from streamchat_nb.testing.server_process import ServerProcess

__all__ = ["RealKernel", "real_kernel"]

ROOT = Path(__file__).parents[2]
CELL_S = 60.0
START_S = 60.0


class RealKernel:
    """A kernel that knows a server by its connection file. Not safe for two threads.

    Attributes:
        printed: All that cells have printed, and their tracebacks.
        log: What its process has written.
    """

    def __init__(
        self, manager: KernelManager, environment: dict[str, str], log: Path
    ) -> None:
        self.printed = ""
        self.log = log
        self._manager = manager
        self._environment = environment
        self._client: BlockingKernelClient | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        provisioner: Any = self._manager.provisioner
        return int(provisioner.pid)

    def start(self) -> None:
        """Start it and wait until it runs cells."""
        with self.log.open("ab") as log:
            self._manager.start_kernel(env=self._environment, stdout=log, stderr=log)
        self._connect()

    def run(self, code: str) -> str:
        """Run a cell and return what it printed.

        Raises:
            AssertionError: The cell raised; the message is its traceback.
        """
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append("\n".join(content["traceback"]))

        assert self._client is not None, "the kernel is not running"
        reply = self._client.execute_interactive(code, timeout=CELL_S, output_hook=take)
        self.printed += "".join(printed)
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed).strip()

    def kill(self) -> float:
        """End it by SIGKILL; returns when, in seconds of the epoch."""
        os.kill(self.pid, signal.SIGKILL)
        return time.time()

    def restart(self, *, now: bool) -> float:
        """End it if it runs, and start the next one in its place.

        Args:
            now: Without asking it first; JupyterLab asks.

        Returns:
            When it was gone, in seconds of the epoch.
        """
        self._disconnect()
        with self.log.open("ab") as log:
            self._manager.restart_kernel(now=now, stdout=log, stderr=log)
        gone_at = time.time()
        self._connect()
        return gone_at

    def stop(self) -> None:
        """End it for good. Idempotent."""
        self._disconnect()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)

    def _connect(self) -> None:
        client = self._manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=START_S)
        self._client = client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.stop_channels()
            self._client = None


@contextlib.contextmanager
def real_kernel(
    server: ServerProcess, environment: dict[str, str] | None = None
) -> Generator[RealKernel]:
    """Run a kernel beside a server.

    Args:
        server: The server.
        environment: More environment variables.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "STREAMCHAT_", "JUPYTER", "JPY_"))
    }
    kernel = RealKernel(
        KernelManager(kernel_name="python3"),
        {
            **inherited,
            "STREAMCHAT_NB_CONNECTION": str(server.connection_file),
            "PYTHONPATH": str(ROOT),
            "HOME": str(server.home),
            **(environment or {}),
        },
        server.home / f"kernel-{time.monotonic_ns()}.log",
    )
    try:
        kernel.start()
        yield kernel
    finally:
        kernel.stop()
