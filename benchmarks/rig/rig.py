r"""The rig: the fake API, contenders one beside the other, and loads on them.

    async with Rig(CONTENDERS, repeats=3) as rig:
        for contender in rig.contenders:
            async with rig.running(contender) as server:
                result = await rig.load(server, Load(clients=200))

A server runs on core 0, the fake API and the load clients on core 1; where that is
allowed, they go before all else that the machine does.

What a change to the product has brought is told by few contenders and one axis:

    python -m benchmarks --axis capacity --quick --repeats 3 \
        --contender streamchat_nb --contender "Tornado + SDK"
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from benchmarks.rig.contenders import JWT_SECRET, Contender, Place
from benchmarks.rig.load import Load, LoadResult, Target
from benchmarks.rig.processes import (
    LOAD_CORE,
    SERVER_CORE,
    PinnedProcess,
    busy_cores,
    cpu_seconds,
    go_first,
    pin,
    process_tree,
    raise_file_limit,
    resident_bytes,
)
from streamchat_nb.testing.server_process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

__all__ = ["Rig", "RigError", "Server"]

START_TIMEOUT_S = 120.0
LOAD_MARGIN_S = 30.0
LISTEN_POLL_S = 0.02
IDLE_TIMEOUT_S = 10.0
IDLE_WINDOW_S = 0.1
IDLE_SHARE = 0.2
FOREIGN_WINDOW_S = 0.3


class RigError(Exception):
    """Something of the rig did not start, or did not end in time; says what."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A contender that runs, or, for the bare upstream, the fake API.

    Attributes:
        contender: Which.
        port: Its port on 127.0.0.1.
        token: Jupyter's token, for servers that are one.
        process: Its process; ``None`` for the fake API.
        ready_after_s: Seconds from its start until it served.
    """

    contender: Contender
    port: int
    token: str = field(repr=False)
    process: PinnedProcess | None
    ready_after_s: float

    @property
    def pids(self) -> tuple[int, ...]:
        """Its processes; none for the fake API."""
        return () if self.process is None else process_tree(self.process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds it has used, to a hundredth."""
        return cpu_seconds(self.pids)

    def resident_bytes(self) -> int:
        """Return the memory it holds."""
        return resident_bytes(self.pids)


