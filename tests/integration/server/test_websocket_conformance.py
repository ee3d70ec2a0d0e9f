"""The cases of the Autobahn test suite against our socket and against Tornado's own.

Compression is off here as it is there, so that the cases about it find none.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketHandler
from typing_extensions import override

from streamchat_nb.testing.server_process import ServerProcess

kosoku = pytest.importorskip("kosoku", reason="the package kosoku has the cases")

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[3]
LARGEST_BYTES = 32 * 1024 * 1024
# Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing; no large messages.
QUICK = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.1.*", "6.2.*", "6.3.*", "7.*", "10.*"]


class BareSocket(WebSocketHandler):
    @override
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


@pytest.fixture(scope="module")
def echo_server() -> Iterator[ServerProcess]:
    arguments = [
        "--IdentityProvider.token=",
        f"--StreamchatExtension.limits=frame_bytes={LARGEST_BYTES}",
        "--StreamchatExtension.limits=sockets_per_user=10000",
    ]
    application = "tests.integration.server.echo_server"
    with ServerProcess(
        arguments,
        application=application,
        environment={"JUPYTER_TOKEN": "", "PYTHONPATH": str(ROOT)},
    ) as process:
        yield process


async def verdicts(url: str, cases: Sequence[str] | None) -> dict[str, str]:
    """How each case ended: its own verdict and the one of its closing."""
    try:
        results = await kosoku.run_fuzzingclient(url, cases, concurrency=4)
    except kosoku.FailureError as failure:
        results = failure.results
    return {
        one.case_id: ("passed" if one.passed else "failed")
        + f": {one.behavior.value}, {one.behavior_close.value}"
        for one in results
    }


async def verdicts_of_tornado(cases: Sequence[str] | None) -> dict[str, str]:
    listening, port = bind_unused_port(address="127.0.0.1")
    settings: dict[str, Any] = {"websocket_max_message_size": LARGEST_BYTES}
    server = HTTPServer(Application([("/", BareSocket)], **settings))
    server.add_socket(listening)
    try:
        return await verdicts(f"ws://127.0.0.1:{port}/", cases)
    finally:
        server.stop()
        await server.close_all_connections()


def compare(server: ServerProcess, cases: Sequence[str] | None) -> int:
    """Return how many cases ran; ours may fail no case that Tornado's passes."""

    async def run() -> tuple[dict[str, str], dict[str, str]]:
        url = f"ws://127.0.0.1:{server.port}/streamchat/api/ws"
        return await verdicts(url, cases), await verdicts_of_tornado(cases)

    ours, tornados = asyncio.run(run())
    worse = {
        case: f"{verdict}; Tornado {tornados[case]}"
        for case, verdict in ours.items()
        if verdict.startswith("failed") and tornados[case].startswith("passed")
    }
    assert worse == {}, (Counter(ours.values()), Counter(tornados.values()))
    assert ours.keys() == tornados.keys()
    return len(ours)


def test_socket_fails_no_case_that_tornado_passes(echo_server: ServerProcess) -> None:
    assert compare(echo_server, QUICK) > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
# The cases about compression leave their data files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_socket_fails_no_case_of_all(echo_server: ServerProcess) -> None:
    assert compare(echo_server, None) > 500
