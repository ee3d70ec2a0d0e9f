from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.direct_transport import DirectTransport, direct_transport
from streamchat_nb.agent.offline_model import OfflineModel


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_transport_is_left_to_the_sdk_where_a_proxy_is_set(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http", "https", "all"):
        for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(variable, raising=False)
    assert isinstance(direct_transport(), DirectTransport)
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert direct_transport() is None


@pytest.mark.parametrize(("proxy", "name"), [(None, "direct"), ("http://p", "sdk")])
def test_agent_says_which_transport_carries_its_requests(
    proxy: str | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    if proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)

    async def transport_of(model: AnthropicModel) -> str:
        agent = AnthropicAgent(model)
        assert agent.transport == ""
        await agent.warm()
        await agent.close()
        return agent.transport

    assert asyncio.run(transport_of(AnthropicModel("m", api_key="k"))) == name
    assert asyncio.run(transport_of(OfflineModel())) == ""


# --- connections that a server closes

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
END_S = 20.0


class ClosingServer:
    """Answers the first request of a connection, and promises to keep it.

    Args:
        end: Gets a connection after its first answer; it is closed when this returns.
        refuses: From this connection on, none is answered.
    """

    def __init__(self, end: End, *, refuses: int = 1000) -> None:
        self._end = end
        self._refuses = refuses
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = 0
        self.closing = asyncio.Event()

    async def all_closed(self) -> None:
        while self.closed < self.connections:
            self.closing.clear()
            await self.closing.wait()

    async def read(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        self.requests.append(await reader.readexactly(length))

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        number = self.connections
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await self.read(reader)
            if number < self._refuses:
                writer.write(ANSWER)
                await writer.drain()
                await self._end(self, reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.closed += 1
        self.closing.set()


End = Callable[
    [ClosingServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


async def at_once(
    _server: ClosingServer, _reader: asyncio.StreamReader, _: asyncio.StreamWriter
) -> None:
    """Close right after the answer."""


async def unread(
    _server: ClosingServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Close when the second request arrives, by a reset."""
    await reader.read(1)
    writer.transport.abort()


async def read(
    server: ClosingServer, reader: asyncio.StreamReader, _: asyncio.StreamWriter
) -> None:
    """Close when the second request was read."""
    await server.read(reader)


def answering(part: bytes) -> End:
    """Return an end that answers a part of the second request's answer."""

    async def end(
        server: ClosingServer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await server.read(reader)
        writer.write(part)
        await writer.drain()

    return end


async def ask(client: httpx2.AsyncClient, url: str, words: str) -> str:
    return (await client.post(url, content=words)).text


def play(
    server: ClosingServer,
    scenario: Callable[[httpx2.AsyncClient, str], Awaitable[None]],
) -> None:
    async def run() -> None:
        async with asyncio.timeout(END_S):
            listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
            host, port = listening.sockets[0].getsockname()
            transport = DirectTransport()
            async with listening, httpx2.AsyncClient(transport=transport) as client:
                await scenario(client, f"http://{host}:{port}/")
            await server.all_closed()

    asyncio.run(run())


def test_request_that_is_repeated_is_what_its_body_would_have_made_of_it() -> None:
    heads: list[bytes] = []
    over = asyncio.Event()

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                heads[-1] += await reader.readexactly(4)
                writer.write(ANSWER)
        writer.close()
        await writer.wait_closed()
        over.set()

    async def run() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = listening.sockets[0].getsockname()
        url = f"http://{host}:{port}/v1?a=b"
        headers = {"X-Key": "key"}
        transport = DirectTransport()
        async with listening:
            same = httpx2.Request("POST", url, headers=headers)
            other = httpx2.Request("POST", url, headers={"X-Key": "other"})
            for request, body in ((same, b"1234"), (same, b"5678"), (other, b"1234")):
                response = await transport.repeat(request, body)
                assert await response.aread() == b"ok"
                await response.aclose()
                whole = httpx2.Request(
                    "POST", url, headers=request.headers, content=body
                )
                response = await transport.handle_async_request(whole)
                await response.aread()
                await response.aclose()
            await transport.aclose()
            async with asyncio.timeout(END_S):
                await over.wait()

    asyncio.run(run())
    assert heads[0::2] == heads[1::2]
    assert [head[-4:] for head in heads[0::2]] == [b"1234", b"5678", b"1234"]
    assert b"other" in heads[-1]


@pytest.mark.parametrize("turns", [None, 0, 1, 2, 3, 5])
@pytest.mark.parametrize("end", [at_once, unread, read])
def test_request_on_a_connection_that_was_closed_is_sent_on_a_fresh_one(
    end: End, turns: int | None
) -> None:
    server = ClosingServer(end)

    async def scenario(client: httpx2.AsyncClient, url: str) -> None:
        for number in range(4):
            assert await ask(client, url, f"{number}") == "ok"
            if turns is None and end is at_once:
                await server.all_closed()
            for _ in range(turns or 0):
                await asyncio.sleep(0)

    play(server, scenario)
    answered = list(dict.fromkeys(server.requests))
    assert answered == [b"0", b"1", b"2", b"3"]
    # What went into a closing connection may have been read there as well.
    assert len(server.requests) <= 6


def test_failure_of_a_fresh_connection_is_an_error_at_once() -> None:
    server = ClosingServer(at_once, refuses=1)

    async def scenario(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(client, url, "a")

    play(server, scenario)
    assert server.requests == [b"a"]


def test_request_is_sent_once_more_and_not_twice() -> None:
    server = ClosingServer(read, refuses=2)

    async def scenario(client: httpx2.AsyncClient, url: str) -> None:
        assert await ask(client, url, "a") == "ok"
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(client, url, "b")

    play(server, scenario)
    assert server.requests == [b"a", b"b", b"b"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "part", [ANSWER[:1], ANSWER[:20], b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER[:-1]]
)
def test_request_that_a_byte_answered_is_not_sent_again(part: bytes) -> None:
    server = ClosingServer(answering(part))

    async def scenario(client: httpx2.AsyncClient, url: str) -> None:
        assert await ask(client, url, "a") == "ok"
        with pytest.raises(httpx2.RemoteProtocolError):
            await ask(client, url, "b")

    play(server, scenario)
    assert server.requests == [b"a", b"b"]


def test_silence_of_a_reused_connection_is_a_timeout_and_not_sent_again() -> None:
    async def never(
        server: ClosingServer, reader: asyncio.StreamReader, _: asyncio.StreamWriter
    ) -> None:
        await server.read(reader)
        await reader.read()

    server = ClosingServer(never)

    async def scenario(client: httpx2.AsyncClient, url: str) -> None:
        assert await ask(client, url, "a") == "ok"
        with pytest.raises(httpx2.ReadTimeout):
            await client.post(url, content="b", timeout=httpx2.Timeout(20, read=0.2))

    play(server, scenario)
    assert server.connections == 1
