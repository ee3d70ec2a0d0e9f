"""Makes the virtual environment of the Makefile, anew where there is one.

Usage: ``python scripts/ensure_venv.py FOLDER``, with the Python that it shall have.
Debian and Ubuntu ship Python without the part that puts pip into a virtual
environment: it is installed where we may, else a message says how.
"""

from __future__ import annotations

import subprocess
import sys

import debian

OLDEST_PYTHON = (3, 11)
CREATE_TIMEOUT_S = 300


def main() -> int:
    """Make the virtual environment; return the exit code."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < OLDEST_PYTHON:
        print(
            f"{sys.executable} is Python {version}; 3.11 or newer is needed. "
            "Name one with: make PYTHON=/path/to/python3",
            file=sys.stderr,
        )
        return 1
    package = f"python{version}-venv"
    if not _has_ensurepip() and not (debian.install(package) and _has_ensurepip()):
        print(
            f"{sys.executable} cannot make virtual environments with pip in them: "
            "its module ensurepip is missing.\n"
            f"On Debian and Ubuntu: sudo apt-get install {package}\n"
            "Or name another Python with: make PYTHON=/path/to/python3",
            file=sys.stderr,
        )
        return 1
    return subprocess.run(
        [sys.executable, "-m", "venv", "--clear", sys.argv[1]],
        timeout=CREATE_TIMEOUT_S,
        check=False,
    ).returncode


def _has_ensurepip() -> bool:
    """Ask a new process, which also sees what was installed a moment ago."""
    return (
        subprocess.run(
            [sys.executable, "-c", "import ensurepip, venv"],
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
        == 0
    )


if __name__ == "__main__":
    sys.exit(main())
