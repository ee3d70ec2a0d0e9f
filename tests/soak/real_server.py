"""A real server for the harness: its settings, its store, what it has open."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamchat_nb.conversation.held_events import HeldEvents
from streamchat_nb.conversation.journal import Journal
from streamchat_nb.conversation.sqlite_queries import (
    read_events,
    read_places,
    read_record,
)
from streamchat_nb.testing.history import Leftovers
from streamchat_nb.testing.server_process import ServerProcess
from tests.soak.raw_client import Address
from tests.soak.server_application import PLANTED_BUG, TASKS_FILE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from streamchat_nb.testing.history import History

__all__ = ["RealServer", "real_server"]

ROOT = Path(__file__).parents[2]
SETTLE_S = 5.0
CENSUS_S = 10.0
# Faults are many in a short time here; the limits are for clients in good health.
LIMITS = {
    "frames_per_window": 1_000_000,
    "pending_sockets_per_address": 2_000,
    "queued_turns": 1_000,
    "running_turns_per_user": 100,
    "sockets_per_user": 5_000,
}


@dataclass(frozen=True, kw_only=True)
class Census:
    """What a server has open at one moment."""

    tasks: tuple[str, ...]
    sockets: int
    file_descriptors: int


class RealServer:
    """The process of a server, seen from outside.

    Args:
        process: The process.
    """

    def __init__(self, process: ServerProcess) -> None:
        self.process = process
        self.address = Address(port=process.port, token=process.address.token)

    def at(self, port: int) -> Address:
        """Return its address behind a proxy."""
        return Address(port=port, token=self.address.token)

    def take_log(self, history: History) -> None:
        """Write down a conversation's log as the store has it."""
        path = self.process.home / "chats.sqlite3"
        name = history.conversation
        journal = Journal(path)
        entries = journal.read()  # first: what is moved meanwhile is in the tables
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ) as connection:
            holding = HeldEvents(journal)
            holding.restore(read_places(connection, {name}), entries)
            held = holding.of(name)
            record = read_record(connection, name, held)
            assert record is not None, "the store lacks the conversation"
            beside = held[name].events if name in held else ()
            events = read_events(connection, name, 0, 10**9, 10**12, beside)
        history.take_log(record.log, [event.data for event in events])

    def census(self) -> Census:
        """Count what it has open."""
        path = self.process.home / TASKS_FILE
        path.unlink(missing_ok=True)
        os.kill(self.process.pid, signal.SIGUSR2)
        deadline = time.monotonic() + CENSUS_S
        while not path.exists():
            assert time.monotonic() < deadline, "the server does not count its tasks"
            time.sleep(0.01)
        names = tuple(json.loads(path.read_text(encoding="utf-8")))
        targets: list[str] = []
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                targets.append(str(descriptor.readlink()))
        sockets = sum(target.startswith("socket:") for target in targets)
        return Census(tasks=names, sockets=sockets, file_descriptors=len(targets))

    def leftovers(self, before: Census) -> Leftovers:
        """Return what it has open beyond ``before``, once that is nothing or 5 s on."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            left = _beyond(before, self.census())
            if left == Leftovers() or time.monotonic() > deadline:
                return left
            time.sleep(0.1)


def _beyond(before: Census, now: Census) -> Leftovers:
    # Tasks without a name of ours are told apart by their number alone.
    named = [name for name in now.tasks if not name.startswith("Task-")]
    for name in before.tasks:
        with contextlib.suppress(ValueError):
            named.remove(name)
    unnamed = sum(name.startswith("Task-") for name in now.tasks)
    unnamed -= sum(name.startswith("Task-") for name in before.tasks)
    return Leftovers(
        tasks=(*named, *["a task without a name"] * unnamed),
        sockets=max(0, now.sockets - before.sockets),
        file_descriptors=max(0, now.file_descriptors - before.file_descriptors),
    )


@contextlib.contextmanager
def real_server(
    *,
    environment: dict[str, str] | None = None,
    arguments: Sequence[str] = (),
    bug: str = "",
    tool_delay_s: float = 0.02,
    **settings: object,
) -> Generator[RealServer]:
    """Run a server with the offline demo and SQLite.

    Args:
        environment: More environment variables.
        arguments: Command-line arguments.
        bug: A bug to plant; see ``tests.soak.server_application``.
        tool_delay_s: How long a search takes at least, in seconds.
        settings: Traits of ``StreamchatExtension`` that differ.
    """
    process = ServerProcess(
        arguments,
        application="tests.soak.server_application",
        environment={
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT), os.environ.get("PYTHONPATH", "")]
            ),
            "STREAMCHAT_NB_DEMO_TOOL_DELAY_S": str(tool_delay_s),
            PLANTED_BUG: bug,
            **(environment or {}),
        },
    )
    traits = {
        "model": "offline-demo",
        "limits": LIMITS,
        "store_path": str(process.home / "chats.sqlite3"),
        **settings,
    }
    config = process.home / "config" / "jupyter_server_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"StreamchatExtension": traits}), encoding="utf-8")
    with process:
        yield RealServer(process)
