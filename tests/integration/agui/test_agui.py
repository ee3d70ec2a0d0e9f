"""``POST agui`` of a real server: by AG-UI's own client from npm, and by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import HTTPRequest, HTTPResponse

from hatch_build import find_npm
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import http_client, play

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SCENARIOS = (
    "text",
    "reasoning",
    "server_tool",
    "parallel_tools",
    "approval_approved",
    "approval_denied",
    "approval_abandoned",
    "client_tools",
    "client_tools_left",
    "cancel",
    "error_in_the_middle",
    "replay",
    "threads_and_late_history",
    "context",
)


QUESTION = {"id": "u1", "role": "user", "content": "2 + 3"}
LEND = {"name": "pick", "description": "Pick one."}


@pytest.fixture(scope="module")
def packages() -> str:
    """Install the client where it is not installed; return the path of Node."""
    npm = find_npm()
    if npm is None:
        pytest.skip("AG-UI's client needs Node and npm, and there are none.")
    installed = HERE / "node_modules" / "installed.json"
    wanted = (HERE / "package-lock.json").read_bytes()
    if not installed.exists() or installed.read_bytes() != wanted:
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        assert npm.run(arguments, HERE, timeout_s=240.0) == 0, "npm ci failed"
        installed.write_bytes(wanted)
    node = shutil.which("node", path=str(npm.node_folder))
    assert node is not None
    return node


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    arguments = [
        "--StreamchatExtension.agent=demo_agent:make_agent",
        "--StreamchatExtension.tools=demo_agent:write_note",
    ]
    environment = {"PYTHONPATH": str(HERE)}
    with ServerProcess(arguments, environment=environment) as process:
        yield process


@pytest.fixture(scope="module")
def outcomes(packages: str, server: ServerProcess) -> dict[str, str | None]:
    """Play all scenarios in one Node; what went wrong in each, if anything did."""
    done = subprocess.run(
        [packages, "scenarios.mjs", server.address.url, server.address.token],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    sys.stderr.write(done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["name"]: one.get("error") for one in told}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, outcomes: dict[str, str | None]) -> None:
    assert scenario in outcomes, f"it did not run; these did: {list(outcomes)}"
    error = outcomes[scenario]
    assert error is None, error


def test_no_scenario_is_left_out(outcomes: dict[str, str | None]) -> None:
    assert set(outcomes) == set(SCENARIOS)


# --- by hand


def run_input(**more: Any) -> dict[str, Any]:
    return {"threadId": "t", "runId": "r", "messages": [QUESTION], **more}


async def post(
    server: ServerProcess,
    body: Any,
    *,
    query: str = "",
    headers: dict[str, str] | None = None,
) -> HTTPResponse:
    known = {"Authorization": f"token {server.address.token}"}
    return await http_client().fetch(
        HTTPRequest(
            f"{server.address.url}streamchat/agui{query}",
            method="POST",
            headers=known if headers is None else headers,
            body=body if isinstance(body, bytes) else json.dumps(body),
            request_timeout=30,
        ),
        raise_error=False,
    )


def events_of(response: HTTPResponse) -> list[dict[str, Any]]:
    assert response.code == 200, response.body
    assert response.headers["Content-Type"].startswith("text/event-stream")
    lines = response.body.decode().split("\n\n")
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        (b"{", 400, "invalid_input", "RunAgentInput"),
        (b"[]", 400, "invalid_input", "RunAgentInput"),
        (run_input(messages=[]), 400, "invalid_input", "no message of the user"),
        (run_input(threadId=""), 400, "invalid_input", "threadId"),
        (run_input(runId="r" * 300), 400, "invalid_input", "runId"),
        (run_input(threadId="c_" + "0" * 32), 404, "not_found", "no such conversation"),
        (run_input(tools=[LEND] * 65), 413, "too_large", "tools"),
        (run_input(tools=[LEND] * 2), 400, "invalid_input", "Two tools"),
        (run_input(tools=[{**LEND, "name": "a b"}]), 400, "invalid_input", "name"),
        (
            run_input(tools=[{**LEND, "name": "search_contacts"}]),
            409,
            "tool_name_taken",
            "search_contacts",
        ),
        (
            run_input(tools=[{**LEND, "parameters": {"x": "y" * 40_000}}]),
            413,
            "too_large",
            "32768",
        ),
        (
            run_input(resume=[{"interruptId": "a", "status": "cancelled"}]),
            404,
            "not_found",
            "interrupt",
        ),
        (
            run_input(
                resume=[{"interruptId": "a", "status": "resolved", "payload": "yes"}]
            ),
            400,
            "invalid_input",
            "responseSchema",
        ),
        (
            run_input(messages=[{**QUESTION, "content": "x" * 70_000}]),
            413,
            "too_large",
            "65536",
        ),
    ],
)
def test_refusal_has_the_one_shape_and_no_stream(
    server: ServerProcess, body: Any, status: int, code: str, says: str
) -> None:
    async def scenario() -> None:
        refused = await post(server, body)
        told = json.loads(refused.body)
        assert (refused.code, told["code"]) == (status, code), told
        assert says in told["message"]

    play(scenario)


def test_identity_is_asked_as_by_the_other_routes(server: ServerProcess) -> None:
    async def scenario() -> None:
        nobody = await post(server, run_input(), headers={})
        assert nobody.code == 403
        elsewhere = {
            "Authorization": f"token {server.address.token}",
            "Origin": "https://elsewhere.example",
        }
        foreign = await post(server, run_input(), headers=elsewhere)
        assert json.loads(foreign.body)["code"] == "origin_forbidden"

    play(scenario)


def test_agent_is_chosen_by_the_address(server: ServerProcess) -> None:
    async def scenario() -> None:
        there = await post(server, run_input(threadId="a"), query="?agent=assistant")
        assert events_of(there)[-1]["type"] == "RUN_FINISHED"
        nobody = await post(server, run_input(threadId="b"), query="?agent=nobody")
        assert nobody.code == 400

    play(scenario)


def test_files_of_a_message_are_kept_and_addresses_are_not_fetched(
    server: ServerProcess,
) -> None:
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
        "WjR9awAAAABJRU5ErkJggg=="
    )

    def asking(source: dict[str, str]) -> dict[str, Any]:
        parts = [
            {"type": "text", "text": "2 + 3"},
            {"type": "image", "source": source},
        ]
        return run_input(threadId="i", messages=[{**QUESTION, "content": parts}])

    async def scenario() -> None:
        inline = {"type": "data", "value": pixel, "mimeType": "image/png"}
        assert events_of(await post(server, asking(inline)))[-1]["type"] == (
            "RUN_FINISHED"
        )
        url = {"type": "url", "value": "http://127.0.0.1:1/x.png"}
        refused = await post(server, asking(url))
        assert "fetches nothing" in json.loads(refused.body)["message"]

    play(scenario)


def test_run_is_replayed_and_a_cut_one_fails_after_a_restart(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        waiting = run_input(
            threadId="cut",
            messages=[{**QUESTION, "content": "call pick {}"}],
            tools=[LEND],
        )
        pending = events_of(await post(server, waiting))[-1]["outcome"]
        call = pending["pendingToolCallIds"][0]
        whole = run_input(threadId="whole")
        before = events_of(await post(server, whole))
        server.kill()
        server.start()
        after = events_of(await post(server, whole))
        texts = [
            "".join(e["delta"] for e in events if e["type"] == "TEXT_MESSAGE_CONTENT")
            for events in (before, after)
        ]
        assert texts[0] == texts[1] != ""
        assert before[0]["metadata"] == after[0]["metadata"]
        result = {"id": "x", "role": "tool", "toolCallId": call, "content": "amber"}
        late = run_input(threadId="cut", runId="r2", messages=[result], tools=[LEND])
        failed = events_of(await post(server, late))[-1]
        assert (failed["type"], failed["code"]) == ("RUN_ERROR", "interrupted")

    play(scenario)


def test_server_without_the_package_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['ag_ui'] = None\n"
        "from streamchat_nb.errors import Unavailable\n"
        "from streamchat_nb.server.agui import _read\n"
        "try:\n    _read(b'{}')\n"
        "except Unavailable as error:\n    print(error.http_status, error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stdout.startswith("503 ")
    assert "pip install 'streamchat_nb[agui]'" in done.stdout
