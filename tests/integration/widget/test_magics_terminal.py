"""``%chat`` in an IPython of a real terminal."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("there is no pseudo-terminal", allow_module_level=True)

import pexpect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamchat_nb.testing.server_process import ServerProcess

PROMPT = r"In \[\d+\]: $"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Terminal:
    """IPython in a terminal of its own."""

    def __init__(self, home: Path, connection_file: Path) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STREAMCHAT_", "JUPYTER", "JPY_"))
        }
        self._child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            ["-m", "IPython", "--simple-prompt", "--colors=NoColor", "--no-banner"],
            env={
                **environment,
                "HOME": str(home),
                "IPYTHONDIR": str(home / "ipython"),
                "STREAMCHAT_NB_CONNECTION": str(connection_file),
                "TERM": "dumb",
            },
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 200),
        )
        self._child.expect(PROMPT)
        self.run("%load_ext streamchat_nb")

    def start(self, line: str) -> None:
        self._child.sendline(line)

    def until(self, pattern: str) -> str:
        """Wait for a text; returns what was printed up to and with it."""
        self._child.expect(pattern)
        text = f"{self._child.before}{self._child.after}"
        return _ESCAPES.sub("", text).replace("\r\n", "\n")

    def run(self, line: str) -> str:
        """Run a line and return what it printed."""
        self.start(line)
        return self.until(PROMPT)

    def interrupt(self) -> None:
        self._child.sendintr()

    def stop(self) -> None:
        self._child.close(force=True)


@pytest.fixture(scope="module")
def terminal(
    server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("home"), server.connection_file)
    try:
        yield terminal
    finally:
        terminal.stop()


def test_answer_streams_as_plain_text_with_what_is_done_and_offered(
    terminal: Terminal,
) -> None:
    printed = terminal.run("%chat --into answer Who is Ada?")
    assert "Agent is thinking" in printed
    assert "search_contacts: ok in" in printed
    assert printed.count("Wrote the first published program") == 1
    assert "  [Profile of Ada Lovelace] https://example.org" in printed
    assert "display_data" not in printed
    assert terminal.run("print(answer.status)").count("completed") == 1
    where = terminal.run("%chat")
    assert re.search(r"Conversation \S+: Who is Ada\?, \d messages\.", where)
    # Word by word: the beginning is there long before the end.
    terminal.start("%chat /demo slow 0.1")
    begun = time.monotonic()
    terminal.until(r"Agent is thinking…\S*\s+\w+ \w+ ")
    first_s = time.monotonic() - begun
    terminal.until(PROMPT)
    assert time.monotonic() - begun > first_s + 1


def test_interrupt_stops_the_answer_and_the_next_one_works(terminal: Terminal) -> None:
    terminal.start("%chat -i stopped /demo slow 1")
    terminal.until("Agent is thinking")
    time.sleep(2.5)
    begun = time.monotonic()
    terminal.interrupt()
    printed = terminal.until(PROMPT)
    assert time.monotonic() - begun < 8
    assert "Interrupted: the answer was stopped." in printed
    assert "Traceback" not in printed
    assert "cancelled True" in terminal.run("print(stopped.status, bool(stopped.text))")
    assert "Hello!" in terminal.run("%chat hello")


def test_approval_is_asked_for_at_the_terminal(terminal: Terminal) -> None:
    asking = '%chat call run_python {{"code": "mark = {}\\nprint(mark)"}}'
    terminal.start(asking.format(41))
    printed = terminal.until(r"\[y/N\] ")
    assert "    mark = 41\n    print(mark)\n" in printed
    assert "run_python" in printed.splitlines()[-1]
    terminal.start("y")
    assert "run_python: ok in" in terminal.until(PROMPT)
    assert "41" in terminal.run("print(mark)")
    terminal.start(asking.format(42))
    terminal.until(r"\[y/N\] ")
    terminal.start("")
    assert "run_python: denied" in terminal.until(PROMPT)
    assert "41" in terminal.run("print(mark)")


def test_problems_are_one_line_each(terminal: Terminal) -> None:
    printed = terminal.run("%chat --bogus")
    assert "UsageError: There is no option --bogus" in printed
    assert "Usage: %chat" in printed
    printed = terminal.run("%chat -c c_none_such hello")
    assert "There is no such conversation" in printed
    assert "Traceback" not in printed
    assert "Hello!" in terminal.run("%chat hello")
