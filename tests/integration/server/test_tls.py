"""The same over TLS: Jupyter's own, with a certificate of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import connect

from streamchat_nb.client import exchange
from streamchat_nb.client.client import Client
from streamchat_nb.client.discovery import ServerAddress
from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.server.wire import token_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

WORDS = 3_000


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server that speaks TLS alone, and whom this process trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program to make a certificate with")
    key, public = tmp_path / "own.pem", tmp_path / "own.crt"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(public)),
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    exchange._tls_of.cache_clear()
    arguments = [
        "--StreamchatExtension.offline_pace_s=0",
        f"--ServerApp.certfile={public}",
        f"--ServerApp.keyfile={key}",
    ]
    with ServerProcess(arguments) as process:
        process.address = ServerAddress(
            url=process.address.url.replace("http", "https", 1),
            token=process.address.token,
        )
        yield process
    exchange._tls_of.cache_clear()


@contextmanager
def following(
    server: ServerProcess, token: str, conversation: str
) -> Generator[Connection]:
    """A socket with little room that follows a conversation, and does not read on."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.connect(("127.0.0.1", server.port))
    with connect(
        server.address.api.replace("http", "ws", 1) + "ws",
        sock=plain,
        ssl=ssl.create_default_context(),
        additional_headers={"Authorization": f"token {server.address.token}"},
        subprotocols=["streamchat.v1"],  # pyright: ignore[reportArgumentType]
        max_queue=1,
    ) as follower:
        for command in (
            {"type": "authenticate", "id": 1, "token": token},
            {"type": "subscribe", "id": 2, "conversation": conversation},
        ):
            follower.send(json.dumps(command))
        while json.loads(follower.recv(timeout=10))["type"] != "live":
            pass
        yield follower


def text_of(follower: Connection) -> str:
    """What is written until the end of a turn."""
    text = ""
    while (event := json.loads(follower.recv(timeout=20)))["type"] != "turn.finished":
        text += event.get("delta", "")
    return text


def test_answer_is_whole_also_at_a_reader_whose_socket_was_full(
    server: ServerProcess,
) -> None:
    async def scenario() -> None:
        async with Client(server.address) as client:
            conversation = await client.create()
            token = await token_of(server)
            with following(server, token, conversation.id) as follower:
                answer = await conversation.ask(f"/demo long {WORDS}")
                assert str(answer).count(" ") > WORDS // 2
                read = await asyncio.to_thread(text_of, follower)
            assert read == str(answer)

    asyncio.run(scenario())
