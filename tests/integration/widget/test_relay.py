"""The kernel as the way to the server, over the messages of a real widget."""

from __future__ import annotations

import base64
import json
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from streamchat_nb.testing.server_process import ServerProcess
from tests.integration.widget.relayed_browser import Kernel, RelayedBrowser

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAT = "from streamchat_nb import Chat\nchat = Chat()\nprint(chat.conversation)"
WINDOW = 2_097_152
# Kernels start, and servers in them: on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def kernel(server: ServerProcess) -> Iterator[Kernel]:
    kernel = Kernel({"STREAMCHAT_NB_CONNECTION": str(server.connection_file)})
    try:
        yield kernel
    finally:
        kernel.stop()


def text_of(browser: RelayedBrowser) -> str:
    return "".join(frame.get("delta", "") for frame in browser.of("block.delta"))


def answer_of(browser: RelayedBrowser, request: str) -> tuple[int, bytes]:
    """Wait for an answer; returns its status and body."""

    def is_whole() -> bool:
        messages = browser.answers.get(request, [])
        return bool(messages) and len(messages) == 1 + messages[0].get("parts", 0)

    browser.wait(is_whole)
    head, *parts = browser.answers[request]
    assert [part["n"] for part in parts] == list(range(1, len(parts) + 1))
    return head["status"], b"".join(base64.b64decode(part["data"]) for part in parts)


def test_frames_pass_both_ways_and_no_secret_with_them(
    server: ServerProcess, kernel: Kernel
) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    browser.connect(conversation)
    browser.say(conversation, "Who is Ada?")
    browser.wait(lambda: browser.of("turn.finished"))
    assert "Ada" in text_of(browser)
    assert len(browser.of("ack")) == 1
    seqs = [frame["seq"] for frame in browser.frames if "prev" in frame]
    assert seqs == sorted(set(seqs))
    traffic = "\n".join(kernel.traffic)
    assert len(traffic) > 5_000
    assert server.address.token not in traffic
    assert "eyJ" not in traffic, "a token of the chat went over the widget's messages"


