"""Secrets that must be found nowhere but where they belong.

One session uses whatever can hold or write something: a server at DEBUG with a real
endpoint's credential, a notebook that is run and saved, its variables, its functions,
errors of both, a cassette, every export, the state of the widget. Then all that was
written is searched, as it is and encoded. A marker that was said in the chat has to be
found in all of it, so that the search is known to find.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import nbformat
from nbclient import NotebookClient

from streamchat_nb.testing.fake_endpoint import running_fake_endpoint
from tests.soak.outcome import Fault, Outcome
from tests.soak.raw_client import call, chat_token
from tests.soak.real_server import real_server

if TYPE_CHECKING:
    from tests.soak.real_server import RealServer

__all__ = ["FAULT"]

CASSETTE = "recordings/chat.jsonl"
NOTEBOOK_S = 120
POLL_S = 0.1
ROOT = Path(__file__).parents[2]
JWT = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")
OF_JUPYTER = ("runtime", "kernel.json")
"""What Jupyter and the connection file keep for themselves, mode 0600."""

CELLS = (
    """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import pandas
from streamchat_nb import Chat

password = {password!r}
settings = {{"api_key": {password!r}, "host": "example.org"}}
frame = pandas.DataFrame({{"city": ["Rome"], "people": [2.8]}})
chat = Chat()

@chat.tool
def cities() -> pandas.DataFrame:
    '''List cities.'''
    return frame

@chat.tool
def fails() -> str:
    '''Fail.'''
    return frame["nothing"]

print('in', chat.conversation)
chat
""",
    """
for text in (
    "Remember {marker}.",
    "Who is Ada?",
    "call cities",
    "call fails",
    "call list_variables",
    'call describe_variable {{"name": "password"}}',
    'call describe_variable {{"name": "settings"}}',
    'call preview_data_frame {{"name": "frame"}}',
    'call run_python {{"code": "1 / 0"}}',
    "/fault 401",
    "/fault 500",
    "/fault cut",
):
    chat.ask(text, timeout_s=60)
""",
    """
from streamchat_nb import Chat
try:
    Chat("no/such conversation").messages
except Exception as error:
    print(type(error), error)
import json
print(json.dumps(chat.get_state(), default=repr))
for form in ("md", "html", "ipynb", "json", "txt"):
    chat.export(form, "exported." + form)
