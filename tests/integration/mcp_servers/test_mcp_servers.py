"""Tools of real MCP servers, by both transports; run with either generation of mcp."""

from __future__ import annotations

import contextlib
import http.server
import importlib.util
import logging
import os
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.client.loop_thread import LoopThread
from streamchat_nb.protocol.content import ImageDisplay, ToolUseBlock
from streamchat_nb.testing.server_process import free_port
from streamchat_nb.tools.dispatch import run_tool
from streamchat_nb.tools.mcp_settings import read_mcp_servers
from streamchat_nb.tools.mcp_source import McpServers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamchat_nb.tools.dispatch import Outcome
    from streamchat_nb.tools.mcp_session import McpServer, McpStatus
    from streamchat_nb.tools.mcp_tool import McpTool
    from streamchat_nb.tools.tool import Tool

DEMO = Path(__file__).with_name("demo_server.py")
DEADLINE_S = 90.0
SECRET = "correct-horse-battery"
TRANSPORTS = ("demo", "web")


class Harness:
    """MCP servers on a loop of their own, for tests that are not asynchronous."""

    def __init__(self, servers: dict[str, Any]) -> None:
        self._thread = LoopThread()
        self.servers = McpServers(read_mcp_servers(servers))
        self.reports: list[tuple[str, float | None]] = []

    def start(self) -> None:
        async def start() -> None:
            self.servers.start()

        self._thread.wait(start())

    def stop(self) -> None:
        self._thread.wait(self.servers.stop(), timeout_s=DEADLINE_S)

    def close(self) -> None:
        self.stop()
        self._thread.stop()

    def status(self, name: str) -> McpStatus:
        return next(one for one in self.servers.statuses() if one.name == name)

    def server(self, name: str) -> McpServer:
        return next(s for s in self.servers._servers if s.settings.name == name)

    def tools(self) -> dict[str, McpTool]:
        return {tool.name: tool for tool in self.servers.tools(taken=())}

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not what():
            assert time.monotonic() < deadline, self.servers.statuses()
            time.sleep(0.02)

    def call(
        self, name: str, *, timeout_s: float = DEADLINE_S, **input_: Any
    ) -> Outcome:
        """Run a tool as a turn does."""
        return self.run(self.tools()[name], timeout_s=timeout_s, **input_)

    def run(self, tool: Tool, *, timeout_s: float, **input_: Any) -> Outcome:
        self.reports = []
        work = run_tool(
            tool,
            ToolUseBlock(id="call", name=tool.name, input=input_),
            conversation="c",
            turn="t",
            report=lambda text, fraction: self.reports.append((text, fraction)),
            timeout_s=timeout_s,
            output_limit_bytes=32_768,
        )
        return self._thread.wait(work, timeout_s=DEADLINE_S)


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A server that listens; its address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, str(DEMO), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield f"http://127.0.0.1:{port}/mcp"
        process.kill()


