"""Connecting to a host of several addresses: sockets and names that are made up."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.agent.open_socket import open_socket

if TYPE_CHECKING:
    from collections.abc import Mapping

PORT = 8443
FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "2001:db8::1"
END_S = 20.0


class Network(asyncio.SelectorEventLoop):
    """A loop whose names and connections are made up.

    Args:
        addresses: Of every host, in the order in which they are found.
        answers: What comes of connecting to one: an error, or seconds until it is
            there. Who is not named never answers.
    """

    def __init__(
        self, addresses: list[str], answers: Mapping[str, OSError | float]
    ) -> None:
        super().__init__()
        self._addresses = addresses
        self._answers = answers
        self.tried: list[str] = []
        self.sockets: dict[str, socket.socket] = {}

    @override
    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in self._addresses
        ]

    @override
    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.tried.append(address[0])
        self.sockets[address[0]] = sock
        answer = self._answers.get(address[0])
        if isinstance(answer, OSError):
            raise answer
        await asyncio.sleep(60.0 if answer is None else answer)


def opened(network: Network, host: str = "a.test") -> str:
    """Connect; return the address of what was opened."""

    async def run() -> str:
        async with asyncio.timeout(END_S):
            connected = await open_socket(host, PORT)
        found = {one: place for place, one in network.sockets.items()}[connected]
        connected.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    with asyncio.Runner(loop_factory=lambda: network) as runner:
        return runner.run(run())


def open_sockets(network: Network) -> list[str]:
    return [place for place, one in network.sockets.items() if one.fileno() >= 0]


def test_first_address_that_answers_is_taken_and_no_other_is_tried() -> None:
    network = Network([FIRST, SECOND], {FIRST: 0.0, SECOND: 0.0})

    assert opened(network) == FIRST
    assert network.tried == [FIRST]
    assert open_sockets(network) == []


def test_address_that_refuses_gives_way_at_once_to_the_next() -> None:
    network = Network([FIRST, SECOND], {FIRST: ConnectionRefusedError(), SECOND: 0.0})

    assert opened(network) == SECOND
    assert open_sockets(network) == []


def test_address_that_goes_nowhere_costs_only_its_head_start() -> None:
    network = Network([FIRST, SECOND], {SECOND: 0.0})

    assert opened(network) == SECOND
    assert network.tried == [FIRST, SECOND]
    assert open_sockets(network) == [], "the try that was not needed is closed"


def test_families_take_turns() -> None:
    refused = ConnectionRefusedError()
    answers = {FIRST: refused, SECOND: refused, THIRD: refused}
    network = Network([FIRST, SECOND, THIRD], answers)

    with pytest.raises(ConnectionRefusedError):
        opened(network)

    assert network.tried == [FIRST, THIRD, SECOND]


def test_error_is_that_of_the_first_address() -> None:
    first, second = OSError("no route"), ConnectionRefusedError("refused")
    network = Network([FIRST, SECOND], {FIRST: first, SECOND: second})

    with pytest.raises(OSError, match="no route") as raised:
        opened(network)

    assert raised.value is first
    assert open_sockets(network) == []


def test_host_without_an_address_is_an_error() -> None:
    with pytest.raises(OSError, match="has no address"):
        opened(Network([], {}))


def test_address_in_numbers_is_not_looked_up() -> None:
    network = Network([SECOND], {FIRST: 0.0})

    assert opened(network, FIRST) == FIRST


def test_connecting_that_is_cancelled_leaves_no_socket_open() -> None:
    network = Network([FIRST, SECOND], {})

    async def run() -> None:
        connecting = asyncio.create_task(open_socket("a.test", PORT))
        while len(network.tried) < 2:
            await asyncio.sleep(0.01)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: network) as runner:
        runner.run(asyncio.wait_for(run(), END_S))

    assert network.tried == [FIRST, SECOND]
    assert open_sockets(network) == []
