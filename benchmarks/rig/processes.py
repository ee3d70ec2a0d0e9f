"""Processes of the rig: started on a core of their own, watched, ended."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "PinnedProcess",
    "busy_cores",
    "busy_seconds",
    "cpu_seconds",
    "go_first",
    "pin",
    "pinned",
    "process_tree",
    "raise_file_limit",
    "resident_bytes",
]

SERVER_CORE = 0
"""The core of the server under test."""
LOAD_CORE = 1
"""The core of the fake API and of the load client."""

GROUP_NICENESS = -10
"""Of what is measured, and of what measures: the rest of the machine waits."""
STOP_TIMEOUT_S = 15.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ROOT = Path(__file__).parent.parent.parent
_FOREIGN = ("ANTHROPIC_", "STREAMCHAT_", "JUPYTER", "JPY_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class PinnedProcess:
    """A program on one core, with a home folder of its own; a context manager.

    Args:
        command: The program and its arguments.
        core: The core that it, and all it starts, runs on. Anywhere, where the machine
            has no such core.
        environment: More environment variables. Those of this process come first, but
            for what names endpoints, proxies or Jupyter's folders.
        home: Its home; deleted at the end. A new one when ``None``.

    Attributes:
        home: Its home folder; its output is in ``output.log`` there.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
    ) -> None:
        self.home = home or Path(tempfile.mkdtemp(prefix="streamchat-bench-"))
        self._command = list(command)
        self._core = core
        self._environment = {**_clean_environment(self.home), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            RuntimeError: It does not run.
        """
        if self._process is None:
            raise RuntimeError("the process is not running")
        return self._process.pid

    @property
    def output(self) -> str:
        """The end of what it has printed."""
        path = self.home / "output.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; after ``stop``, again in the same home.

        Raises:
            OSError: There is no such program.
        """
        with (self.home / "output.log").open("ab") as output, pinned(self._core):
            self._process = subprocess.Popen(  # noqa: S603 - our own arguments
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        go_first(self._process.pid)

    def stop(self) -> None:
        """End it and all it started; kill it after 15 s. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill(self) -> None:
        """End it as a power cut would. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def pinned(core: int) -> Generator[None]:
    """Let what is started meanwhile by this thread run on one core, with its threads.

    Does nothing where the machine has no such core.
    """
    before = os.sched_getaffinity(0)
    if core not in before:
        yield
        return
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, core: int) -> None:
    """Keep a process that has just begun, and has no threads yet, on one core.

    Does nothing where the machine has no such core, or the process has ended.
    """
    if core in os.sched_getaffinity(0):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(pid, {core})


def go_first(pid: int) -> None:
    """Let the session that a process has begun go before others on a busy machine.

    Does nothing where that is not allowed, or the kernel has no groups of sessions.
    """
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(GROUP_NICENESS))


def process_tree(pid: int) -> tuple[int, ...]:
    """Return a process and all that it and its children have started."""
    found = [pid]
    for parent in found:  # grows as it is walked
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found.extend(int(child) for child in children.read_text().split())
    return tuple(found)


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU seconds that living processes have used, to a hundredth."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


def resident_bytes(pids: Sequence[int]) -> int:
    """Return the memory that processes hold; what they share counts for each."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * _PAGE_BYTES


def busy_seconds() -> float:
    """Return the CPU seconds that all cores together have been busy since the start."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / _TICKS_PER_S


def busy_cores(window_s: float) -> float:
    """Wait, and return how many cores were busy meanwhile."""
    before, began = busy_seconds(), time.monotonic()
    time.sleep(window_s)
    return (busy_seconds() - before) / (time.monotonic() - began)


def raise_file_limit() -> None:
    """Let this process, and what it starts, have as many sockets as is allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _clean_environment(home: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    return {
        **kept,
        "HOME": str(home),
        "PYTHONPATH": str(_ROOT),
        "PYTHONUNBUFFERED": "1",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