@pytest.fixture(scope="module")
def harness(web: str) -> Iterator[Harness]:
    # What a started server needs to find the generation of mcp that is tested.
    path = {"PYTHONPATH": "${PYTHONPATH:-}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "never-to-be-passed-on")
        patch.setenv("MCP_TEST_SECRET", SECRET)
        # A busy machine takes its time to start a server again.
        patch.setattr("streamchat_nb.tools.mcp_session.WAIT_S", DEADLINE_S)
        harness = Harness(
            {
                "demo": {
                    "command": sys.executable,
                    "args": [str(DEMO)],
                    "env": {**path, "GIVEN": "${MCP_TEST_SECRET}"},
                },
                "web": {"url": web, "headers": {"X-Key": "${MCP_TEST_SECRET}"}},
                "time": {
                    "command": sys.executable,
                    "args": ["-m", "mcp_server_time"],
                    "env": path,
                },
                "broken": {
                    "command": sys.executable,
                    "args": ["-c", f"raise SystemExit('no key {SECRET}')"],
                    "env": {"KEY": "${MCP_TEST_SECRET}"},
                },
                "absent": {"command": "no-such-program"},
                "unset": {"command": "${NO_SUCH_VARIABLE}"},
            }
        )
        harness.start()
        try:
            harness.until(
                lambda: {harness.status(n).status for n in TRANSPORTS} == {"ready"}
            )
            yield harness
        finally:
            harness.close()


def test_generation_is_the_wanted_one() -> None:
    wanted = os.environ.get("STREAMCHAT_TEST_MCP", "")

    assert version("mcp").startswith(wanted)


def test_tools_have_names_of_ours_and_ask_unless_they_only_read(
    harness: Harness,
) -> None:
    tools = harness.tools()

    for server in TRANSPORTS:
        add, slow = tools[f"{server}_add"], tools[f"{server}_slow"]
        assert (add.risk, add.needs_approval) == ("read", False)
        assert (slow.risk, slow.needs_approval) == ("write", True)
        assert add.description == "Add two numbers."
        assert set(add.input_schema["properties"]) == {"a", "b"}


@pytest.mark.parametrize("server", TRANSPORTS)
def test_call_gives_what_the_server_says(harness: Harness, server: str) -> None:
    outcome = harness.call(f"{server}_add", a=2, b=40)

    assert (outcome.status, outcome.output) == ("ok", "42")


@pytest.mark.parametrize("server", TRANSPORTS)
def test_progress_is_reported(harness: Harness, server: str) -> None:
    outcome = harness.call(f"{server}_slow", seconds=0.3)

    assert (outcome.status, outcome.output) == ("ok", "done")
    assert harness.reports
    text, fraction = harness.reports[-1]
    assert text.startswith("step ")
    assert fraction is not None
    assert 0 < fraction <= 1


@pytest.mark.parametrize("server", TRANSPORTS)
def test_call_that_nobody_waits_for_is_cancelled_at_the_server(
    harness: Harness, server: str
) -> None:
    outcome = harness.call(f"{server}_slow", seconds=60, timeout_s=0.5)

    assert outcome.status == "timeout"
    harness.until(
        lambda: harness.call(f"{server}_cancellations").output == "1 cancelled"
    )


def test_failing_tool_is_an_error_and_says_something(harness: Harness) -> None:
    outcome = harness.call("demo_fail")

    assert outcome.status == "error"
    assert "fail" in outcome.output


@pytest.mark.parametrize("server", TRANSPORTS)
def test_large_result_is_cut(harness: Harness, server: str) -> None:
    outcome = harness.call(f"{server}_huge", characters=3_000_000)

    assert outcome.status == "ok"
    assert outcome.truncated
    assert len(outcome.output) < 40_000


def test_picture_is_shown(harness: Harness) -> None:
    outcome = harness.call("demo_picture")

    assert "image/png" in outcome.output
    (display,) = outcome.display
    assert isinstance(display, ImageDisplay)


def test_structured_content_is_told_once(harness: Harness) -> None:
    outcome = harness.call("demo_facts")

    assert outcome.output.count("42") == 1


def test_server_that_asks_the_user_is_refused(harness: Harness) -> None:
    outcome = harness.call("demo_ask")

    assert outcome.status == "error"
    assert outcome.output


def test_input_that_the_server_refuses_is_an_error(harness: Harness) -> None:
    outcome = harness.call("demo_add", a="no number", b=[])

    assert outcome.status == "error"
    assert harness.call("demo_add", a=1, b=1).output == "2"


def test_started_server_sees_only_what_it_is_given(harness: Harness) -> None:
    output = harness.call("demo_variables").output

    assert f"GIVEN={SECRET}" in output
    assert "PATH=" in output
    assert "ANTHROPIC_API_KEY" not in output
    assert "MCP_TEST_SECRET" not in output


def test_servers_that_cannot_be_had_say_why_without_secrets(harness: Harness) -> None:
    names = ("broken", "absent", "unset")
    harness.until(lambda: all(harness.status(n).problem for n in names))
    problems = {name: harness.status(name).problem or "" for name in names}

    assert "no key [left out]" in problems["broken"]
    assert "no-such-program" in problems["absent"]
    assert "NO_SUCH_VARIABLE" in problems["unset"]
    assert SECRET not in str(harness.servers.statuses())


def test_new_tool_is_offered_once_the_server_tells_of_it(harness: Harness) -> None:
    assert "demo_grown" not in harness.tools()

    assert harness.call("demo_grow").status == "ok"

    harness.until(lambda: "demo_grown" in harness.tools())
    assert harness.call("demo_grown").output == "new"


def test_server_that_crashes_is_told_and_comes_back(harness: Harness) -> None:
    add = harness.tools()["demo_add"]
    before = harness.call("demo_process").output

    outcome = harness.call("demo_crash")

    assert outcome.status == "error"
    assert "may have run" in outcome.output
    assert harness.call("web_add", a=1, b=2).output == "3"
    # A turn keeps the tools that it began with.
    assert harness.run(add, timeout_s=DEADLINE_S, a=1, b=2).output == "3"
    assert harness.call("demo_process").output != before


@pytest.mark.skipif(
    importlib.util.find_spec("mcp_server_time") is None,
    reason="mcp-server-time is not installed",
)
def test_server_of_somebody_else(harness: Harness) -> None:
    harness.until(lambda: harness.status("time").status == "ready")

    outcome = harness.call(
        "time_convert_time",
        source_timezone="Asia/Tokyo",
        time="12:00",
        target_timezone="Asia/Kolkata",
    )

    assert outcome.status == "ok"
    assert "08:30" in outcome.output


class _Refusal(http.server.BaseHTTPRequestHandler):
    """Answers 401 to everything, with what it was sent."""

    def do_POST(self) -> None:
        body = str(self.headers).encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_refused_credential_is_told_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="streamchat_nb")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusal) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/mcp?key={SECRET}"
        headers = {"Authorization": f"Bearer {SECRET}"}
        harness = Harness({"locked": {"url": url, "headers": headers}})
        with contextlib.closing(harness):
            harness.start()
            harness.until(lambda: harness.status("locked").problem is not None)
        listener.shutdown()

    assert harness.status("locked").problem
    assert SECRET not in repr(harness.servers.statuses())
    assert SECRET not in caplog.text


def test_call_of_a_server_that_stays_away_says_so(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamchat_nb.tools.mcp_session.WAIT_S", 0.1)
    add = harness.tools()["demo_add"]
    monkeypatch.setattr(add, "_caller", harness.server("absent"))

    outcome = harness.run(add, timeout_s=DEADLINE_S, a=1, b=2)

    assert outcome.status == "error"
    assert "absent is not there" in outcome.output
    assert "did not run" in outcome.output


def test_stop_ends_what_was_started(harness: Harness) -> None:
    process = int(harness.call("demo_process").output)
    add = harness.tools()["demo_add"]

    harness.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert {one.status for one in harness.servers.statuses()} == {"stopped"}
    assert "is not there" in harness.run(add, timeout_s=1, a=1, b=2).output
