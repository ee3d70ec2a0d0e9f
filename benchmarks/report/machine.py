"""What the benchmarks ran on, and the versions of all that took part."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import msgspec

from benchmarks.peers.node_build import node_program
from benchmarks.rig.processes import busy_seconds

__all__ = ["OthersLoad", "machine", "now", "versions"]

_PEERS = Path(__file__).parents[1] / "peers"
_DISTRIBUTIONS = (
    *("streamchat_nb", "anthropic", "anywidget", "httpx2", "ipywidgets"),
    *("jupyter_server", "jupyterlab", "msgspec", "playwright", "tornado"),
)
_ASK_TIMEOUT_S = 10.0


def now() -> str:
    """Return this moment, ISO 8601 in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> dict[str, str]:
    """Return what this machine is, in words that name nobody's."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory_bytes / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def versions() -> dict[str, str]:
    """Return the version of each package and program that may take part."""
    found = {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **_of_node(),
    }
    for name in _DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


class OthersLoad:
    """How many cores others keep busy, from when it is made.

    Our own work is that of this process and of all that it started and has waited for;
    so ask once those have ended.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy_s = busy_seconds()
        self._own_s = _own_cpu_s()

    def cores(self) -> float:
        """Return it, on average; two digits."""
        seconds = max(time.monotonic() - self._began, 0.001)
        others_s = busy_seconds() - self._busy_s - (_own_cpu_s() - self._own_s)
        return round(max(0.0, others_s / seconds), 2)


def _own_cpu_s() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(one) for one in whose]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return ""


def _of_node() -> dict[str, str]:
    """Return the versions of Node and of what the peers in it were installed with."""
    found: dict[str, str] = {}
    with contextlib.suppress(RuntimeError, OSError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 - the Node that runs the peers
            [node_program(), "--version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
        )
        found["Node"] = said.stdout.strip().removeprefix("v")
    for manifest in sorted(_PEERS.glob("*/package.json")):
        wanted = msgspec.json.decode(manifest.read_bytes(), type=_Manifest)
        for name in wanted.dependencies:
            installed = manifest.parent / "node_modules" / name / "package.json"
            with contextlib.suppress(OSError):
                package = msgspec.json.decode(installed.read_bytes(), type=_Manifest)
                found[name] = package.version
    return found


class _Manifest(msgspec.Struct):
    version: str = ""
    dependencies: dict[str, str] = {}