chat.messages
""",
)


def run(count: int, seed: int) -> Outcome:
    """Play ``count`` sessions and search what they leave."""
    del seed  # secrets are not to be the same on each run
    violations: list[str] = []
    sinks = searched_bytes = 0
    for _ in range(count):
        left = asyncio.run(_play())
        violations += left.violations()
        sinks = len(left.texts)
        searched_bytes += sum(map(len, left.texts.values()))
    return Outcome(
        fault=FAULT.name,
        count=count,
        violations=violations,
        figures={
            "secrets": str(len(_NAMES)),
            "places": str(sinks),
            "searched": f"{searched_bytes / 1e6:.1f} MB",
            "found": str(sum("holds" in each for each in violations)),
        },
    )


_NAMES = (
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "DATABASE_URL",
    "a variable",
    "the server's token",
    "a chat token",
)


class _Left:
    """What a session left.

    Attributes:
        marker: What was said, and is to be found.
        secrets: What is not, by name.
        texts: What was written, by place.
    """

    def __init__(self) -> None:
        self.marker = f"marker-{secrets.token_hex(8)}"
        self.secrets = {name: f"canary-{secrets.token_hex(16)}" for name in _NAMES}
        self.secrets["ANTHROPIC_API_KEY"] = f"sk-ant-{secrets.token_hex(20)}"
        self.texts: dict[str, bytes] = {}

    def violations(self) -> list[str]:
        """Return where a secret is, and where the marker is not."""
        found: list[str] = []
        for place, text in self.texts.items():
            found += [
                f"{place} holds {name}"
                for name, secret in self.secrets.items()
                if any(form in text for form in _forms(secret))
            ]
            if JWT.search(text):
                found.append(f"{place} holds a token")
            if place in MARKED and self.marker.encode() not in text:
                found.append(f"{place} was not searched: it lacks the marker")
        found += [f"there is no {place}" for place in MARKED - self.texts.keys()]
        return found


MARKED = {
    "cassette",
    "exported.html",
    "exported.ipynb",
    "exported.json",
    "exported.md",
    "exported.txt",
    "notebook",
    "state",
    "store",
}


def _forms(secret: str) -> list[bytes]:
    """Return how a secret may be written."""
    data = secret.encode()
    encoded = [base64.b64encode(b"x" * shift + data) for shift in range(3)]
    return [data, data.hex().encode(), quote(secret).encode()] + [
        # Without what its neighbours have a part in.
        part[4:-4].rstrip(b"=")
        for part in encoded
    ]


async def _play() -> _Left:
    left = _Left()
    environment = {name: left.secrets[name] for name in _NAMES if name.isupper()}
    with (
        running_fake_endpoint() as url,
        real_server(
            environment={**environment, "CI": ""},
            arguments=["--debug"],
            model="offline-demo-online",
            base_url=url,
            cassette=CASSETTE,
        ) as server,
    ):
        left.secrets["the server's token"] = server.address.token
        left.secrets["a chat token"] = await chat_token(server.address)
        notebook, conversation = await _run_notebook(server, left, environment)
        _, answer = await call(server.address, "GET", f"conversations/{conversation}")
        left.texts["state"] = json.dumps(answer).encode()
        left.texts["notebook"] = json.dumps(notebook).encode()
        server.process.stop()
        home = server.process.home
        for path in home.rglob("*"):
            if path.is_file() and not set(path.parts) & {*OF_JUPYTER}:
                place = PLACES.get(path.name, path.name)
                left.texts[place] = left.texts.get(place, b"") + path.read_bytes()
    return left


PLACES = {
    "chats.sqlite3": "store",
    "chats.sqlite3-wal": "store",
    "chat.jsonl": "cassette",
    "server.log": "server's log",
    "kernel.log": "kernel's log",
}


async def _run_notebook(
    server: RealServer, left: _Left, environment: dict[str, str]
) -> tuple[Any, str]:
    """Run the notebook as a program does; return it and its conversation."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": cell.format(password=left.secrets["a variable"], **vars(left)),
        }
        for number, cell in enumerate(CELLS)
    ]
    content: dict[str, Any] = {
        "cells": cells,
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    notebook = cast("Any", nbformat).reads(json.dumps(content), as_version=4)
    approving = asyncio.create_task(_approve_all(server))
    with (server.process.home / "kernel.log").open("wb") as log:
        try:
            await NotebookClient(
                notebook,
                timeout=NOTEBOOK_S,
                kernel_name="python3",
                resources={"metadata": {"path": str(server.process.work)}},
            ).async_execute(
                env={
                    **os.environ,
                    **environment,
                    "STREAMCHAT_NB_CONNECTION": str(server.process.connection_file),
                    "PYTHONPATH": str(ROOT),
                },
                stdout=log,
                stderr=log,
            )
        finally:
            approving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await approving
    # The cell that makes the secret has it in its source, as the user wrote it.
    notebook.cells[0].source = ""
    printed = str(notebook.cells[0].outputs)
    found = re.search(r"\bin (c_[0-9a-f]+)", printed)
    assert found is not None, printed
    return notebook, found[1]


async def _approve_all(server: RealServer) -> None:
    """Agree to whatever asks, as a person at another seat, until cancelled."""
    while True:
        _, listed = await call(server.address, "GET", "conversations")
        for conversation in listed["conversations"]:
            path = f"conversations/{conversation['id']}"
            _, answer = await call(server.address, "GET", path)
            for asked in answer["state"].get("tool_calls", []):
                approval = asked.get("approval")
                if approval and not approval.get("decision"):
                    await call(
                        server.address,
                        "POST",
                        f"{path}/approvals/{approval['approval']}",
                        {"decision": "approved"},
                    )
        await asyncio.sleep(POLL_S)


FAULT = Fault(name="canaries", in_ci=1, in_soak=3, run=run)
