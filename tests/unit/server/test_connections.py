from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from socket import create_connection, create_server

import pytest

from streamchat_nb.errors import RateLimited
from streamchat_nb.server.connections import Connections, lengthen_queues


class Socket:
    def __init__(self, *, leaves: bool = True) -> None:
        self.is_gone = False
        self.retry_after_ms = 0
        self._leaves = leaves

    async def go_away(self, retry_after_ms: int) -> None:
        self.retry_after_ms = retry_after_ms
        if not self._leaves:
            await asyncio.sleep(60)
        self.is_gone = True


def new_connections() -> Connections:
    return Connections(per_user=3, pending_per_address=2)


def test_user_has_a_bounded_number_of_sockets() -> None:
    connections = new_connections()
    sockets = [Socket() for _ in range(3)]
    for number, socket in enumerate(sockets):
        connections.admit("ada", f"a{number}")
        connections.add_socket(socket, user="ada", address=f"a{number}")
    with pytest.raises(RateLimited, match="3 open connections"):
        connections.admit("ada", "a9")
    connections.admit("bob", "a9")
    connections.discard(sockets[0])
    connections.admit("ada", "a9")


def test_address_has_a_bounded_number_of_sockets_that_wait() -> None:
    connections = new_connections()
    sockets = [Socket(), Socket()]
    for number, socket in enumerate(sockets):
        connections.add_socket(socket, user=f"u{number}", address="here")
    with pytest.raises(RateLimited, match="wait for authentication"):
        connections.admit("ada", "here")
    connections.authenticated(sockets[0])
    connections.authenticated(sockets[0])
    connections.admit("ada", "here")
    connections.discard(sockets[0])
    connections.discard(sockets[0])
    connections.add_socket(Socket(), user="ada", address="here")
    with pytest.raises(RateLimited):
        connections.admit("bob", "here")


def test_sockets_that_came_and_went_do_not_count() -> None:
    connections = new_connections()
    for _ in range(100):
        socket = Socket()
        connections.admit("ada", "here")
        connections.add_socket(socket, user="ada", address="here")
        connections.discard(socket)
    assert len(connections) == 0


def test_everybody_leaves_and_who_does_not_is_not_waited_for() -> None:
    async def scenario() -> None:
        connections = new_connections()
        quick, stuck, stream = Socket(), Socket(leaves=False), Socket()
        connections.add_socket(quick, user="ada", address="here")
        connections.add_socket(stuck, user="ada", address="here")
        connections.add_stream(stream)
        begun = time.monotonic()
        await connections.close_all(timeout_s=0.05)
        assert time.monotonic() - begun < 5
        assert (quick.is_gone, stuck.is_gone, stream.is_gone) == (True, False, True)

    asyncio.run(scenario())


def test_those_who_leave_are_told_to_come_back_one_after_the_other() -> None:
    async def scenario() -> None:
        connections = new_connections()
        sockets = [Socket() for _ in range(1_000)]
        for socket in sockets:
            connections.add_socket(socket, user="ada", address="here")
        await connections.close_all(timeout_s=5)
        told = [socket.retry_after_ms for socket in sockets]
        assert told != sorted(told)
        told.sort()
        assert told[0] == 2_000
        pauses = {later - sooner for sooner, later in itertools.pairwise(told)}
        assert pauses == {1, 2}

    asyncio.run(scenario())


def test_nobody_is_told_to_wait_for_longer_than_clients_do() -> None:
    async def scenario() -> None:
        connections = new_connections()
        streams = [Socket() for _ in range(30_000)]
        for stream in streams:
            connections.add_stream(stream)
        await connections.close_all(timeout_s=5)
        assert max(stream.retry_after_ms for stream in streams) == 30_000

    asyncio.run(scenario())


def test_more_wait_for_a_listening_socket_than_it_was_made_for() -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(create_server(("127.0.0.1", 0), backlog=1))
        lengthen_queues([server])
        for _ in range(64):  # nobody accepts them
            client = create_connection(server.getsockname(), timeout=0.5)
            stack.enter_context(client)


def test_socket_that_listens_no_more_is_left_alone() -> None:
    server = create_server(("127.0.0.1", 0))
    server.close()
    lengthen_queues([server])
