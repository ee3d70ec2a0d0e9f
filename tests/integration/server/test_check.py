"""The self-test, by its route, the clients and the command line."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from streamchat_nb import command_line
from streamchat_nb.agent.endpoint_check import CHECKS
from streamchat_nb.client.client import Client
from streamchat_nb.client.discovery import ServerAddress
from streamchat_nb.client.sync_client import SyncClient
from streamchat_nb.errors import AuthenticationError
from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import api, play

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "sk-canary-90ab"
WAYS = ("websocket", "sse", "rest")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_fake_endpoint() as url:
        yield url


@pytest.fixture(scope="module")
def server(endpoint: str) -> Iterator[ServerProcess]:
    arguments = [
        f"--StreamchatExtension.base_url={endpoint}",
        "--StreamchatExtension.model=m",
    ]
    with ServerProcess(arguments, environment={"ANTHROPIC_AUTH_TOKEN": KEY}) as server:
        yield server


def test_check_tries_endpoint_and_ways_and_leaves_nothing_behind(
    server: ServerProcess,
) -> None:
    address = server.address
    with contextlib.closing(SyncClient(address)) as client:
        report = client.check()
        assert client.conversations() == []
    assert report.ok
    assert tuple(check.name for check in report.checks) == (*CHECKS, *WAYS)
    assert {check.status for check in report.checks} == {"ok"}
    assert KEY not in str(report)
    assert KEY not in server.log


def test_checks_at_one_time_are_one_check(server: ServerProcess) -> None:
    async def scenario() -> None:
        http = api(server)
        first, second = await asyncio.gather(
            *(http.request("POST", "check", {}) for _ in range(2))
        )
        # The same answer, down to the time that it took.
        assert first == second
        assert [check["name"] for check in first["checks"]] == [*CHECKS]

    play(scenario)


def test_check_in_the_terminal_is_a_line_each(
    server: ServerProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", server.address.token)
    assert command_line.main(["check", "--url", server.address.url]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= len((*CHECKS, *WAYS))


def test_check_without_permission_is_refused(server: ServerProcess) -> None:
    async def scenario() -> None:
        with pytest.raises(AuthenticationError):
            await Client(ServerAddress(url=server.address.url, token="wrong")).check()

    play(scenario)
