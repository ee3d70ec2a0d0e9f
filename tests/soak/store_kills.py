"""A server's process is killed while it writes: what was shown or acked is there."""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamchat_nb.conversation.sqlite import SqliteStore
from tests.soak.outcome import Fault, Outcome
from tests.soak.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = ["FAULT", "kill_writers"]

REPOSITORY = Path(__file__).parents[2]
LIVES = 8
"""How many writers in turn have one database."""
ENOUGH = 20
"""How many violations are enough to stop."""
LINES = 120
"""Most lines that a writer lives for."""
ANSWER_S = 30.0


class Writers:
    """The process that forks writers; see ``tests.soak.store_writer``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._buffer = b""

    def begin(self, **order: object) -> int:
        """Start a writer; return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        word, process_id = self.line()
        assert word == "began"
        return process_id

    def line(self) -> list[Any]:
        """Return the next line.

        Raises:
            TimeoutError: There is none for 30 s.
        """
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], ANSWER_S)[0]:
                raise TimeoutError("a writer says nothing")
            if not (data := os.read(descriptor, 65_536)):
                raise TimeoutError("the writers have ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


@contextmanager
def writers() -> Generator[Writers]:
    """Keep a process at hand that forks writers."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.soak.store_writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        try:
            yield Writers(process)
        finally:
            process.kill()


def kill_writers(count: int, seed: int, bug: str = "") -> Outcome:
    """Kill ``count`` writers, with a bug planted in their store if one is named."""
    dice = random.Random(seed)  # noqa: S311 - the same on each run
    violations: list[str] = []
    events = killed = 0
    started = time.monotonic()
    with writers() as warm:
        while killed < count and len(violations) < ENOUGH:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "chat.sqlite3"
                witness = Witness()
                for life in range(min(LIVES, count - killed)):
                    order = {"path": str(path), "life": life, "bug": bug}
                    found = _live_and_die(warm, order, witness, dice)
                    found += asyncio.run(_check(path, witness))
                    violations += [f"kill {killed}: {words}" for words in found]
                    killed += 1
                events += witness.events
    pace = (time.monotonic() - started) / max(1, killed)
    figures = {"events shown": f"{events}", "each": f"{pace * 1_000:.0f} ms"}
    return Outcome(
        fault=FAULT.name, count=killed, violations=violations, figures=figures
    )


def _live_and_die(
    warm: Writers, order: Mapping[str, object], witness: Witness, dice: random.Random
) -> list[str]:
    """Let a writer live for a while and kill it; return what it had to complain of."""
    found: list[str] = []

    def note(line: list[Any]) -> bool:
        match line:
            case ["seen", str(conversation), int(seq), str(event)]:
                witness.saw(conversation, seq, event.encode())
            case ["acked", str(conversation), int(seq)]:
                witness.was_acked(conversation, seq)
            case ["ended", int(status)]:
                if status != signal.SIGKILL:
                    found.append(f"the writer ended by itself ({status})")
                return False
            case _:
                found.append(f"the writer: {line}")
        return True

    child = warm.begin(**order, seed=dice.randrange(2**32))
    # Some die while they open the database, others in the midst of their work.
    is_alive = all(note(warm.line()) for _ in range(dice.randrange(LINES)))
    time.sleep(dice.random() / 100)
    if is_alive:
        os.kill(child, signal.SIGKILL)
        # What it had told before is still in the pipe.
        while note(warm.line()):
            pass
    return found


async def _check(path: Path, witness: Witness) -> list[str]:
    store = SqliteStore(path)
    await store.open()
    try:
        found = await witness.violations(store)
        if store.notice is not None:
            found.append(store.notice)
    finally:
        await store.close()
    with closing(sqlite3.connect(path)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return found if verdict == "ok" else [*found, f"integrity check: {verdict}"]


FAULT = Fault(name="store_kills", in_ci=200, in_soak=2_000, run=kill_writers)
