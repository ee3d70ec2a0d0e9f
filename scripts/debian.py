"""Installs packages of the distribution, where it has apt-get and lets us."""

from __future__ import annotations

import os
import shutil
import subprocess

STEP_TIMEOUT_S = 600
ASK_TIMEOUT_S = 10


def install(package: str) -> bool:
    """Install one package without asking anything.

    Args:
        package: The name of a Debian or Ubuntu package.

    Returns:
        Whether apt-get installed it. False too where there is no apt-get, or
        where the user is neither root nor may use sudo without a password.
    """
    prefix = _prefix()
    if prefix is None:
        return False
    apt_get = [*prefix, "apt-get", "-q"]
    steps = [
        [*apt_get, "update"],
        [*apt_get, "install", "-y", "--no-install-recommends", package],
    ]
    print(f"Installing the distribution's package {package} …", flush=True)
    return all(_succeeds(step, STEP_TIMEOUT_S) for step in steps)


def _prefix() -> list[str] | None:
    """Return what to put before apt-get; None where it cannot be used."""
    if shutil.which("apt-get") is None:
        return None
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return environment
    if shutil.which("sudo") and _succeeds(["sudo", "-n", "true"], ASK_TIMEOUT_S):
        return ["sudo", "-n", *environment]
    return None


def _succeeds(command: list[str], timeout_s: float) -> bool:
    try:
        finished = subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0
