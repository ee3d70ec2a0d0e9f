from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.client import (
    AnswerStream,
    Client,
    ClientConversation,
    StateReplaced,
    SyncAnswerStream,
    SyncClient,
    SyncConversation,
    connect,
    connect_sync,
)
from streamchat_nb.errors import ConnectError, NotFound, UsageError
from streamchat_nb.protocol.events import BlockDelta, TurnFinished
from streamchat_nb.widget.chat import Chat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamchat_nb.protocol.events import Event, UnknownEvent
    from streamchat_nb.testing.server_process import ServerProcess

WAITING = "timeout_s"


@pytest.fixture
def client(server: ServerProcess) -> Iterator[SyncClient]:
    with connect_sync(server.address.url, server.address.token, name="test") as client:
        yield client


def public_names(type_: type) -> set[str]:
    own = {name for name in vars(type_) if not name.startswith("_")}
    made = set(inspect.signature(type_).parameters)
    return own - made


@pytest.mark.parametrize(
    ("one", "twin", "own"),
    [
        (Client, SyncClient, {"is_alive", "serve_on"}),
        (ClientConversation, SyncConversation, set[str]()),
        (AnswerStream, SyncAnswerStream, set[str]()),
    ],
)
def test_sync_face_has_the_same_methods(one: type, twin: type, own: set[str]) -> None:
    assert public_names(twin) - own == public_names(one)
    assert len(public_names(one)) >= 2
    for name in public_names(one):
        theirs, ours = vars(one)[name], vars(twin)[name]
        if isinstance(theirs, property):
            assert isinstance(ours, property), name
            continue
        expected = inspect.signature(theirs).parameters
        found = dict(inspect.signature(ours).parameters)
        if WAITING not in expected and WAITING in found:
            assert found.pop(WAITING).default is None
        assert list(found.values()) == list(expected.values()), name
        assert not inspect.iscoroutinefunction(ours), name


@pytest.mark.parametrize(
    ("one", "twin"), [(Client, SyncClient), (connect, connect_sync)]
)
def test_sync_face_is_made_with_the_same_arguments(one: type, twin: type) -> None:
    theirs = inspect.signature(one).parameters
    assert list(inspect.signature(twin).parameters.values()) == list(theirs.values())


def test_stream_and_events_are_ordinary_iterators(client: SyncClient) -> None:
    conversation = client.create("A title")
    assert client.transport == "websocket"
    assert "WebSocket" in client.transport_reason
    events = conversation.events(timeout_s=20)
    stream = conversation.stream("/demo long 40", timeout_s=20)
    with pytest.raises(UsageError, match="iterated"):
        _ = stream.answer
    pieces = list(stream)
    assert len(pieces) > 10
    assert "".join(pieces) == stream.answer.text
    assert stream.answer.turn == stream.turn
    seen: list[Event | UnknownEvent] = []
    for event in events:
        assert not isinstance(event, StateReplaced)
        seen.append(event)
        if isinstance(event, TurnFinished):
            break
    text = "".join(e.delta for e in seen if isinstance(e, BlockDelta))
    assert text == stream.answer.text
    again = conversation.events(since=None, timeout_s=0.2)
    with pytest.raises(ConnectError, match=r"within 0\.2 s"):
        next(again)


def test_wait_that_is_given_up_loses_no_event(client: SyncClient) -> None:
    conversation = client.create()
    conversation.current()
    events = conversation.events(timeout_s=0.002)
    turn = conversation.send("/demo slow 0.01")
    given_up = 0
    text = ""
    while True:
        try:
            event = next(events)
        except ConnectError:
            given_up += 1
            continue
        if isinstance(event, BlockDelta):
            text += event.delta
        if isinstance(event, TurnFinished):
            break
    assert given_up > 5
    assert text == conversation.answer(turn).text


def test_conversations_are_listed_renamed_and_deleted(client: SyncClient) -> None:
    one, two = client.create("Listed medlar"), client.create("Listed medlar")
    one.rename("Renamed medlar")
    found = client.conversations(search="medlar")
    assert {(c.id, c.title) for c in found} == {
        (one.id, "Renamed medlar"),
        (two.id, "Listed medlar"),
    }
    assert len(client.conversations(search="medlar", limit=1)) == 1
    one.current()
    one.delete()
    deadline = time.monotonic() + 10
    while one.failure is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(NotFound, match="deleted"):
        one.ask("hello")
    with pytest.raises(UsageError, match="limit"):
        client.conversations(limit=0)


