"""A real server in a process of its own, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from streamchat_nb.client.discovery import ServerAddress, read_connection_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["ServerProcess", "free_port"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """``jupyter streamchat`` (or another app) on 127.0.0.1, with a home of its own.

    A context manager; ``kill`` and ``start`` again keep home, port and token.

    Args:
        arguments: More command-line arguments, for example
            ``["--StreamchatExtension.offline_pace_s=0"]``.
        application: What to start: a module run by ``python -m``.
        environment: More environment variables.
        work: The folder to serve notebooks from; one of its own when ``None``.
        with_extension: Whether the server has our extension; ``False`` where the
            arguments disable it.
        python: The interpreter that runs it; this one's when ``None``. With another
            one, ``with_extension`` says what is installed there.

    Attributes:
        address: Where it listens.
        port: Its port.
        home: Its home folder.
        work: The folder it serves notebooks from.
    """

    def __init__(
        self,
        arguments: Sequence[str] = (),
        *,
        application: str = "streamchat_nb.command_line",
        environment: dict[str, str] | None = None,
        work: Path | None = None,
        with_extension: bool = True,
        python: Path | None = None,
    ) -> None:
        self._arguments = list(arguments)
        self._application = application
        self._python = str(python or sys.executable)
        self._environment = environment or {}
        self._sign = "streamchat_nb-*.json" if with_extension else "jpserver-*.json"
        self.home = Path(tempfile.mkdtemp(prefix="streamchat-test-"))
        self.work = work or self.home / "work"
        self.work.mkdir(exist_ok=True)
        self._runtime = self.home / "runtime"
        self.port = free_port()
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ServerAddress(
            url=f"http://127.0.0.1:{self.port}/", token=self._token
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    @property
    def log(self) -> str:
        """All that the server has printed."""
        return (self.home / "server.log").read_text(errors="replace")

    @property
    def connection_file(self) -> Path:
        """The file by which clients find it; exists while it runs."""
        return next(self._runtime.glob("streamchat_nb-*.json"))

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until the extension, or the server, has said where it is.

        Raises:
            RuntimeError: It did not start within 60 s; the message has its log.
        """
        for path in self._runtime.glob(self._sign):
            path.unlink()
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                [
                    self._python,
                    "-m",
                    self._application,
                    "--no-browser",
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0",
                    "--ServerApp.allow_root=True",
                    f"--ServerApp.root_dir={self.work}",
                    *self._arguments,
                ],
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._make_environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            for path in self._runtime.glob(self._sign):
                if read_connection_file(path) is not None:
                    return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log[-4000:]}")

    def stop(self) -> None:
        """End it in an orderly way; kill it after 20 s. Idempotent."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self.kill()

    def remove(self) -> None:
        """End it and delete its home. Idempotent."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def kill(self) -> None:
        """End it, and the kernels it started, as a power cut would. Idempotent."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _make_environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANTHROPIC_", "STREAMCHAT_", "JUPYTER", "JPY_"))
        }
        return {
            **inherited,
            "HOME": str(self.home),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTER_DATA_DIR": str(self.home / "data"),
            "JUPYTER_CONFIG_DIR": str(self.home / "config"),
            "JUPYTER_TOKEN": self._token,
            "STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.05",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }
