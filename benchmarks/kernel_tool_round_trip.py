"""How long does a call of a notebook's function take, there and back?

From the moment ``tool.started`` is in the log to the moment the agent gets the result,
by the server's monotonic clock: a real Jupyter server, a real kernel, ``@chat.tool`` on
a function that returns ``"done"``, and somebody else who follows the conversation.

Beside each batch of calls a bare Tornado WebSocket echoes a frame of a call's size,
from a process of its own and from a thread of the kernel. A client that is called more
than 20 times in 10 seconds paces itself; that limit is lifted here.

    python -m benchmarks.kernel_tool_round_trip --calls 200
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect
from typing_extensions import override

from streamchat_nb.agent.agent import Agent, AgentEvent, Turn
from streamchat_nb.agent.anthropic_agent import AnthropicAgent
from streamchat_nb.agent.model import Model, ModelEvent, ModelRequest
from streamchat_nb.client.client import connect
from streamchat_nb.protocol.events import ToolCompleted, ToolStarted
from streamchat_nb.testing.scripted_model import script, tool_use
from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.manager import KernelManager

    from streamchat_nb.client.conversation import ClientConversation

ROOT = Path(__file__).parents[1]
BATCH = 20
"""Calls of one turn."""
FRAME = json.dumps({"type": "tool.call", "fill": "x" * 220})
LIMITS = {"frames_per_window": 1_000_000}
PATIENCE_S = 120.0
SETTLE_S = 0.3

SET_UP = """
import threading, time
from benchmarks.kernel_tool_round_trip import serve_echo
from streamchat_nb import Chat

chat = Chat(notebook_tools=False)

@chat.tool
def on_main_thread() -> str:
    '''Do nothing.'''
    return "done"

@chat.tool(thread=True)
def beside() -> str:
    '''Do nothing.'''
    return "done"

print(chat.conversation)
threading.Thread(target=serve_echo, daemon=True).start()
"""
SLEEP = "while time.monotonic() < until: time.sleep(0.5)"
LOOP = "while time.monotonic() < until: sum(number**2 for number in range(1000))"

SITUATIONS: tuple[tuple[str, str, str, float], ...] = (
    ("idle kernel, on the main thread", "on_main_thread", "", 5.0),
    ("idle kernel, thread=True", "beside", "", 5.0),
    ("time.sleep, thread=True", "beside", SLEEP, 5.0),
    ("pure-Python loop, thread=True", "beside", LOOP, 30.0),
)
"""In words, the function that is called, the cell that runs, the goal for p50 in ms."""


# --- in the server ---------------------------------------------------------------


class TimedAgent(Agent):
    """Calls the function that a message names, and answers with what it measured."""

    name = "timed"

    def __init__(self) -> None:
        self._latencies_ms: list[float] = []
        self._agent = AnthropicAgent(_Caller(self._latencies_ms))

    @override
    async def run(self, turn: Turn) -> "AsyncIterator[AgentEvent]":
        began = 0.0
        self._latencies_ms.clear()
        async for event in self._agent.run(turn):
            if isinstance(event, ToolCompleted):
                self._latencies_ms.append((time.perf_counter() - began) * 1_000)
            yield event
            if isinstance(event, ToolStarted):  # and now it is in the log
                began = time.perf_counter()


class _Caller(Model):
    """Calls one tool again and again, one call for each step."""

    name = "caller"

    def __init__(self, latencies_ms: list[float]) -> None:
        self._latencies_ms = latencies_ms

    @override
    async def stream(self, request: ModelRequest) -> "AsyncIterator[ModelEvent]":
        done = len(self._latencies_ms)
        tool = _first_text(request.messages[-1 - 2 * done])
        if done < BATCH:
            content = tool_use(tool, id_=f"toolu_{len(request.messages)}")
        else:
            content = json.dumps(self._latencies_ms)
        for event in script(content):
            yield event


def _first_text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


# --- the bare echo ---------------------------------------------------------------


class _Echo(WebSocketHandler):
    @override
    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)

    @override
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


def serve_echo() -> None:
    """Print a port of 127.0.0.1 and echo there until the process ends."""

    async def serve() -> None:
        (socket,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/", _Echo)]))
        server.add_socket(socket)
        print(socket.getsockname()[1], flush=True)  # noqa: T201 - told to who started it
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _echoes_ms(port: int, count: int) -> list[float]:
    latencies_ms: list[float] = []
    connection = await websocket_connect(f"ws://127.0.0.1:{port}/")
    for _ in range(count):
        began = time.perf_counter()
        await connection.write_message(FRAME)
        await connection.read_message()
        latencies_ms.append((time.perf_counter() - began) * 1_000)
    connection.close()
    return latencies_ms


# --- the two beside it -----------------------------------------------------------


class _Kernel:
    """A kernel that lends the functions to a conversation."""

    def __init__(
        self, manager: "KernelManager", client: "BlockingKernelClient"
    ) -> None:
        self._manager = manager
        self._client = client
        self.conversation, port = self._run(SET_UP).split()
        self.echo_port = int(port)

    def _run(self, code: str) -> str:
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text") or "".join(content.get("traceback", "")))

        reply = self._client.execute_interactive(
            code, timeout=PATIENCE_S, output_hook=take
        )
        text = "".join(printed)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(text)
        while len(text.split()) < 2:  # noqa: PLR2004 - the thread prints the port
            message = self._client.get_iopub_msg(timeout=PATIENCE_S)
            text += message["content"].get("text", "")
        return text

    @contextlib.contextmanager
    def busy_with(self, cell: str) -> "Generator[None]":
        """Let a cell run for the time of the block."""
        if not cell:
            yield
            return
        self._client.execute(f"until = time.monotonic() + {PATIENCE_S}\n{cell}")
        time.sleep(SETTLE_S)
        try:
            yield
        finally:
            self._manager.interrupt_kernel()
            time.sleep(SETTLE_S)


@contextlib.contextmanager
def _running_kernel(server: ServerProcess) -> "Generator[_Kernel]":
    from jupyter_client.manager import start_new_kernel  # noqa: PLC0415 - heavy

    environment = {
        **os.environ,
        "STREAMCHAT_NB_CONNECTION": str(server.connection_file),
        "PYTHONPATH": str(ROOT),
    }
    manager, client = start_new_kernel(kernel_name="python3", env=environment)
    try:
        yield _Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def _echo_process() -> "Generator[int]":
    command = [sys.executable, "-m", __spec__.name, "--serve-echo"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101 - for the type checker
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


# --- measuring -------------------------------------------------------------------


async def _measure(
    server: ServerProcess, kernel: _Kernel, echo_port: int, calls: int
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    async with connect(server.address.url, server.address.token) as client:
        conversation = client.conversation(kernel.conversation)
        for situation, tool, cell, goal_ms in SITUATIONS:
            calls_ms: list[float] = []
            echoes_ms: list[float] = []
            kernel_echoes_ms: list[float] = []
            with kernel.busy_with(cell):
                await _calls_ms(conversation, tool)  # not counted
                while len(calls_ms) < calls:
                    echoes_ms += await _echoes_ms(echo_port, BATCH)
                    kernel_echoes_ms += await _echoes_ms(kernel.echo_port, BATCH)
                    calls_ms += await _calls_ms(conversation, tool)
            figures = _percentiles(calls_ms)
            bare, beside = _percentiles(echoes_ms), _percentiles(kernel_echoes_ms)
            results.append(
                {
                    "situation": situation,
                    "calls": len(calls_ms),
                    **figures,
                    "goal_p50_ms": goal_ms,
                    "reached": figures["p50_ms"] < goal_ms,
                    "echo": bare,
                    "ratio_to_echo": round(figures["p50_ms"] / bare["p50_ms"], 1),
                    "echo_in_kernel": beside,
                    "ratio_to_echo_in_kernel": round(
                        figures["p50_ms"] / beside["p50_ms"], 1
                    ),
                }
            )
    return results


async def _calls_ms(conversation: "ClientConversation", tool: str) -> list[float]:
    async with asyncio.timeout(PATIENCE_S):
        answer = await conversation.ask(tool)
    failed = [call for call in answer.tool_calls if call.output != "done"]
    if failed or answer.status != "completed":
        raise RuntimeError(f"{answer.status}: {answer.error} {failed}")
    return json.loads(answer.text)


def _percentiles(latencies_ms: list[float]) -> dict[str, float]:
    percentiles = quantiles(latencies_ms, n=100)
    return {f"p{n}_ms": round(percentiles[n - 1], 2) for n in (50, 90, 99)}


def main() -> None:
    """Measure as the command line says and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200, help="for each situation")
    parser.add_argument("--serve-echo", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_echo:
        serve_echo()
        return
    options = [
        "--StreamchatExtension.agent=benchmarks.kernel_tool_round_trip:TimedAgent",
        f"--StreamchatExtension.limits={LIMITS}",
    ]
    with (
        ServerProcess(options, environment={"PYTHONPATH": str(ROOT)}) as server,
        _running_kernel(server) as kernel,
        _echo_process() as echo_port,
    ):
        results = asyncio.run(_measure(server, kernel, echo_port, arguments.calls))
    json.dump(
        {
            "benchmark": "kernel_tool_round_trip",
            "python": platform.python_version(),
            "machine": platform.platform(),
            "processors": os.cpu_count(),
            "load_average": os.getloadavg(),
            "results": results,
        },
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()
