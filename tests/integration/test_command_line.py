from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from streamchat_nb.testing.server_process import ServerProcess


class Finished(NamedTuple):
    returncode: int
    stdout: str
    stderr: str
    group: int


def ask(*words: str, home: Path, **variables: str) -> Finished:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "STREAMCHAT_", "JUPYTER", "JPY_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "streamchat_nb.command_line", "ask", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={
            **environment,
            "HOME": str(home),
            "STREAMCHAT_NB_OFFLINE_PACE_S": "0",
            "STREAMCHAT_NB_DEMO_TOOL_DELAY_S": "0.05",
            **variables,
        },
    )
    output, errors = process.communicate(timeout=90)
    group = process.pid
    return Finished(process.returncode, output, errors, group)


def test_ask_streams_an_answer_of_a_running_server(
    server: ServerProcess, tmp_path: Path
) -> None:
    done = ask(
        "Who is Ada?",
        "--url",
        server.address.url,
        home=tmp_path,
        JUPYTER_TOKEN=server.address.token,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    thinking = lines.index("Agent is thinking…")
    using = lines.index("Using search_contacts…")
    ended = next(n for n, line in enumerate(lines) if "search_contacts: ok in" in line)
    answer = next(n for n, line in enumerate(lines) if "Ada Lovelace" in line)
    assert thinking < using < ended < answer
    assert "[Draft a mail to Ada Lovelace]" in done.stdout
    assert server.address.token not in done.stdout + done.stderr


def test_ask_starts_a_server_of_its_own_when_none_runs(tmp_path: Path) -> None:
    done = ask("What is 6*7?", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout
    assert "no language model is running" in done.stdout
    with pytest.raises(ProcessLookupError):
        os.killpg(done.group, 0)


def test_interrupt_while_its_server_starts_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streamchat_nb.command_line", "ask", "hello"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("STREAMCHAT_")},
            "HOME": str(tmp_path),
            "JUPYTER_RUNTIME_DIR": str(tmp_path),
            "TMPDIR": str(tmp_path),
        },
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not [*tmp_path.glob("*/server.log")]:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_ask_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    done = ask("hi", "--url", "nonsense", home=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "http://" in done.stderr


def test_failed_turn_gives_a_failing_status(
    server: ServerProcess, tmp_path: Path
) -> None:
    done = ask(
        "/demo error",
        "--url",
        server.address.url,
        home=tmp_path,
        JUPYTER_TOKEN=server.address.token,
    )
    assert done.returncode == 1
    assert "failed:" in done.stdout


def test_reader_that_has_enough_ends_it_quietly(
    server: ServerProcess, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "streamchat_nb.command_line", "ask"),
            *("/demo long 400", "--url", server.address.url),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "JUPYTER_TOKEN": server.address.token,
        },
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert errors == ""
