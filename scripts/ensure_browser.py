"""Finds or installs a Chromium for the browser tests and writes its path to a file.

Usage: ``python scripts/ensure_browser.py FILE``. In this order, the first one that
starts: the program named by ``STREAMCHAT_BROWSER``; the one that FILE names already;
Playwright's own, installed or fetched; one on PATH; the distribution's package.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import debian
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "STREAMCHAT_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_TIMEOUT_S = 30
FETCH_TIMEOUT_S = 300
FETCH_SILENCE_S = 30
CONNECT_TIMEOUT_MS = 10_000

NO_BROWSER = f"""\
No Chromium could be found or installed for the browser tests. Any one of these helps:
  sudo apt-get install chromium                 on Debian
  .venv/bin/python -m playwright install --with-deps chromium
  {VARIABLE}=/path/to/chrome make test         for one that is there already
"""


def main() -> int:
    """Write the path of the first browser that starts; return the exit code."""
    file = Path(sys.argv[1])
    for browser in _candidates(file):
        if _starts(browser):
            file.write_text(f"{browser}\n", encoding="utf-8")
            print(f"Browser for the tests: {browser}")
            return 0
    print(NO_BROWSER, file=sys.stderr)
    return 1


def _candidates(file: Path) -> Iterator[str]:
    """Yield browsers, installing only when the ones before were of no use."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        yield named
        print(f"{VARIABLE}={named} does not start", file=sys.stderr)
        return
    if file.is_file():
        yield file.read_text(encoding="utf-8").strip()
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not Path(own).is_file():
        _fetch_playwright_browser()
    yield own
    yield from _on_path()
    if debian.install("chromium"):
        yield from _on_path()


def _on_path() -> Iterator[str]:
    for name in NAMES:
        browser = shutil.which(name)
        if browser is not None:
            yield browser


def _starts(browser: str) -> bool:
    """Load a page: a browser may be there and lack its libraries."""
    if not Path(browser).is_file():
        return False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={profile}",
            "--dump-dom",
            "data:text/html,<title>it starts</title>",
        ]
        try:
            page = subprocess.run(
                command,
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=START_TIMEOUT_S,
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            return False
    return "it starts" in page


def _fetch_playwright_browser() -> None:
    """Let Playwright fetch its Chromium; give up when it stalls or takes too long.

    Behind a closed network it may hang rather than fail: it is ended when it
    has said nothing for a while.
    """
    print("Fetching Playwright's Chromium …", flush=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        env={
            **os.environ,
            "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(CONNECT_TIMEOUT_MS),
        },
        start_new_session=True,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    whole = _end_after(FETCH_TIMEOUT_S, process)
    silence = _end_after(FETCH_SILENCE_S, process)
    reason = f"no answer within {FETCH_SILENCE_S} s"
    for line in process.stdout or ():
        silence.cancel()
        silence = _end_after(FETCH_SILENCE_S, process)
        if line.startswith("Error: "):
            reason = line.strip()
    exit_code = process.wait()
    whole.cancel()
    silence.cancel()
    if exit_code != 0:
        print(f"It could not be fetched: {reason}")


def _end_after(seconds: float, process: subprocess.Popen[str]) -> threading.Timer:
    def end() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


if __name__ == "__main__":
    sys.exit(main())
