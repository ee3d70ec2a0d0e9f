"""Clients that were written elsewhere, with nothing of ours in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from websockets import Subprotocol
from websockets.sync.client import connect

from streamchat_nb.testing.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

FRONTEND = Path(__file__).parents[3] / "frontend"
QUESTION = "Who is Ada?"
WAIT_S = 60.0

Frame = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(["--StreamchatExtension.offline_pace_s=0.005"]) as process:
        yield process


def ask(server: ServerProcess, method: str, path: str) -> Any:
    headers = {"Authorization": f"token {server.address.token}"}
    data = b"{}" if method == "POST" else None
    url = server.address.api + path
    request = Request(url, data, headers, method=method)  # noqa: S310
    with urlopen(request, timeout=WAIT_S) as response:  # noqa: S310
        return json.load(response)


def new_conversation(server: ServerProcess) -> tuple[str, str]:
    """The id and the log of a conversation without messages."""
    made = ask(server, "POST", "conversations")
    return made["id"], made["log"]


def story(events: list[Frame]) -> list[Frame]:
    """What happened, without the pieces that a log merges at the end of a turn.

    No event may be missing: each names the one before.
    """
    for before, event in pairwise(events):
        assert event["prev"] == before["seq"]
    pieces = ("block.delta", "turn.status", "tool.progress")
    whole = [event for event in events if event["type"] not in pieces]
    return [{**event, "prev": None} for event in whole]


def log_after(server: ServerProcess, id_: str, log: str, event: Frame) -> list[Frame]:
    """The story that the log tells after an event, up to the end of its turn."""
    path = f"conversations/{id_}/events?since={log}:{event['seq']}"
    told = story(ask(server, "GET", path)["events"])
    ends = [event["type"] for event in told].index("turn.finished")
    return told[: ends + 1]


def curl(server: ServerProcess, path: str, *options: str) -> list[str]:
    """The command that streams a path."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not on PATH")
    return [
        *(program, "--no-buffer", "--silent", "--show-error", "--fail"),
        *("--max-time", str(WAIT_S)),
        *("--header", f"Authorization: token {server.address.token}"),
        *("--header", "Accept: text/event-stream"),
        *options,
        server.address.api + path,
    ]


def read_until_end(command: list[str]) -> tuple[list[str], list[Frame]]:
    """The ids and the events of a stream, up to the end of the turn."""
    ids: list[str] = []
    events: list[Frame] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "id":
                ids.append(value)
            elif field == "data" and "prev" in (data := json.loads(value)):
                events.append(data)
                if data["type"] == "turn.finished":
                    break
        process.terminate()
    return ids, events


def test_curl_sends_and_reads_the_answer_and_reads_on(server: ServerProcess) -> None:
    id_, log = new_conversation(server)
    body = ("--data", json.dumps({"text": QUESTION}))
    sent = curl(server, f"conversations/{id_}/messages", *body)
    ids, events = read_until_end(sent)
    assert story(events[1:]) == log_after(server, id_, log, events[0])
    assert events[0]["type"] == "message.created"
    assert ids[-1] == f"{log}:{events[-1]['seq']}"
    third = events[2]["seq"]
    cursor = ("--header", f"Last-Event-ID: {log}:{third}")
    _, resumed = read_until_end(curl(server, f"conversations/{id_}/events", *cursor))
    assert story(resumed) == story(events[3:])


def test_websockets_sends_and_resumes_by_cursor(server: ServerProcess) -> None:
    id_, log = new_conversation(server)
    with open_socket(server) as socket:
        subscribe(server, socket, id_, since=None)
        content = [{"type": "text", "text": QUESTION}]
        message = {"client_message_id": "m1", "content": content}
        say(socket, type="send", id=3, conversation=id_, **message)
        events = events_until_end(socket)
    assert story(events[1:]) == log_after(server, id_, log, events[0])
    with open_socket(server) as socket:
        since = {"log": log, "seq": events[2]["seq"]}
        subscribe(server, socket, id_, since=since)
        assert story(events_until_end(socket)) == story(events[3:])


def open_socket(server: ServerProcess) -> ClientConnection:
    url = server.address.api.replace("http", "ws", 1) + "ws"
    headers = {"Authorization": f"token {server.address.token}"}
    subprotocols = [Subprotocol("streamchat.v1")]
    return connect(url, subprotocols=subprotocols, additional_headers=headers)


def say(socket: ClientConnection, **command: Any) -> None:
    socket.send(json.dumps(command))


def hear(socket: ClientConnection, type_: str) -> Frame:
    while (frame := json.loads(socket.recv(WAIT_S)))["type"] != type_:
        assert frame["type"] != "error", frame
    return frame


def subscribe(
    server: ServerProcess, socket: ClientConnection, id_: str, *, since: Frame | None
) -> None:
    assert hear(socket, "hello")["protocol"] == "streamchat.v1"
    token = ask(server, "POST", "token")["token"]
    say(socket, type="authenticate", id=1, token=token)
    assert hear(socket, "authenticated")["re"] == 1
    say(socket, type="subscribe", id=2, conversation=id_, since=since)


def events_until_end(socket: ClientConnection) -> list[Frame]:
    events: list[Frame] = []
    while not events or events[-1]["type"] != "turn.finished":
        frame = json.loads(socket.recv(WAIT_S))
        assert frame["type"] != "error", frame
        if "prev" in frame:
            events.append(frame)
    return events


def run_node(server: ServerProcess, package: str, id_: str, log: str) -> Any:
    """What a client from npm prints."""
    node = shutil.which("node")
    if node is None or not (FRONTEND / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not here: run `npm ci` in frontend/")
    done = subprocess.run(
        [node, str(FRONTEND / "tests" / "foreign" / f"{package}.mjs")],
        env={
            "PATH": os.environ.get("PATH", ""),
            "API": server.address.api,
            "TOKEN": server.address.token or "",
            "CONVERSATION": id_,
            "LOG": log,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ws_of_npm_sends_and_resumes_by_cursor(server: ServerProcess) -> None:
    id_, log = new_conversation(server)
    told = run_node(server, "ws", id_, log)
    first = told["first"]
    assert story(first[1:]) == log_after(server, id_, log, first[0])
    assert story(told["resumed"]) == story(first[3:])


def test_eventsource_of_npm_reads_on_where_it_was_cut_off(
    server: ServerProcess,
) -> None:
    id_, log = new_conversation(server)
    told = run_node(server, "eventsource", id_, log)
    events = told["events"]
    assert story(events[1:]) == log_after(server, id_, log, events[0])
    first, second, *_ = told["cursors"]
    assert first is None
    assert second.startswith(f"{log}:")
