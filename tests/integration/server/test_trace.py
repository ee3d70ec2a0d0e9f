"""Traces by REST: what went out, never a key, for the owner only, over a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from streamchat_nb.client.sync_client import connect_sync
from streamchat_nb.errors import NotFound
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import api, play

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "canary-of-a-key-0123456789"
HEADER = "canary-of-a-header-987654"
PASSWORD = "canary-of-a-variable-55"


@pytest.fixture(scope="module")
def online() -> Iterator[ServerProcess]:
    """A server on an endpoint, with keys in its headers and its environment."""
    environment = {
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_CUSTOM_HEADERS": f"X-Gateway-Key: {HEADER}",
        "DATABASE_PASSWORD": PASSWORD,
    }
    with running_fake_endpoint() as url:
        address = f"--StreamchatExtension.base_url={url}"
        with ServerProcess([address], environment=environment) as server:
            yield server


def test_trace_has_what_went_out_and_no_key(online: ServerProcess) -> None:
    with connect_sync(online.address.url, online.address.token) as client:
        conversation = client.create()
        answer = conversation.ask(f"Who is Ada? {PASSWORD}", timeout_s=60)
        trace = conversation.trace(answer.turn)
    assert trace.status == "completed"
    assert [span.kind for span in trace.spans] == [
        "queue",
        "step",
        "tool",
        "run",
        "step",
    ]
    assert [request.status for request in trace.requests] == [200, 200]
    for request in trace.requests:
        assert request.source == "endpoint"
        assert request.url.endswith("/v1/messages")
        assert request.request_id
        assert request.headers["x-api-key"] == "[hidden]"
        assert request.body["messages"][0]["role"] == "user"
        assert request.body["stream"] is True
    shown = msgspec.json.encode(trace).decode()
    assert "canary" not in shown
    assert "Who is Ada?" in shown


def test_running_turn_has_a_trace_that_grows(server: ServerProcess) -> None:
    with connect_sync(server.address.url, server.address.token) as client:
        conversation = client.create()
        turn = conversation.send("count to 5000")
        trace = conversation.trace(turn)
        while not (trace.requests and trace.requests[0].first_ms is not None):
            trace = conversation.trace(turn)
        assert trace.status == "running"
        assert trace.spans[-1].end_ms is None
        conversation.cancel(turn)
        conversation.finished(turn, timeout_s=60)
        trace = conversation.trace(turn)
    assert trace.status == "cancelled"
    assert all(span.end_ms is not None for span in trace.spans)
    assert trace.requests[0].end_ms is not None


def test_spans_outlive_a_restart_and_requests_do_not() -> None:
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0"]) as server:
        with connect_sync(server.address.url, server.address.token) as client:
            conversation = client.create()
            turn = conversation.ask("Who is Ada?", timeout_s=60).turn
            before = conversation.trace(turn)
            id_ = conversation.id
        server.stop()
        server.start()
        with connect_sync(server.address.url, server.address.token) as client:
            after = client.conversation(id_).trace(turn)
    assert before.requests_kept == "kept"
    assert after.spans == before.spans
    assert (after.requests, after.requests_kept) == ([], "forgotten")


def test_trace_of_what_is_not_there_is_not_found(server: ServerProcess) -> None:
    async def scenario() -> Any:
        http = api(server)
        conversation = await http.request("POST", "conversations", {})
        path = f"conversations/{conversation['id']}/turns/t_none/trace"
        with pytest.raises(NotFound, match="no such turn"):
            await http.request("GET", path)
        with pytest.raises(NotFound, match="no such conversation"):
            await http.request("GET", "conversations/c_none/turns/t_none/trace")

    play(scenario)