def test_answers_come_while_a_cell_keeps_the_main_thread(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    browser.connect(conversation)
    browser.say(conversation, "/demo long 60")
    browser.wait(lambda: browser.of("turn.started"))
    # A loop that never lets the event loop run, as a pure-Python computation does.
    busy = (
        "import time\nbegun = time.monotonic()\n"
        "while time.monotonic() < begun + 9: sum(range(1000))\nprint('free')"
    )
    kernel.run(busy, wait=False)
    begun = time.monotonic()
    browser.wait(lambda: browser.of("turn.finished"))
    assert time.monotonic() - begun < 8
    assert "free" not in kernel.printed
    # What is sent meanwhile waits, and the browser is told so.
    browser.command("ping")
    beats = browser.beats
    browser.wait(lambda: browser.beats > beats)
    waits = [json.loads(line) for line in kernel.traffic if '"alive"' in line]
    last = waits[-1]["data"]["content"]
    assert last["heard"] == browser._command - 1
    browser.wait(lambda: browser.of("pong"))


def test_reader_that_takes_nothing_does_not_make_the_kernel_grow(
    kernel: Kernel,
) -> None:
    conversation = kernel.run(CHAT)
    kernel.run(
        "from streamchat_nb.client import connect_sync\n"
        "with connect_sync() as client:\n"
        "    seat = client.conversation(chat.conversation)\n"
        "    for number in range(24):\n"
        "        turn = seat.send('x' * 60_000)\n"
        "        seat.finished(turn)\n"
    )
    slow = RelayedBrowser(kernel, takes=False)
    slow.subscribe(conversation)
    slow.wait(lambda: slow.characters > WINDOW)
    quick = RelayedBrowser(kernel)
    quick.connect(conversation)
    assert quick.characters > WINDOW + 262_144
    quick.say(conversation, "Who is Ada?")
    quick.wait(lambda: quick.of("turn.finished"))
    beats = slow.beats
    slow.wait(lambda: slow.beats > beats)
    assert slow.characters < WINDOW + 262_144
    assert slow.closed is None
    # As soon as it takes, it goes on.
    slow.takes = True
    slow.tell(type="taken", n=slow.n)
    slow.wait(lambda: slow.of("turn.finished"))


def test_restart_of_the_server_is_passed_on_and_over(kernel: Kernel) -> None:
    with ServerProcess(["--StreamchatExtension.drain_timeout_s=0"]) as server:
        address = f"url={server.address.url!r}, token={server.address.token!r}"
        conversation = kernel.run(CHAT.replace("Chat()", f"Chat({address})"))
        browser = RelayedBrowser(kernel)
        browser.connect(conversation)
        server.stop()
        browser.wait(lambda: browser.closed)
        assert browser.closed is not None
        assert (browser.closed["type"], browser.closed["code"]) == ("closed", 1012)
        assert browser.of("going_away")
        early = RelayedBrowser(kernel)
        early.wait(lambda: early.closed)
        assert early.closed is not None
        assert (early.closed["type"], early.closed["status"]) == ("failed", None)
        server.start()
        late = RelayedBrowser(kernel)
        late.connect(conversation)
        late.say(conversation, "Who is Ada?")
        late.wait(lambda: late.of("turn.finished"))


def test_reload_takes_the_place_of_what_was_there(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    first = RelayedBrowser(kernel)
    first.connect(conversation)
    second = RelayedBrowser(kernel)
    second.client_id = first.client_id
    second.connect(conversation)
    kernel.run("import time; time.sleep(0.3)")
    assert kernel.run("print(len(chat._relay._sockets))") == "1"
    second.tell(type="close")
    kernel.run("import time; time.sleep(0.3)")
    assert kernel.run("print(len(chat._relay._sockets))") == "0"
    # Whoever goes on with the old one is told.
    second.command("ping")
    second.wait(lambda: second.closed)


def test_sockets_are_bounded_and_leave_nothing_behind(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browsers: list[RelayedBrowser] = []
    for _ in range(9):
        browser = RelayedBrowser(kernel)
        browser.connect(conversation)
        browsers.append(browser)
    ended = [browser.closed for browser in browsers if browser.closed]
    assert [message["code"] for message in ended] == [4429]
    kernel.run("chat.close()")
    kernel.run("import time; time.sleep(0.5)")
    assert kernel.run("print(len(chat._relay._sockets))") == "0"


def test_only_listed_requests_are_made(server: ServerProcess, kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    status, body = answer_of(browser, browser.request("GET", "agents"))
    assert status == 200
    assert json.loads(body)["agents"][0]["offline"] is True
    picture = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
        "awAAAABJRU5ErkJggg=="
    )
    text = ("Ada wrote a note. " * 40_000).encode()
    for name, data in (("a.png", picture), ("note.txt", text)):
        cut = len(data) // 2
        parts = [base64.b64encode(one).decode() for one in (data[:cut], data[cut:])]
        path = f"conversations/{conversation}/artifacts"
        asked = browser.request("POST", f"{path}?name={name}", tuple(parts))
        status, body = answer_of(browser, asked)
        assert status == 201, body
        artifact = json.loads(body)["artifact"]
        asked = browser.request("GET", f"{path}/{artifact}")
        assert answer_of(browser, asked) == (200, data)
    script = browser.request("GET", "static/extras.js")
    shipped = files("streamchat_nb.widget") / "static" / "extras.js"
    assert answer_of(browser, script) == (200, shipped.read_bytes())
    change = base64.b64encode(b'{"title": "Ada"}').decode()
    asked = browser.request("PATCH", f"conversations/{conversation}", (change,))
    status, body = answer_of(browser, asked)
    assert (status, json.loads(body)["title"]) == (200, "Ada")
    refused: list[tuple[str, str]] = [
        ("POST", "token"),
        ("GET", "static/bundle.json"),
        ("GET", "static/../relay.py"),
        ("GET", "../../api/contents"),
        ("GET", "agents/../token"),
        ("GET", f"conversations/{conversation}/artifacts/../../../token"),
        ("GET", "http://example.org/agents"),
        ("PUT", f"conversations/{conversation}"),
        ("GET", f"conversations/{conversation}"),
    ]
    for method, path in refused:
        status, body = answer_of(browser, browser.request(method, path))
        assert (status, json.loads(body)["code"]) == (403, "forbidden"), path
    asked = browser.request("GET", f"conversations/{conversation}/artifacts/none")
    assert answer_of(browser, asked)[0] == 404
    assert server.address.token not in "\n".join(kernel.traffic)


def test_nonsense_is_dropped(kernel: Kernel) -> None:
    conversation = kernel.run(CHAT)
    browser = RelayedBrowser(kernel)
    nonsense: list[dict[str, Any]] = [
        {"relay": None},
        {"relay": 7, "type": "open"},
        {"relay": "../x", "type": "open"},
        {"type": "frame", "data": None},
        {"type": "taken", "n": "many"},
        {"type": "taken"},
        {"request": {}, "type": "request"},
        {"request": "q", "type": "request", "method": "POST", "path": None},
        {"request": "q", "type": "part", "data": "%"},
        {"type": ["open"]},
    ]
    for body in nonsense:
        browser.tell(**body)
    browser.tell(type="frame", data="no JSON")
    browser.wait(lambda: browser.closed)
    assert browser.closed is not None
    assert browser.closed["code"] == 4400
    other = RelayedBrowser(kernel)
    other.connect(conversation)
