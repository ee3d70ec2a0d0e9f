"""A front end of a kernel that speaks the messages of the relay, as a browser does."""

from __future__ import annotations

import json
import os
import queue
import time
import uuid
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

WAIT_S = 90.0


class Kernel:
    """A kernel of its own, whose widget messages are seen.

    Args:
        environment: More environment variables.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STREAMCHAT_", "JPY_", "JUPYTER"))
        }
        self.manager, client = start_new_kernel(
            kernel_name="python3",
            env={**inherited, **environment},
            startup_timeout=60,
        )
        self.client: BlockingKernelClient = client
        self.printed = ""
        self.comms: list[str] = []
        """Ids of the widgets that were made, oldest first."""
        self.traffic: list[str] = []
        """Every message of a widget as text, of both directions."""
        self._listeners: list[Callable[[dict[str, Any]], None]] = []

    def run(self, code: str, *, wait: bool = True) -> str:
        """Run a cell and return what it printed."""
        self.printed = ""
        request = self.client.execute(code)
        if not wait:
            return ""
        self.pump(lambda message: is_idle_after(message, request))
        reply = self.client.get_shell_msg(timeout=WAIT_S)
        while reply["parent_header"].get("msg_id") != request:
            reply = self.client.get_shell_msg(timeout=WAIT_S)
        assert reply["content"]["status"] == "ok", self.printed
        return self.printed.strip()

    def pump(
        self, until: Callable[[dict[str, Any]], bool], *, timeout_s: float = WAIT_S
    ) -> None:
        """Take messages of the kernel until one of them is what is waited for."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            self._take(message)
            if until(message):
                return
        raise AssertionError(f"it did not come in {timeout_s} s; {self.printed}")

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Let somebody take the widgets' messages."""
        self._listeners.append(listener)

    def send(self, comm: str, content: dict[str, Any]) -> None:
        """Send a widget a message, as its front end does."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.traffic.append(json.dumps(content))
        self.client.shell_channel.send(message)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def _take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                self.printed += content["text"]
            case "error":
                self.printed += "\n".join(content["traceback"])
            case "comm_open":
                state = content["data"].get("state", {})
                if state.get("_esm") is not None:
                    self.comms.append(content["comm_id"])
                slim = {name: state[name] for name in state if name[0] != "_"}
                self.traffic.append(json.dumps(slim, default=str))
            case "comm_msg":
                self.traffic.append(json.dumps(content, default=str))
                for listener in self._listeners:
                    listener(content)
            case _:
                pass


def is_idle_after(message: dict[str, Any], request: str) -> bool:
    """Whether a message says that the kernel is done with a request."""
    return (
        message["msg_type"] == "status"
        and message["content"]["execution_state"] == "idle"
        and message["parent_header"].get("msg_id") == request
    )


class RelayedBrowser:
    """One browser that has only the kernel.

    Args:
        kernel: The kernel.
        takes: Whether it says what it has taken.

    Attributes:
        frames: The frames that came, decoded.
        closed: How it ended, if it has: ``closed`` or ``failed``.
        answers: The parts of answers to requests, by request.
        takes: Whether it says what it has taken.
        n: The number of the last message that came.
    """

    def __init__(self, kernel: Kernel, *, takes: bool = True) -> None:
        self.id = f"r_{uuid.uuid4().hex[:12]}"
        self.client_id = f"w_{uuid.uuid4().hex[:12]}"
        self.frames: list[dict[str, Any]] = []
        self.characters = 0
        self.beats = 0
        self.closed: dict[str, Any] | None = None
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._kernel = kernel
        self._comm = kernel.comms[-1]
        self.takes = takes
        self.n = 0
        self._command = 0
        kernel.listen(self._take)
        self.tell(type="open")

    def tell(self, **body: Any) -> None:
        """Say something of the channel to the kernel."""
        message = {"relay": self.id, **body, "channel": "relay"}
        self._kernel.send(self._comm, message)

    def command(self, type_: str, **fields: Any) -> int:
        """Send a command of the protocol; returns its id."""
        self._command += 1
        frame = {"type": type_, "id": self._command, **fields}
        self.tell(type="frame", data=json.dumps(frame))
        return self._command

    def connect(self, conversation: str) -> None:
        """Subscribe and wait until it is live."""
        self.subscribe(conversation)
        self.wait(lambda: self.of("live"))

    def subscribe(self, conversation: str) -> None:
        """Authenticate without a token and subscribe."""
        self.wait(lambda: self.of("hello"))
        client = {"id": self.client_id, "name": "test", "kind": "widget"}
        self.command("authenticate", token="", client=client)
        self.wait(lambda: self.of("authenticated"))
        self.command("subscribe", conversation=conversation)

    def say(self, conversation: str, text: str) -> None:
        """Send a message."""
        self.command(
            "send",
            conversation=conversation,
            client_message_id=uuid.uuid4().hex,
            content=[{"type": "text", "text": text}],
        )

    def of(self, type_: str) -> list[dict[str, Any]]:
        """The frames of one type."""
        return [frame for frame in self.frames if frame["type"] == type_]

    def wait(self, until: Callable[[], object], *, timeout_s: float = WAIT_S) -> None:
        """Take messages until something is so."""
        if not until():
            self._kernel.pump(lambda _: bool(until()), timeout_s=timeout_s)

    def request(self, method: str, path: str, parts: tuple[str, ...] = ()) -> str:
        """Let the kernel make a request; returns its id."""
        request = f"q_{uuid.uuid4().hex[:12]}"
        head = {"method": method, "path": path, "parts": len(parts)}
        message = {"type": "request", "request": request, **head, "channel": "relay"}
        self._kernel.send(self._comm, message)
        for data in parts:
            part = {"type": "part", "request": request, "data": data}
            self._kernel.send(self._comm, {**part, "channel": "relay"})
        return request

    def _take(self, content: dict[str, Any]) -> None:
        message = content["data"].get("content", {})
        if content["comm_id"] != self._comm or message.get("channel") != "relay":
            return
        if "request" in message:
            self.answers.setdefault(message["request"], []).append(message)
        elif message.get("relay") == self.id and self.closed is None:
            self._take_own(message)

    def _take_own(self, message: dict[str, Any]) -> None:
        if message["n"] == 0:
            self.closed = message  # it had ended before
            return
        self.n += 1
        assert message["n"] == self.n, "a message of the relay was lost"
        match message["type"]:
            case "frames":
                self.characters += sum(map(len, message["frames"]))
                self.frames += [json.loads(frame) for frame in message["frames"]]
                if self.takes:
                    self.tell(type="taken", n=self.n)
            case "alive":
                self.beats += 1
            case _:
                self.closed = message
