"""A kernel in which cells run, and what a notebook then shows below them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, cast

import nbformat
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient


class CellKernel:
    """A kernel that knows a server by its connection file, or knows none.

    Attributes:
        manager: Its manager.
        client: A client of it.
    """

    def __init__(self, connection_file: str | None, **variables: str) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("STREAMCHAT_", "JUPYTER", "JPY_"))
        }
        if connection_file is not None:
            environment["STREAMCHAT_NB_CONNECTION"] = connection_file
        self.manager, client = start_new_kernel(
            kernel_name="python3", env={**environment, **variables}, startup_timeout=60
        )
        self.client: BlockingKernelClient = client

    def run(
        self, code: str, during: Callable[[dict[str, Any]], None] | None = None
    ) -> Cell:
        """Run a cell to its end.

        Args:
            code: The cell.
            during: Called with each message of its output, as it comes.
        """
        cell = Cell()

        def take(message: dict[str, Any]) -> None:
            cell.take(message)
            if during is not None:
                during(message)

        cell.reply = self.client.execute_interactive(
            code, timeout=60, output_hook=take, allow_stdin=False
        )["content"]
        return cell

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


class Cell:
    """What came of a cell, and the outputs that a notebook keeps.

    Attributes:
        messages: All messages of its output, with the time in seconds.
        outputs: What is kept in the end, without what IPython says of changes.
        reply: The kernel's answer to the request.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.outputs: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {}
        self._by_id: dict[str, dict[str, Any]] = {}

    @property
    def printed(self) -> str:
        return "".join(o["text"] for o in self.outputs if "text" in o)

    @property
    def shown(self) -> list[dict[str, str]]:
        """The data of the outputs that have any."""
        return [output["data"] for output in self.outputs if "data" in output]

    @property
    def kept(self) -> list[Any]:
        """The outputs as a notebook's file has them."""
        return [
            cast("Any", nbformat).from_dict(
                {name: value for name, value in output.items() if name != "transient"}
            )
            for output in self.outputs
        ]

    @property
    def updates(self) -> list[str]:
        """The HTML that was shown meanwhile."""
        return [
            message["content"]["data"].get("text/html", "")
            for _, message in self.messages
            if message["msg_type"] == "update_display_data"
        ]

    @property
    def sent_bytes(self) -> int:
        """How large all data were that were shown."""
        return sum(
            len(value.encode())
            for _, message in self.messages
            for value in message["content"].get("data", {}).values()
            if isinstance(value, str)
        )

    def take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind not in ("display_data", "update_display_data", "stream", "error"):
            return
        identity = content.get("transient", {}).get("display_id")
        if kind == "update_display_data" and identity not in self._by_id:
            return  # of another cell
        self.messages.append((time.monotonic(), message))
        if kind == "update_display_data":
            self._by_id[identity]["data"] = content["data"]
            return
        output = {**content, "output_type": kind}
        if identity:
            self._by_id[identity] = output
        self.outputs.append(output)
