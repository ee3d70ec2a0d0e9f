"""Many clients of one contender in one process, on one ``epoll``.

There is no framework and no event loop in it, because it shares a core with the fake
API: a client that is slow would be measured in place of the contender. It takes a
``Target`` and a ``Load`` as JSON and prints a ``LoadResult``.

    python -m benchmarks.rig.load_client '{"dialect": …}' '{"clients": 200}'
"""

from __future__ import annotations

import argparse
import gc
import http.client
import os
import re
import select
import socket
import sys
import time
from array import array
from collections import Counter, deque
from dataclasses import dataclass

import msgspec

from benchmarks.rig.dialects import DIALECTS, Dialect, Heard
from benchmarks.rig.load import QUANTILES, Load, LoadResult, Target
from benchmarks.rig.messages_api import question
from benchmarks.rig.processes import (
    busy_seconds,
    cpu_seconds,
    raise_file_limit,
    resident_bytes,
)

__all__ = ["LoadClient", "quantiles"]

READ_BYTES = 65_536
CONNECT_TIMEOUT_S = 10.0
END_TIMEOUT_S = 3.0
BEGIN_TIMEOUT_S = 12.0
SETTLE_S = 0.3
MOST_UNANSWERED = 8
"""Clients that wait for a first token while others begin: to begin costs as much as
many tokens, and what is to be measured is all of them at once."""
SPREAD = 0.6
"""In which part of the warm-up the clients begin to ask; the rest lets them settle."""
_STAMP = re.compile(rb"~(\d+)~")
_NS_PER_US = 1_000


@dataclass(eq=False)
class _Client:
    socket: socket.socket
    dialect: Dialect
    is_ready: bool = False
    asked_us: int = 0
    """When it asked what has not been answered by a first token yet; 0: nothing."""


