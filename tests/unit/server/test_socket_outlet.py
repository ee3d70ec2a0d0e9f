from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from tornado.iostream import IOStream

from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.events import BlockDelta
from streamchat_nb.server.socket_outlet import SHARED_BYTES, SocketOutlet, text_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DELTA = BlockDelta(
    conversation="c", seq=7, prev=6, message="m", block="b0", kind="text", delta="a"
)
NEXT = msgspec.structs.replace(DELTA, seq=8, prev=7, delta="b")


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, "81 00"),
        (125, "81 7d"),
        (126, "81 7e 007e"),
        (65_535, "81 7e ffff"),
        (65_536, "81 7f 0000000000010000"),
    ],
)
def test_frame_is_whole_unmasked_text(length: int, head: str) -> None:
    data = b"x" * length
    assert text_frame(data) == (bytes.fromhex(head) + data, b"")


def test_frame_of_an_event_is_made_once() -> None:
    data = b'{"type":"block.completed"}'
    assert text_frame(data)[0] is text_frame(bytes(bytearray(data)))[0]


def test_frame_of_a_short_delta_is_made_once() -> None:
    _, before = text_frame(encode(DELTA))
    frame, _ = text_frame(encode(NEXT), before)
    assert frame == b'\x81\x03"b"'
    assert text_frame(encode(NEXT), encode(DELTA))[0] is frame


def test_delta_that_is_too_large_to_be_kept_is_followed_by_a_whole_one() -> None:
    large = msgspec.structs.replace(DELTA, delta="a" * SHARED_BYTES)
    _, before = text_frame(encode(large))
    assert before == b""
    assert encode(NEXT) in text_frame(encode(NEXT), before)[0]


@dataclass
class Connection:
    """What an outlet needs of Tornado's."""

    stream: IOStream
    client_terminated: bool = False
    server_terminated: bool = False


@dataclass
class Handler:
    ws_connection: Connection | None


def play(
    scenario: Callable[[SocketOutlet, Handler, socket.socket], Awaitable[None]],
) -> None:
    """Run a scenario with an outlet, its handler and the peer's socket."""

    async def main() -> None:
        ours, peer = socket.socketpair()
        stream = IOStream(ours)
        handler = Handler(Connection(stream))
        peer.settimeout(5)
        try:
            async with asyncio.timeout(10):
                await scenario(SocketOutlet(cast("Any", handler)), handler, peer)
        finally:
            stream.close()
            peer.close()

    asyncio.run(main())


def test_peer_that_understands_them_is_sent_short_deltas() -> None:
    async def scenario(outlet: SocketOutlet, _: Handler, peer: socket.socket) -> None:
        assert outlet.write(encode(DELTA))
        outlet.is_short = True
        assert outlet.write(encode(DELTA))
        assert outlet.write(encode(NEXT))
        whole = text_frame(encode(DELTA))[0]
        assert peer.recv(65_536) == whole + whole + b'\x81\x03"b"'

    play(scenario)


def test_frames_written_together_come_one_after_the_other() -> None:
    async def scenario(outlet: SocketOutlet, _: Handler, peer: socket.socket) -> None:
        outlet.is_short = True
        large = b"x" * (SHARED_BYTES + 1)
        assert outlet.write(b"first", encode(DELTA), encode(NEXT), large)
        expected = b"".join(text_frame(one)[0] for one in (b"first", encode(DELTA)))
        expected += b'\x81\x03"b"' + text_frame(large)[0]
        assert peer.recv(65_536) == expected
        assert outlet.write(encode(NEXT))
        assert peer.recv(65_536) == text_frame(encode(NEXT))[0]

    play(scenario)


def test_what_the_socket_does_not_take_at_once_comes_whole_and_in_order() -> None:
    async def scenario(outlet: SocketOutlet, _: Handler, peer: socket.socket) -> None:
        written = bytearray()
        took = True
        while took:
            data = b"x" * 50_000
            took = outlet.write(data)
            written += text_frame(data)[0]
        last = b"last"
        assert not outlet.write(last)
        written += text_frame(last)[0]
        read = bytearray()
        while len(read) < len(written):
            read += await asyncio.to_thread(peer.recv, 65_536)
        await outlet.taken()
        assert read == written
        assert outlet.write(last)

    play(scenario)


@pytest.mark.parametrize("side", ["client_terminated", "server_terminated"])
def test_nothing_is_written_after_a_close_frame(side: str) -> None:
    async def scenario(
        outlet: SocketOutlet, handler: Handler, peer: socket.socket
    ) -> None:
        assert outlet.write(b"first")
        setattr(handler.ws_connection, side, True)
        with pytest.raises(ConnectionResetError):
            outlet.write(b"second")
        assert peer.recv(100) == text_frame(b"first")[0]

    play(scenario)


def test_socket_that_is_gone_is_told_by_the_next_write() -> None:
    async def scenario(
        outlet: SocketOutlet, handler: Handler, peer: socket.socket
    ) -> None:
        assert outlet.write(b"first")
        assert handler.ws_connection is not None
        handler.ws_connection.stream.close()
        with pytest.raises(ConnectionResetError):
            outlet.write(b"second")
        assert peer.recv(100) == text_frame(b"first")[0]
        assert peer.recv(100) == b""

    play(scenario)


def test_socket_that_is_not_open_is_gone() -> None:
    with pytest.raises(ConnectionResetError):
        SocketOutlet(cast("Any", Handler(None))).write(b"first")
