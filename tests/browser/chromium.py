"""Where the browser of the tests is, and how it is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def launch_arguments() -> dict[str, Any]:
    """What Playwright's ``launch`` needs.

    Raises:
        RuntimeError: There is no Chromium; the message says how to get one.
    """
    return {"executable_path": _browser_path(), "args": FLAGS, "headless": True}


def _browser_path() -> str:
    note = ROOT / ".venv" / "browser-path"
    candidates = [
        os.environ.get("STREAMCHAT_BROWSER", ""),
        note.read_text().strip() if note.exists() else "",
        shutil.which("chromium") or "",
        shutil.which("google-chrome") or "",
    ]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return candidate
    raise RuntimeError("no Chromium was found; run `make browser`, which installs one")
