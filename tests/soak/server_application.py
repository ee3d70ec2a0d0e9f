"""``jupyter streamchat`` with a window for the harness, and with bugs when told.

``SIGUSR2`` writes the names of all tasks to ``tasks.json`` in its home.
``STREAMCHAT_PLANTED_BUG`` names a function of ``tests.integration.faults.planted_bugs``
that is called before the server starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

from streamchat_nb.command_line import main

TASKS_FILE = "tasks.json"
PLANTED_BUG = "STREAMCHAT_PLANTED_BUG"


def _write_tasks(*_: object) -> None:
    path = Path.home() / TASKS_FILE
    names = [task.get_name() for task in asyncio.all_tasks()]
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(names), encoding="utf-8")
    unfinished.rename(path)


if __name__ == "__main__":
    if bug := os.environ.get(PLANTED_BUG):
        getattr(import_module("tests.integration.faults.planted_bugs"), bug)()
    signal.signal(signal.SIGUSR2, _write_tasks)
    sys.exit(main())
