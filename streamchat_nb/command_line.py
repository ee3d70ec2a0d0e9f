"""``jupyter streamchat``: a server with the chat page, questions from a terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamchat_nb._version import __version__
from streamchat_nb.client.client import Client
from streamchat_nb.client.discovery import (
    ServerAddress,
    find_server,
    read_connection_file,
)
from streamchat_nb.client.events import StateReplaced
from streamchat_nb.client.terminal_printer import TerminalPrinter
from streamchat_nb.errors import ConnectError, StreamchatError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence

__all__ = ["main"]

START_TIMEOUT_S = 60.0
LOG_FILE = "server.log"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["ask"]:
        return _ask_command(words[1:])
    if words[:1] == ["check"]:
        return _check_command(words[1:])
    if words[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"{__version__}\n")
        return 0
    from streamchat_nb.server.extension import StreamchatExtension  # noqa: PLC0415

    StreamchatExtension.load_other_extensions = False
    StreamchatExtension.launch_instance(words)
    return 0


def _ask_command(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jupyter streamchat ask",
        description="Ask the agent of a running server, or of one started for this.",
    )
    parser.add_argument("text", help="the question")
    parser.add_argument("--url", help="base address of a Jupyter server")
    parser.add_argument(
        "--conversation", help="id of a conversation to go on with (default: a new one)"
    )
    options = parser.parse_args(words)
    return _run(
        _ask(options.text, options.url, _token_for(options.url), options.conversation)
    )


def _check_command(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="jupyter streamchat check",
        description="Try the model's endpoint and the ways to a running server, or to "
        "one started for this. Costs the model about 100 tokens.",
    )
    parser.add_argument("--url", help="base address of a Jupyter server")
    options = parser.parse_args(words)
    return _run(_check(options.url, _token_for(options.url)))


def _token_for(url: str | None) -> str | None:
    """Return the token for an address; an option would show in lists of processes."""
    return os.environ.get("JUPYTER_TOKEN") if url else None


def _run(command: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(command)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the answer has enough; the interpreter must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except StreamchatError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1


async def _ask(
    text: str, url: str | None, token: str | None, conversation_id: str | None
) -> int:
    async with _server(url, token) as address, Client(address) as client:
        conversation = (
            client.conversation(conversation_id)
            if conversation_id
            else await client.create()
        )
        events = conversation.events()
        turn = await conversation.send(text)
        printer = TerminalPrinter(turn, sys.stdout, color=sys.stdout.isatty())
        try:
            async for event in events:
                if isinstance(event, StateReplaced):
                    printer.catch_up(event.state)
                else:
                    printer.show(event)
                if printer.ended is not None:
                    break
        except asyncio.CancelledError:
            with contextlib.suppress(StreamchatError):
                await asyncio.shield(conversation.cancel(turn))
            raise
    return 0 if printer.ended == "completed" else 1


async def _check(url: str | None, token: str | None) -> int:
    async with _server(url, token) as address:
        report = await Client(address).check()
    sys.stdout.write(f"{report}\n")
    return 0 if report.ok else 1


@contextlib.asynccontextmanager
async def _server(url: str | None, token: str | None) -> AsyncGenerator[ServerAddress]:
    """Yield a running server, or start one for the time of the block."""
    try:
        running = find_server(url, token)
    except ConnectError as error:
        if error.code != "server_not_found":
            raise
        running = None
    if running is not None:
        yield running
        return
    with tempfile.TemporaryDirectory(prefix="streamchat-") as directory:
        process = _start_server(Path(directory))
        try:
            yield await _address_of(process, Path(directory))
        finally:
            process.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(process.wait, 15)
            finally:
                process.kill()


def _start_server(directory: Path) -> subprocess.Popen[bytes]:
    """Start a server on a free port; the caller ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(directory)}
    with (directory / LOG_FILE).open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                sys.executable,
                "-m",
                "streamchat_nb.command_line",
                "--no-browser",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                "--ServerApp.allow_root=True",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


async def _address_of(
    process: subprocess.Popen[bytes], directory: Path
) -> ServerAddress:
    """Wait until a server that was started in a directory says where it is.

    Raises:
        ConnectError: Not within 60 s; the message has its last words.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        address = _address_in(directory)
        if address is not None:
            return address
        await asyncio.sleep(0.05)
    last = _last_words(directory)
    raise ConnectError(f"A server could not be started. Its last words: {last}")


def _address_in(directory: Path) -> ServerAddress | None:
    for path in directory.glob("streamchat_nb-*.json"):
        address = read_connection_file(path)
        if address is not None:
            return address
    return None


def _last_words(directory: Path) -> str:
    return (directory / LOG_FILE).read_text(errors="replace")[-500:]


if __name__ == "__main__":
    raise SystemExit(main())
