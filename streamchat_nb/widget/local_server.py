"""A server of this kernel's own, for notebooks that have none."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from streamchat_nb.client.discovery import read_connection_file
from streamchat_nb.errors import ConnectError

if TYPE_CHECKING:
    from streamchat_nb.client.discovery import ServerAddress

__all__ = ["LocalServer", "local_server"]

START_TIMEOUT_S = 60.0
HEALTH_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0

_servers: dict[int, LocalServer] = {}
_servers_lock = threading.Lock()


def local_server() -> LocalServer:
    """Return the one server of this process; it starts with its first use."""
    with _servers_lock:
        return _servers.setdefault(os.getpid(), LocalServer())


class LocalServer:
    """A server process that only this machine can reach and that ends with this one.

    It is a process of its own, so that a busy kernel holds up no answer. It inherits
    the environment, and with it a model's credential, as it is when it starts. Safe
    from any thread.

    Attributes:
        notice: What its user should know, for example where its conversations are
            kept when their usual file is in use; often empty.
    """

    def __init__(self) -> None:
        self.notice = ""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._address: ServerAddress | None = None
        self._directory: Path | None = None

    @property
    def runtime_folder(self) -> Path | None:
        """Where it says what it is, while it runs."""
        return self._directory

    def address(self) -> ServerAddress:
        """Return where it listens; starts it where it does not run.

        One that died comes back at the same address, so that its clients find it.

        Raises:
            ConnectError: It could not be started (``local_server_failed``).
        """
        with self._lock:
            if self._address is None or not self._is_running:
                self._address = self._start(self._address)
            return self._address

    def stop(self) -> None:
        """End it. Idempotent."""
        with self._lock:
            process, self._process = self._process, None
            directory, self._directory = self._directory, None
        if directory is None or process is None:
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)

    @property
    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _start(self, before: ServerAddress | None) -> ServerAddress:
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)  # it died
        directory = Path(tempfile.mkdtemp(prefix="streamchat-local-"))
        self._directory = directory
        # Through its input, which nobody else can read.
        order = {} if before is None else {"token": before.token}
        if before is not None:
            order["port"] = str(urlsplit(before.url).port or 0)
        with tempfile.TemporaryFile() as log:
            process = _spawn(directory, log)
            self._process = process
            atexit.register(self.stop)
            try:
                if process.stdin is not None:
                    process.stdin.write(json.dumps(order).encode() + b"\n")
                    process.stdin.flush()
                address = _address_in(directory, process)
                self.notice = _notice_of(address)
            except OSError:
                process.kill()
                raise _failed(log) from None
            except BaseException:
                process.kill()
                raise
            return address


def _spawn(directory: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STREAMCHAT_NB_CONNECTION", "JPY_", "JUPYTER_TOKEN"))
    }
    environment["JUPYTER_RUNTIME_DIR"] = str(directory)
    return subprocess.Popen(
        # -P: the notebook's folder is no place to import from.
        [sys.executable, "-P", "-m", "streamchat_nb.server.local"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # the kernel's interrupts are not for it
    )


def _address_in(directory: Path, process: subprocess.Popen[bytes]) -> ServerAddress:
    """Wait until it says where it is.

    Raises:
        TimeoutError: It did not, in 60 s or at all.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        for path in directory.glob("streamchat_nb-*.json"):
            address = read_connection_file(path)
            if address is not None:
                return address
        time.sleep(0.02)
    raise TimeoutError


def _failed(log: IO[bytes]) -> ConnectError:
    log.seek(0)
    last = log.read()[-500:].decode(errors="replace").strip()
    return ConnectError(
        "A server of this kernel's own could not be started. Its last words: "
        f"{last or 'none'}",
        code="local_server_failed",
        retryable=False,
    )


def _notice_of(address: ServerAddress) -> str:
    """Wait until the service runs, and return what it has to say."""
    headers = {"Authorization": f"token {address.token}"}
    directly = build_opener(ProxyHandler({}))
    try:
        # The first one waits for the service, the second one never does.
        for route in ("conversations?limit=1", "health"):
            request = Request(f"{address.api}{route}", headers=headers)  # noqa: S310
            with directly.open(request, timeout=HEALTH_TIMEOUT_S) as answer:
                said = json.load(answer)
        return str(said.get("notice") or "")
    except (OSError, ValueError):
        return ""
