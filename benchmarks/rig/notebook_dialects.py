"""How the notebook side is spoken to: jupyter-ai's chat, and a kernel with a widget.

Both have WebSockets of their own, so that no browser is needed to count what one gets.
"""

from __future__ import annotations

import http.client
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from benchmarks.rig.dialects import (
    PREPARE_TIMEOUT_S,
    Dialect,
    Heard,
    Seat,
    WebSocketDialect,
)

if TYPE_CHECKING:
    from benchmarks.rig.load import Load, Target

__all__ = [
    "FIRST_CELL",
    "LAST_WORDS",
    "NOTEBOOK_DIALECTS",
    "PERSONA",
    "JupyterAiDialect",
    "KernelDialect",
]

FIRST_CELL = "first_cell.py"
PERSONA = "pace_persona"
LAST_WORDS = "The end."
"""What is said, in a message of its own, once an answer is whole."""


class JupyterAiDialect(WebSocketDialect):
    """The socket of a chat of jupyter-ai, as its own panel uses it."""

    def __init__(self, target: Target, seat: Seat) -> None:
        super().__init__(target, seat)
        self._persona = ""

    @override
    def hear(self, message: bytes) -> Heard:
        said: dict[str, Any] = json.loads(message)
        match said.get("action"):
            case "connection" | "users":
                found = [name for name in said["users"] if PERSONA in name]
                self._persona = found[0] if found else self._persona
                return Heard.READY if self._persona else Heard.NOTHING
            case "message":
                is_last = said["message"].get("body") == LAST_WORDS
                return Heard.DONE if is_last else Heard.TOKENS
            case _:
                return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        self.say(
            type="client",
            action="send",
            id=str(uuid.uuid4()),
            body=text,
            metadata={"to_persona": self._persona},
        )


class KernelDialect(WebSocketDialect):
    """The socket of a kernel, as a notebook uses it; a question is a call in it.

    The notebook's first cell is a file in the folder of the server.
    """

    def __init__(self, target: Target, seat: Seat) -> None:
        super().__init__(target, seat)
        self._session = uuid.uuid4().hex
        self._cells: dict[str, Heard] = {}

    @override
    @staticmethod
    def prepare(target: Target, load: Load) -> list[Seat]:
        """Start a kernel for each client; its id takes the conversation's place."""
        headers = {"Authorization": f"token {target.token}"}
        seats: list[Seat] = []
        for number in range(load.clients):
            connection = http.client.HTTPConnection(
                "127.0.0.1", target.port, timeout=PREPARE_TIMEOUT_S
            )
            body = json.dumps({"name": "python3", "path": ""})
            connection.request("POST", "/api/kernels", body, headers)
            answer = json.loads(connection.getresponse().read())
            connection.close()
            seats.append(Seat(number=number, token="", conversation=answer["id"]))
        return seats

    @override
    def address(self) -> str:
        return f"/api/kernels/{self._seat.conversation}/channels"

    @override
    def opened(self) -> None:
        self._run(f"%run -i {FIRST_CELL}", Heard.READY)

    @override
    def hear(self, message: bytes) -> Heard:
        said: dict[str, Any] = json.loads(message)
        match said["header"]["msg_type"]:
            case "comm_msg":
                return Heard.TOKENS
            case "execute_reply":
                meaning = self._cells.get(said["parent_header"]["msg_id"])
                is_well = said["content"]["status"] == "ok"
                return (meaning or Heard.NOTHING) if is_well else Heard.FAILED
            case _:
                return Heard.NOTHING

    @override
    def ask(self, text: str) -> None:
        self._run(f"answer({text!r})", Heard.DONE)

    def _run(self, code: str, meaning: Heard) -> None:
        message = uuid.uuid4().hex
        self._cells[message] = meaning
        header = {
            "msg_id": message,
            "msg_type": "execute_request",
            "session": self._session,
            "username": "",
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False}
        self.say(
            channel="shell",
            header=header,
            parent_header={},
            metadata={},
            content=content,
            buffers=[],
        )


NOTEBOOK_DIALECTS: Final[dict[str, type[Dialect]]] = {
    "jupyter_ai": JupyterAiDialect,
    "kernel": KernelDialect,
}
"""These dialects by name."""