def test_conversations_are_pinned_archived_restored_and_exported(
    client: SyncClient,
) -> None:
    one, two = client.create("Kept loquat"), client.create("Other")
    two.ask("Something about a loquat")
    (said, _) = sorted(
        client.conversations(search="LOQUAT"), key=lambda c: c.id != two.id
    )
    assert said.snippet[1] == "loquat"
    assert said.unread
    one.pin()
    two.archive()
    assert [c.id for c in client.conversations(search="loquat")] == [one.id, two.id]
    found = client.conversations(search="loquat", archived=False)
    assert [(c.id, c.pinned) for c in found] == [(one.id, True)]
    assert "about a loquat" in client.export(two.id)
    two.delete()
    assert [c.id for c in client.conversations(search="loquat")] == [one.id]
    (gone,) = client.conversations(search="loquat", deleted=True)
    assert gone.deleted_ms > 0
    client.restore(two.id).ask("Once more")
    two.delete(forever=True)
    with pytest.raises(NotFound):
        client.restore(two.id)


def test_everybody_who_follows_is_shown(
    client: SyncClient, server: ServerProcess
) -> None:
    conversation = client.create()
    conversation.current()
    address = server.address
    with connect_sync(address.url, address.token, name="visitor") as another:
        another.conversation(conversation.id).current()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if {p.name for p in conversation.participants} == {"test", "visitor"}:
                break
            time.sleep(0.02)
        else:
            pytest.fail(f"{conversation.participants}")
    while [p.name for p in conversation.participants] != ["test"]:
        assert time.monotonic() < deadline + 10
        time.sleep(0.02)


def test_waiting_messages_are_edited_removed_and_sent_now(client: SyncClient) -> None:
    conversation = client.create()
    running = conversation.send("/demo long 3000")
    first, second = conversation.send("first"), conversation.send("What is 6*7?")
    conversation.edit_queued(first, "What is 2+3?")
    conversation.send_now(second)
    conversation.cancel(running)
    assert (
        "42"
        in conversation.answer(conversation.finished(second, timeout_s=20).turn).text
    )
    conversation.finished(first, timeout_s=20)
    assert "5" in conversation.answer(first).text
    assert conversation.turn(running) is not None
    order = [turn.turn for turn in conversation.state.turns]
    assert order == [running, second, first]


def test_client_serves_many_threads(client: SyncClient) -> None:
    answers: list[str] = []

    def work() -> None:
        answers.append(client.create().ask("What is 6*7?", timeout_s=30).text)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert len(answers) == 4
    assert all("42" in answer for answer in answers)


def test_ask_that_takes_too_long_leaves_its_turn_alone(client: SyncClient) -> None:
    conversation = client.create()
    with pytest.raises(ConnectError, match=r"within 0\.5 s"):
        conversation.ask("/demo long 1000", timeout_s=0.5)
    turn = conversation.state.turns[-1].turn
    assert conversation.finished(turn, timeout_s=30).status == "completed"


SCRIPT = """
import sys
from streamchat_nb.client import connect_sync
with connect_sync(sys.argv[1], sys.argv[2]) as client:
    conversation = client.create()
    print(conversation.id, flush=True)
    stream = conversation.stream("/demo long 1500")
    print(next(stream), flush=True)
    conversation.ask("What is 6*7?")
"""


def test_interrupt_stops_waiting_and_leaves_the_turn_alone(
    client: SyncClient, server: ServerProcess
) -> None:
    address = server.address
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, address.url, address.token],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    conversation = client.conversation(process.stdout.readline().strip())
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert process.returncode in (-signal.SIGINT, 130, 1)
    conversation.current()
    turns = [turn.turn for turn in conversation.state.turns]
    ends = [conversation.finished(turn, timeout_s=30).status for turn in turns]
    assert ends[:1] == ["completed"]
    assert set(ends) == {"completed"}


def test_kernels_stop_button_ends_the_turn(
    client: SyncClient, server: ServerProcess
) -> None:
    address = server.address
    chat = Chat(url=address.url, token=address.token)
    seen = client.conversation(chat.conversation)
    events = seen.events(timeout_s=20)
    seen.current()

    def stop() -> None:
        for event in events:
            if isinstance(event, BlockDelta):
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=stop)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        chat.ask("/demo long 20000", timeout_s=30)
    watcher.join(10)
    turn = seen.state.turns[-1].turn
    assert seen.finished(turn, timeout_s=10).status == "cancelled"


def test_closed_client_says_so(server: ServerProcess) -> None:
    client = SyncClient(server.address)
    client.open()
    conversation = client.create()
    client.close()
    client.close()
    assert not client.is_alive
    with pytest.raises(ConnectError, match="does not run any more"):
        conversation.ask("hello")
