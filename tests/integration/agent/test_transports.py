"""What goes over the wire: connections kept, closed, proxied and trusted."""

from __future__ import annotations

import asyncio
import gc
import shutil
import ssl
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx2
import pytest

from streamchat_nb.agent.anthropic_model import AnthropicModel
from streamchat_nb.agent.model import ModelEvent, ModelMessageStop, ModelRequest
from streamchat_nb.agent.offline_rules import Reply
from streamchat_nb.agent.offline_stream import reply_frames
from streamchat_nb.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

ASK = ModelRequest(messages=[{"role": "user", "content": "Hi"}])
ANSWER = [data for _, data in reply_frames(Reply(text="Hello there."), {}, pace_s=0.0)]

Transport = httpx2.AsyncBaseTransport | None


@pytest.fixture(params=["direct", "sdk"])
def new_transport(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Transport]:
    for scheme in ("http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)
    return (lambda: None) if request.param == "direct" else httpx2.AsyncHTTPTransport


class Server:
    """An HTTP server of few words: answers each request alike, over raw sockets.

    Args:
        hold: Send the first half of the answer and wait for the peer to go.
    """

    def __init__(self, *, hold: bool = False) -> None:
        self.hold = hold
        self.heads: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{port}"
        finally:
            server.close()
            if self.connections:
                await asyncio.wait_for(self.gone.wait(), 5)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        (length,) = [
            int(line.partition(b":")[2])
            for line in head.lower().splitlines()
            if line.startswith(b"content-length:")
        ]
        await reader.readexactly(length)
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"set-cookie: a=b\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        frames = ANSWER[: len(ANSWER) // 2] if self.hold else ANSWER
        for frame in frames:
            writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        await writer.drain()
        if self.hold:
            await reader.read(1)
            return False
        writer.write(b"0\r\n\r\n")
        return True


async def ask(model: AnthropicModel) -> list[ModelEvent]:
    return [event async for event in model.stream(ASK)]


def test_transport_keeps_its_connection(
    new_transport: Callable[[], Transport],
) -> None:
    async def run() -> None:
        server = Server()
        async with server.running() as url:
            model = AnthropicModel("m", base_url=url, transport=new_transport())
            first = await ask(model)
            assert isinstance(first[-1], ModelMessageStop)
            for _ in range(3):
                assert await ask(model) == first
            assert server.connections == 1
            await model.close()

    asyncio.run(run())


def test_transport_repeats_no_header_and_reads_no_netrc(
    new_transport: Callable[[], Transport],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    async def run() -> list[bytes]:
        server = Server()
        async with server.running() as url:
            model = AnthropicModel(
                "m", base_url=url, api_key="mine", transport=new_transport()
            )
            await ask(model)
            await ask(model)
            await model.close()
        return server.heads

    for head in asyncio.run(run()):
        lines = head.lower().splitlines()
        assert [line for line in lines if line.startswith(b"authorization")] == [
            b"authorization: bearer mine"
        ]
        assert len([line for line in lines if line.startswith(b"cookie")]) <= 1
        assert len([line for line in lines if line.startswith(b"host:")]) == 1
        assert len([line for line in lines if line.startswith(b"content-length:")]) == 1


@pytest.mark.parametrize("how", ["cancel", "aclose"])
def test_transport_closes_the_connection_of_an_abandoned_answer(
    new_transport: Callable[[], Transport], how: str
) -> None:
    async def run() -> None:
        server = Server(hold=True)
        async with server.running() as url:
            model = AnthropicModel("m", base_url=url, transport=new_transport())
            stream = cast("AsyncGenerator[ModelEvent]", model.stream(ASK))
            await anext(stream)
            if how == "aclose":
                await stream.aclose()
            else:
                reading = asyncio.create_task(_read_on(stream))
                await asyncio.sleep(0.05)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
            await asyncio.wait_for(server.gone.wait(), 2)
            await model.close()

    asyncio.run(run())


async def _read_on(stream: AsyncGenerator[ModelEvent]) -> None:
    async for _ in stream:
        pass


def test_transport_cancelled_request_closes_its_connection(
    new_transport: Callable[[], Transport],
) -> None:
    async def run() -> None:
        connected = asyncio.Event()
        gone = asyncio.Event()

        async def silent(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            connected.set()
            while await reader.read(65_536):
                pass
            gone.set()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        model = AnthropicModel("m", base_url=url, transport=new_transport())
        asking = asyncio.create_task(ask(model))
        await connected.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(gone.wait(), 2)
        await model.close()
        server.close()

    asyncio.run(run())


def test_default_transport_goes_through_a_proxy_of_the_environment(
    new_transport: Callable[[], Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    if new_transport() is not None:
        pytest.skip("a given transport decides for itself")

    async def run() -> bytes:
        proxy = Server()
        async with proxy.running() as url:
            monkeypatch.setenv("HTTP_PROXY", url)
            model = AnthropicModel("m", base_url="http://endpoint.invalid")
            assert isinstance((await ask(model))[-1], ModelMessageStop)
            await model.close()
        return proxy.heads[0]

    first_line = asyncio.run(run()).splitlines()[0]
    assert first_line == b"POST http://endpoint.invalid/v1/messages HTTP/1.1"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate of its own for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(path), "-out", str(path.with_suffix(".crt"))),
        ],
        check=True,
        capture_output=True,
    )
    return path


@pytest.mark.parametrize("trusted", [True, False])
def test_transport_checks_certificates(
    new_transport: Callable[[], Transport],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    public = certificate.with_suffix(".crt")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(public))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(public, certificate)

    async def run() -> list[ModelEvent]:
        async with Server().running(tls) as url:
            model = AnthropicModel("m", base_url=url, transport=new_transport())
            try:
                return await ask(model)
            finally:
                await model.close()

    if trusted:
        assert isinstance(asyncio.run(run())[-1], ModelMessageStop)
    else:
        with pytest.raises(ModelError, match="cannot be trusted"):
            asyncio.run(run())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("hold", [True, False])
def test_transport_leaks_no_descriptors(
    new_transport: Callable[[], Transport], *, hold: bool
) -> None:
    async def use() -> None:
        server = Server(hold=hold)
        async with server.running() as url:
            model = AnthropicModel("m", base_url=url, transport=new_transport())
            stream = cast("AsyncGenerator[ModelEvent]", model.stream(ASK))
            if hold:
                await anext(stream)
                await stream.aclose()
            else:
                await _read_on(stream)
            await model.close()

    def count() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    asyncio.run(use())
    before = count()
    for _ in range(8):
        asyncio.run(use())
    assert count() <= before