class LoadClient:
    """Connects clients, lets them ask, and counts what arrives.

    Args:
        target: Where they go.
        load: What they do.
    """

    def __init__(self, target: Target, load: Load) -> None:
        self._target = target
        self._load = load
        self._poll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self._starting: deque[tuple[float, _Client]] = deque()
        self._text = question(rate_per_s=load.rate_per_s, deltas=load.deltas)
        self._ready = self._lost = 0
        self._asking: set[_Client] = set()
        self._unanswered: set[_Client] = set()
        self._errors: Counter[str] = Counter()
        self._is_measuring = self._is_ending = False
        self._token_us = array("q")
        self._first_token_us = array("q")
        self._frames = self._bytes = self._answers = 0

    def run(self) -> LoadResult:
        """Do all of the load and return what was seen.

        Raises:
            ConnectionError: The contender gives no tokens or no conversations.
        """
        seats = deque(DIALECTS[self._target.dialect].prepare(self._target, self._load))
        make = DIALECTS[self._target.dialect]
        pids = self._target.server_pids
        resident_before = resident_bytes(pids)
        cpu_before, began = cpu_seconds(pids), time.monotonic()
        deadline = began + self._load.deadline_s
        while (missing := self._load.clients - self._ready - self._lost) > 0:
            if time.monotonic() >= deadline:
                self._errors["not authenticated in time"] += missing
                break
            in_flight = len(self._clients) - self._ready
            if seats and in_flight < self._load.connects_in_flight:
                self._connect(make(self._target, seats.popleft()))
                self._turn(0.0)
            else:
                self._turn(deadline)
        connected = LoadResult(
            connected=self._ready,
            connect_s=time.monotonic() - began,
            connect_cpu_s=cpu_seconds(pids) - cpu_before,
            resident_before_bytes=resident_before,
        )
        measured = self._measure(connected)
        if self._target.api_port:
            self._end_answers()
        for client in self._clients.values():
            client.socket.close()
        return measured

    def _measure(self, connected: LoadResult) -> LoadResult:
        load, pids = self._load, self._target.server_pids
        askers = [client for client in self._clients.values() if client.is_ready]
        askers = {"own": askers, "shared": askers[:1], "none": []}[load.conversations]
        gc.freeze()
        gc.disable()
        self._schedule(askers)
        self._warm_up()
        self._is_measuring = True
        before = self._cpu_times()
        began = time.monotonic()
        self._turn_until(began + load.measured_s)
        measured_s = time.monotonic() - began
        server, api, client, busy = (
            after - first
            for after, first in zip(self._cpu_times(), before, strict=True)
        )
        self._is_measuring = False
        readers = connected.connected if load.conversations == "shared" else 1
        return msgspec.structs.replace(
            connected,
            tokens=len(self._token_us),
            wanted_tokens=load.rate_per_s * measured_s * len(askers) * readers,
            frames=self._frames,
            wire_bytes=self._bytes,
            answers=self._answers,
            token_ms=quantiles(self._token_us),
            token_p999_ms=_in_a_thousand(self._token_us),
            first_token_ms=quantiles(self._first_token_us),
            measured_s=measured_s,
            server_cpu_s=server,
            api_cpu_s=api,
            client_cpu_s=client,
            foreign_cpu_s=max(0.0, busy - server - api - client),
            resident_bytes=resident_bytes(pids),
            errors=dict(self._errors),
        )

    def _end_answers(self) -> None:
        """Let what was asked for be over, so that the next load has the contender."""
        self._is_ending = True
        self._starting.clear()
        api = http.client.HTTPConnection(
            "127.0.0.1", self._target.api_port, timeout=END_TIMEOUT_S
        )
        api.request("POST", "/bench/finish")
        api.getresponse().read()
        api.close()
        deadline = time.monotonic() + END_TIMEOUT_S
        while self._asking and time.monotonic() < deadline:
            self._turn(deadline)

    def _cpu_times(self) -> tuple[float, float, float, float]:
        """Return the CPU seconds of the contender, the API, this process and all."""
        own = os.times()
        return (
            cpu_seconds(self._target.server_pids),
            cpu_seconds([self._target.api_pid]),
            own.user + own.system,
            busy_seconds(),
        )

    # connections

    def _connect(self, dialect: Dialect) -> None:
        try:
            connection = socket.create_connection(
                ("127.0.0.1", self._target.port), CONNECT_TIMEOUT_S
            )
        except OSError as error:
            self._errors[f"connect: {error}"] += 1
            self._lost += 1
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        client = _Client(connection, dialect)
        self._clients[connection.fileno()] = client
        self._poll.register(connection.fileno(), select.EPOLLIN)
        if dialect.open() is Heard.READY:
            client.is_ready = True
            self._ready += 1
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        """Write what is to be sent: little, which a socket that is read takes whole."""
        waiting = client.dialect.to_send
        if waiting:
            try:
                sent = client.socket.send(waiting)
            except OSError as error:
                self._lose(client, f"send: {error}")
                return
            del waiting[:sent]

    def _lose(self, client: _Client, why: str) -> None:
        self._errors[why] += 1
        self._lost += 1
        self._poll.unregister(client.socket.fileno())
        del self._clients[client.socket.fileno()]
        self._asking.discard(client)
        self._unanswered.discard(client)
        client.socket.close()
        if client.is_ready:
            client.is_ready = False
            self._ready -= 1

    # what is asked

    def _warm_up(self) -> None:
        """Let clients begin, and wait until all have a first token, or too long."""
        began = time.monotonic()
        self._turn_until(began + self._load.warm_up_s)
        deadline = began + BEGIN_TIMEOUT_S
        while (self._starting or self._unanswered) and time.monotonic() < deadline:
            self._turn_until(min(deadline, time.monotonic() + SETTLE_S))

    def _schedule(self, askers: list[_Client]) -> None:
        """Let clients ask for the first time, evenly spread."""
        now = time.monotonic()
        gap_s = self._load.warm_up_s * SPREAD / max(1, len(askers))
        self._starting.extend(
            (now + number * gap_s, client) for number, client in enumerate(askers)
        )

    def _ask(self, client: _Client) -> None:
        if client.is_ready:
            self._asking.add(client)
            self._unanswered.add(client)
            client.dialect.ask(self._text)
            client.asked_us = time.monotonic_ns() // _NS_PER_US
            self._flush(client)

    # what arrives

    def _turn_until(self, deadline: float) -> None:
        while (now := time.monotonic()) < deadline:
            wake = deadline
            if self._starting and len(self._unanswered) < MOST_UNANSWERED:
                due, client = self._starting[0]
                if due <= now:
                    self._starting.popleft()
                    self._ask(client)
                    wake = now
                else:
                    wake = min(deadline, due)
            self._turn(wake)

    def _turn(self, deadline: float) -> None:
        """Wait until something arrives, and take it; at most until the deadline."""
        timeout_s = max(0.0, deadline - time.monotonic())
        for file, _ in self._poll.poll(timeout_s, 1024):
            client = self._clients.get(file)
            if client is not None:
                self._read(client)

    def _read(self, client: _Client) -> None:
        try:
            data = client.socket.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError("closed")
            now_us = time.monotonic_ns() // _NS_PER_US
            messages = client.dialect.split(data)
        except OSError as error:
            self._lose(client, f"receive: {error}")
            return
        if self._is_measuring:
            self._bytes += len(data)
        for message in messages:
            self._take(client, message, now_us)
        if client.dialect.to_send:
            self._flush(client)

    def _take(self, client: _Client, message: bytes, now_us: int) -> None:
        heard = client.dialect.hear(message)
        if self._is_measuring:
            self._frames += 1
        if heard is Heard.TOKENS:
            self._note_tokens(client, message, now_us)
        elif heard is Heard.READY and not client.is_ready:
            client.is_ready = True
            self._ready += 1
        elif heard is Heard.FAILED:
            self._errors[message[:200].decode(errors="replace")] += 1
        elif heard is Heard.DONE:
            self._answers += self._is_measuring
            if self._is_ending:
                self._asking.discard(client)
            elif client in self._asking:
                self._ask(client)

    def _note_tokens(self, client: _Client, message: bytes, now_us: int) -> None:
        if self._is_measuring:
            self._token_us.extend(
                [now_us - int(stamp) for stamp in _STAMP.findall(message)]
            )
            if client.asked_us > 0:
                self._first_token_us.append(now_us - client.asked_us)
        if client.asked_us:
            self._unanswered.discard(client)
            client.asked_us = 0


def quantiles(values_us: array[int]) -> list[float]:
    """Return 201 quantiles in milliseconds, from the least to the most."""
    ordered = sorted(values_us)
    last = len(ordered) - 1
    if last < 0:
        return []
    return [
        ordered[round(last * part / QUANTILES)] / 1000 for part in range(QUANTILES + 1)
    ]


def _in_a_thousand(values_us: array[int]) -> float | None:
    ordered = sorted(values_us)
    return ordered[int((len(ordered) - 1) * 0.999)] / 1000 if ordered else None


def main() -> None:
    """Run one load, told by the arguments, and print its result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="a Target, as JSON")
    parser.add_argument("load", help="a Load, as JSON")
    arguments = parser.parse_args()
    target = msgspec.json.decode(arguments.target, type=Target)
    load = msgspec.json.decode(arguments.load, type=Load)
    raise_file_limit()
    result = LoadClient(target, load).run()
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
