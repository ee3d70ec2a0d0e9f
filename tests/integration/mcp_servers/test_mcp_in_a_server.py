"""A server whose settings name MCP servers: turns, approvals, state, and its death."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.client.sync_client import connect_sync
from streamchat_nb.protocol.events import ToolApprovalRequested
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamchat_nb.client.sync_client import SyncConversation

DEMO = Path(__file__).with_name("demo_server.py")
DEADLINE_S = 90.0
SECRET = "open-sesame-please"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    file = tmp_path_factory.mktemp("mcp") / "servers.json"
    servers = {
        "demo": {"command": sys.executable, "args": [str(DEMO)], "type": "stdio"},
        "broken": {
            "command": sys.executable,
            "args": ["-c", "import os; raise SystemExit(os.environ['KEY'])"],
            "env": {"KEY": "${MCP_TEST_SECRET}"},
        },
        "unwanted": {"command": "never", "disabled": True},
    }
    file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    arguments = [
        f"--StreamchatExtension.mcp_file={file}",
        "--StreamchatExtension.offline_pace_s=0",
        "--debug",
    ]
    environment = {"MCP_TEST_SECRET": SECRET, "ANTHROPIC_TEST": "not for servers"}
    with ServerProcess(arguments, environment=environment) as process:
        until(lambda: statuses(process)["demo"]["status"] == "ready")
        yield process


@pytest.fixture
def conversation(server: ServerProcess) -> Iterator[SyncConversation]:
    with connect_sync(server.address.url, server.address.token) as client:
        yield client.create()


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def statuses(server: ServerProcess) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 (our own server)
        f"{server.address.url}streamchat/api/health",
        headers={"Authorization": f"token {server.address.token}"},
    )
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310
        health = json.load(answer)
    return {one["name"]: one for one in health["mcp_servers"]}


def is_running(process: int) -> bool:
    """Say whether a process runs; one that nobody has buried yet does not."""
    status = Path(f"/proc/{process}/stat")
    if status.parent.parent.is_dir() and Path("/proc/self").exists():
        try:
            return status.read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_tool_that_only_reads_runs_at_once(conversation: SyncConversation) -> None:
    answer = conversation.ask('call demo_add {"a": 2, "b": 40}', timeout_s=DEADLINE_S)

    (call,) = answer.tool_calls
    assert (call.status, call.output) == ("ok", "42")
    assert "42" in answer.text


def test_other_tool_asks_a_person(conversation: SyncConversation) -> None:
    events = conversation.events(timeout_s=DEADLINE_S)
    turn = conversation.send('call demo_slow {"seconds": 0.2}')
    asked = next(e for e in events if isinstance(e, ToolApprovalRequested))

    conversation.approve(asked.approval, "approved")

    conversation.finished(turn, timeout_s=DEADLINE_S)
    (call,) = conversation.answer(turn).tool_calls
    assert (call.status, call.output) == ("ok", "done")


def test_health_says_how_they_fare_without_secrets(server: ServerProcess) -> None:
    until(lambda: statuses(server)["broken"]["problem"] is not None)
    found = statuses(server)

    assert set(found) == {"demo", "broken"}
    assert found["demo"]["tools"] == 12
    assert "[left out]" in found["broken"]["problem"]
    assert SECRET not in server.log


def test_started_server_ends_with_a_server_that_is_killed(
    server: ServerProcess, conversation: SyncConversation
) -> None:
    """The last test: it takes the server away."""
    answer = conversation.ask("call demo_process {}", timeout_s=DEADLINE_S)
    process = int(answer.tool_calls[0].output or "")
    assert is_running(process)

    os.kill(server.pid, signal.SIGKILL)

    until(lambda: not is_running(process))