class Rig:
    """Starts the fake API, contenders and load clients; an async context manager.

    While it is entered, SIGTERM cancels the task that has entered it.

    Args:
        contenders: Those to measure. Which cannot be started here is left out, and
            told in ``missing``.
        repeats: How many values each axis shall have of each contender.

    Attributes:
        contenders: Those that could be started so far, in the order given.
        missing: Why the others could not, by their names.
        repeats: As given.
    """

    def __init__(self, contenders: Sequence[Contender], *, repeats: int = 3) -> None:
        reasons = {contender.name: contender.lacks() for contender in contenders}
        self.missing = {name: why for name, why in reasons.items() if why is not None}
        self.contenders = tuple(c for c in contenders if c.name not in self.missing)
        self.repeats = repeats
        self._api: PinnedProcess | None = None
        self._api_port = free_port()

    async def __aenter__(self) -> Self:
        raise_file_limit()
        task = asyncio.current_task()
        if task is not None:
            # By a signal alone the servers, in sessions of their own, would stay.
            with contextlib.suppress(RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGTERM, task.cancel
                )
        command = [
            *(sys.executable, "-m", "benchmarks.rig.messages_api"),
            *("--port", str(self._api_port)),
        ]
        api = PinnedProcess(command, core=LOAD_CORE)
        self._api = api.__enter__()
        try:
            await _until_served(api, self._api_port, None, "", "the fake API")
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    @property
    def api_url(self) -> str:
        """The fake Messages API, as a ``base_url``."""
        return f"http://127.0.0.1:{self._api_port}"

    @property
    def api_pid(self) -> int:
        """The process of the fake API.

        Raises:
            RigError: The rig is not entered.
        """
        if self._api is None:
            raise RigError("Enter the rig first: `async with Rig(...) as rig`.")
        return self._api.pid

    async def foreign_load(self) -> float:
        """Wait 0.3 s and return how many cores are busy; idle servers take none."""
        return await asyncio.to_thread(busy_cores, FOREIGN_WINDOW_S)

    @contextlib.asynccontextmanager
    async def running(self, contender: Contender) -> AsyncGenerator[Server]:
        """Start a contender in a new home, and end it.

        Raises:
            RigError: It did not serve within 120 s; the message has its output.
        """
        token = secrets.token_hex(16)
        if contender.launch is None:
            yield Server(
                contender=contender,
                port=self._api_port,
                token=token,
                process=None,
                ready_after_s=0.0,
            )
            return
        place = Place(
            port=free_port(),
            home=Path(tempfile.mkdtemp(prefix="streamchat-bench-")),
            api_url=self.api_url,
            token=token,
        )
        launch = contender.launch(place)
        environment = {
            "PORT": str(place.port),
            "ANTHROPIC_BASE_URL": place.api_url,
            "JWT_SECRET": JWT_SECRET,
            **launch.environment,
        }
        process = PinnedProcess(
            launch.command, core=SERVER_CORE, environment=environment, home=place.home
        )
        began = time.monotonic()
        with process:
            await _until_served(
                process, place.port, contender.ready_path, token, contender.name
            )
            yield Server(
                contender=contender,
                port=place.port,
                token=token,
                process=process,
                ready_after_s=time.monotonic() - began,
            )

    async def until_served(self, server: Server) -> None:
        """Wait until a contender that was started again serves.

        Raises:
            RigError: It did not within 60 s; the message has its output.
        """
        assert server.process is not None  # noqa: S101 - the API is not restarted
        await _until_served(
            server.process,
            server.port,
            server.contender.ready_path,
            server.token,
            server.contender.name,
        )

    @contextlib.asynccontextmanager
    async def all_running(
        self, contenders: Sequence[Contender] | None = None
    ) -> AsyncGenerator[list[Server]]:
        """Start contenders, all that there are if none are given, side by side.

        The idle ones take no noticeable part of the core from the one under load. Which
        does not start is left out, and told in ``missing``.
        """
        chosen = self.contenders if contenders is None else contenders
        async with contextlib.AsyncExitStack() as stack:
            servers: list[Server] = []
            for contender in chosen:
                try:
                    server = await stack.enter_async_context(self.running(contender))
                except (RigError, OSError) as error:
                    self.missing[contender.name] = str(error)
                else:
                    servers.append(server)
            yield servers

    def target(self, server: Server) -> Target:
        """Return what a client's process is told of a server."""
        return Target(
            dialect=server.contender.dialect,
            port=server.port,
            path=server.contender.path,
            token=server.token,
            jwt_secret=JWT_SECRET,
            server_pids=server.pids,
            api_pid=self.api_pid,
            api_port=self._api_port,
        )

    async def load(self, server: Server, load: Load) -> LoadResult:
        """Put a load on a server, by a client process of its own.

        Returns once the server is idle again, or after 10 s: what it has not caught up
        with shall not be in the way of what is measured next.

        Cancellation: the client is ended.

        Raises:
            RigError: The client failed or took too long; the message says why.
        """
        parts = (self.target(server), load)
        arguments = [msgspec.json.encode(part).decode() for part in parts]
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.rig.load_client", *arguments),
            cwd=Path(__file__).parent.parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        pin(client.pid, LOAD_CORE)
        go_first(client.pid)
        longest_s = load.deadline_s + load.warm_up_s + load.measured_s + LOAD_MARGIN_S
        try:
            async with asyncio.timeout(longest_s):
                output, errors = await client.communicate()
        except TimeoutError:
            raise RigError(f"The load client took over {longest_s:.0f} s.") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                client.kill()
            await client.wait()
        if client.returncode:
            said = errors.decode(errors="replace")[-2000:]
            raise RigError(f"The load client on {server.contender.name} failed: {said}")
        await _until_idle(server)
        return msgspec.json.decode(output, type=LoadResult)

    def _leave(self) -> None:
        with contextlib.suppress(RuntimeError, ValueError):
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        if self._api is not None:
            self._api.__exit__(None, None, None)
            self._api = None


async def _until_served(
    process: PinnedProcess, port: int, path: str | None, token: str, name: str
) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.is_running():
        if await _is_serving(port, path, token):
            return
        await asyncio.sleep(LISTEN_POLL_S)
    raise RigError(f"{name} did not start:\n{process.output}")


async def _until_idle(server: Server) -> None:
    deadline = time.monotonic() + IDLE_TIMEOUT_S
    used_s = server.cpu_seconds()
    while time.monotonic() < deadline:
        await asyncio.sleep(IDLE_WINDOW_S)
        before_s, used_s = used_s, server.cpu_seconds()
        if used_s - before_s <= IDLE_SHARE * IDLE_WINDOW_S:
            return


async def _is_serving(port: int, path: str | None, token: str) -> bool:
    """Return whether it listens and, with a path, answers 200 there."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        if path is None:
            return True
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: token {token}\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode())
        async with asyncio.timeout(START_TIMEOUT_S):
            status = await reader.readline()
    except (OSError, TimeoutError):
        return False
    else:
        return b" 200 " in status
    finally:
        writer.close()
