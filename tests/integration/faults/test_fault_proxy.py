from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.testing.fault_proxy import (
    Ending,
    FaultProxy,
    LineFault,
    ProxiedRequest,
    RequestFaults,
    random_cuts,
)
from streamchat_nb.testing.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = b"GET /streamchat/api/health HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"GET /streamchat/api/c HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n"
SOCKET = b"GET /streamchat/api/ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
ELSEWHERE = b"GET /api/kernels/1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
ANSWER = bytes(range(256)) * 64


class Server:
    """Answers whatever comes first with ANSWER, and then reads on."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received = b""
        self.ending = ""
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=[line], daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line:
            try:
                self.received += line.recv(65_536)
                line.sendall(ANSWER)
                while data := line.recv(65_536):
                    self.received += data
                self.ending = "fin"
            except ConnectionResetError:
                self.ending = "rst"
        self.ended.set()


def ask(proxy: FaultProxy, request: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    line.sendall(request)
    return line


def read(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := line.recv(count - len(data))):
        data += more
    return data


def down(**fault: object) -> Callable[[ProxiedRequest], RequestFaults]:
    return lambda _: RequestFaults(to_client=LineFault(**fault))  # type: ignore[arg-type]


def test_proxy_without_faults_passes_everything() -> None:
    with Server() as server, FaultProxy(server.port) as proxy:
        with ask(proxy, PLAIN) as line:
            assert read(line, len(ANSWER)) == ANSWER
            line.sendall(b"more")
            line.shutdown(socket.SHUT_WR)
            assert line.recv(1) == b""
        assert server.ended.wait(5)
        assert server.received == PLAIN + b"more"
        assert server.ending == "fin"
        assert proxy.cuts == {}


@pytest.mark.parametrize("count", [0, 1, 700, len(ANSWER)])
def test_answer_is_cut_at_the_byte_politely(count: int) -> None:
    faults = down(cut_after_bytes=count, ending="fin")
    with Server() as server, FaultProxy(server.port, faults=faults) as proxy:
        with ask(proxy, STREAM) as line:
            assert read(line, len(ANSWER) + 1) == ANSWER[:count]
        assert server.ended.wait(5)
        assert server.ending == "fin"
        assert proxy.cuts == {"fin": 1}


def test_answer_is_cut_by_a_reset_on_both_sides() -> None:
    faults = down(cut_after_bytes=700, ending="rst")
    with Server() as server, FaultProxy(server.port, faults=faults) as proxy:
        with ask(proxy, STREAM) as line, pytest.raises(ConnectionResetError):
            read(line, len(ANSWER))
        assert server.ended.wait(5)
        assert server.ending == "rst"
        assert proxy.cuts == {"rst": 1}


def test_silent_connection_stays_and_carries_nothing() -> None:
    faults = down(cut_after_bytes=700, ending="silence")
    with (
        Server() as server,
        FaultProxy(server.port, faults=faults, silence_s=0.6) as proxy,
        ask(proxy, STREAM) as line,
    ):
        assert read(line, 700) == ANSWER[:700]
        line.sendall(b"is anybody there")
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(1)
        assert not server.ended.is_set()
        line.settimeout(5)
        with pytest.raises(ConnectionResetError):
            line.recv(1)
        assert server.ended.wait(5)
        assert server.received == STREAM
        assert server.ending == "rst"


def test_request_is_cut_on_its_way() -> None:
    def faults(_: ProxiedRequest) -> RequestFaults:
        return RequestFaults(to_server=LineFault(cut_after_bytes=11))

    with Server() as server, FaultProxy(server.port, faults=faults) as proxy:
        with ask(proxy, SOCKET) as line:
            line.recv(len(ANSWER))
        assert server.ended.wait(5)
        assert server.received == SOCKET[:11]


def test_line_is_slow_as_told() -> None:
    slow = {"delay_s": 0.15, "bytes_per_s": len(ANSWER) / 0.3}
    with Server() as server, FaultProxy(server.port, faults=down(**slow)) as proxy:
        started = time.monotonic()
        with ask(proxy, STREAM) as line:
            assert read(line, 1) == ANSWER[:1]
            assert time.monotonic() - started >= 0.15
            assert read(line, len(ANSWER) - 1) == ANSWER[1:]
            # The last piece is there before its time is over.
            assert time.monotonic() - started >= 0.3


def test_line_without_any_speed_is_refused() -> None:
    with pytest.raises(UsageError):
        LineFault(bytes_per_s=0)


@pytest.mark.parametrize(
    ("request_", "blocked"),
    [(SOCKET, {"websocket"}), (STREAM, {"websocket", "event-stream"})],
)
def test_blocked_request_finds_its_connection_closed(
    request_: bytes, blocked: set[str]
) -> None:
    with Server() as server, FaultProxy(server.port) as proxy:
        proxy.blocked = blocked  # type: ignore[assignment]
        with ask(proxy, request_) as line:
            assert line.recv(1) == b""
        for other in (PLAIN, ELSEWHERE):
            with ask(proxy, other) as line:
                assert read(line, len(ANSWER)) == ANSWER
        proxy.blocked = set()
        with ask(proxy, request_) as line:
            assert read(line, len(ANSWER)) == ANSWER


def test_requests_of_one_connection_fail_each_as_told() -> None:
    seen: list[tuple[int, str, str]] = []

    def faults(request: ProxiedRequest) -> RequestFaults:
        seen.append((request.number, request.kind, request.line))
        cut = LineFault(cut_after_bytes=20) if request.number else LineFault()
        return RequestFaults(to_server=cut)

    with Server() as server, FaultProxy(server.port, faults=faults) as proxy:
        with ask(proxy, PLAIN) as line:
            assert read(line, len(ANSWER)) == ANSWER
            line.sendall(STREAM)
            assert line.recv(1) == b""
        assert server.ended.wait(5)
        assert server.received == PLAIN + STREAM[:20]
    assert seen == [
        (0, "other", "GET /streamchat/api/health HTTP/1.1"),
        (1, "event-stream", "GET /streamchat/api/c HTTP/1.1"),
    ]


@pytest.mark.parametrize("ending", ["fin", "rst"])
def test_open_connections_are_cut_when_asked(ending: Ending) -> None:
    with (
        Server() as server,
        FaultProxy(server.port) as proxy,
        ask(proxy, SOCKET) as line,
    ):
        assert read(line, len(ANSWER)) == ANSWER
        proxy.cut(ending)
        if ending == "fin":
            assert line.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                line.recv(1)
        assert server.ended.wait(5)
        assert server.ending == ending


def test_absent_server_is_told_by_a_reset() -> None:
    with (
        FaultProxy(free_port()) as proxy,
        pytest.raises(ConnectionResetError),  # on a busy machine by the connect
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as line,
    ):
        line.recv(1)


def test_proxy_leaves_nothing_behind() -> None:
    def left() -> int:
        return threading.active_count() + len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = left()
    for ending in ("fin", "rst", "silence"):
        faults = down(cut_after_bytes=100, ending=ending)
        with Server() as server, FaultProxy(server.port, faults=faults) as proxy:
            for line in [ask(proxy, STREAM) for _ in range(20)]:
                with line, contextlib.suppress(OSError):
                    read(line, 100)
    deadline = time.monotonic() + 5
    while left() > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_random_cuts_are_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[RequestFaults]:
        choose = random_cuts(seed, within_bytes=6_000)
        kinds = ("websocket", "event-stream", "other")
        return [
            choose(ProxiedRequest(number=n, kind=kinds[n % 3], line="", head_bytes=300))
            for n in range(300)
        ]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    plain = [faults for n, faults in enumerate(drawn(1)) if n % 3 == 2]
    assert set(plain) == {RequestFaults()}
    cuts = [
        line
        for faults in drawn(1)
        for line in (faults.to_client, faults.to_server)
        if line.cut_after_bytes is not None
    ]
    assert len(cuts) == 200
    assert {line.ending for line in cuts} == {"fin", "rst", "silence"}
    ups = [f.to_server.cut_after_bytes for f in drawn(1)]
    assert 30 < sum(up is not None for up in ups) < 80
    assert max(up or 0 for up in ups[1::3]) < 300
    assert 0 <= min(line.cut_after_bytes or 0 for line in cuts) < 200
    assert 5_500 < max(line.cut_after_bytes or 0 for line in cuts) < 6_000
