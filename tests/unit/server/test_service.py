from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from streamchat_nb.conversation.log import LogWriter
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.store import ConversationRecord, StoredEvent
from streamchat_nb.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreError,
    StreamchatError,
    TooLarge,
    Unavailable,
)
from streamchat_nb.protocol.codec import encode
from streamchat_nb.protocol.content import Author, ImageBlock, TextBlock, Usage
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    ConversationCreated,
    MessageCreated,
    ToolRequested,
    ToolStarted,
    TurnQueued,
    TurnStarted,
)
from streamchat_nb.protocol.limits import Limits
from streamchat_nb.server.service import Service
from streamchat_nb.server.settings import Settings
from streamchat_nb.tools.registry import ToolSet
from tests.unit.server.echo_service import (
    ADA,
    AGENT,
    EVE,
    EchoAgent,
    FullStore,
    ended,
    play,
    send,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from streamchat_nb.conversation.log import ConversationLog


class SlowToDelete(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    @override
    async def delete(self, conversation: str) -> bool:
        await self.go_on.wait()
        return await super().delete(conversation)


class FirstIsLate(MemoryStore):
    """Whose first reader of a record is given it when all others are done."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self._calls = 0

    @override
    async def get(self, conversation: str) -> ConversationRecord | None:
        self._calls += 1
        if self._calls == 1:
            await self.go_on.wait()
        return await super().get(conversation)


class HalfReadable(SqliteStore):
    @override
    async def read(
        self, conversation: str, after: int, **limits: int
    ) -> list[StoredEvent]:
        if conversation == "bad":
            raise StoreError("A page is damaged.", code="store_corrupt")
        return await super().read(conversation, after, **limits)


def test_message_is_answered_and_counted() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "hello")
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.stop_reason) == ("completed", "end_turn")
        assert turn.usage == Usage(input_tokens=3, output_tokens=4)
        assert turn.model == "echo-1"
        assert log.state.messages[0].author.name == "Ada"
        assert log.state.messages[-1].blocks[0].text == "You said hello"

    play(scenario)


def test_repeated_send_is_answered_once_whenever_it_comes() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        receipts = await asyncio.gather(
            *(send(service, log, "hello", id_="w") for _ in range(20))
        )
        assert len({(r.turn, r.message, r.seq) for r in receipts}) == 1
        assert [r.duplicate for r in receipts].count(False) == 1
        await ended(log, receipts[0].turn)
        later = await send(service, log, "hello", id_="w")
        assert later == replace(receipts[0], duplicate=True)
        with pytest.raises(Conflict) as caught:
            await send(service, log, "other", id_="w")
        assert caught.value.code == "idempotency_mismatch"
        assert len(agent.histories) == 1

    play(scenario)


def test_messages_wait_in_order_and_history_follows_the_turns() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait one")
        rest = [await send(service, log, f"text {n}") for n in range(3)]
        statuses = [turn.status for turn in log.state.turns]
        assert statuses == ["running", "queued", "queued", "queued"]
        agent.release.set()
        for receipt in [first, *rest]:
            assert (await ended(log, receipt.turn)).status == "completed"
        roles = [message["role"] for message in agent.histories[-1]]
        assert roles == ["user", "assistant"] * 3 + ["user"]
        assert agent.histories[-1][-1]["content"][-1]["text"] == "text 2"

    play(scenario)


def test_queue_is_bounded_and_reject_refuses() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        await send(service, log, "wait")
        await send(service, log, "a")
        await send(service, log, "b")
        with pytest.raises(RateLimited) as full:
            await send(service, log, "c")
        assert full.value.code == "queue_full"
        with pytest.raises(Conflict) as busy:
            await send(service, log, "d", if_active="reject")
        assert busy.value.code == "turn_active"
        head = log.head
        assert len([m for m in log.state.messages if m.role == "user"]) == 3
        assert log.head == head
        agent.release.set()

    play(scenario, limits=Limits(queued_turns=2))


def test_interrupt_cancels_the_running_turn_and_goes_on() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        first = await send(service, log, "wait")
        second = await send(service, log, "now", if_active="interrupt")
        assert (await ended(log, first.turn)).status == "cancelled"
        assert (await ended(log, second.turn)).status == "completed"

    play(scenario)


def test_turns_of_one_user_share_their_slots() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        logs = [await service.create(ADA) for _ in range(4)]
        receipts = [await send(service, log, "wait") for log in logs]
        states = [log.state.turns[0].status for log in logs]
        assert states == ["running", "running", "queued", "queued"]
        agent.release.set()
        for log, receipt in zip(logs, receipts, strict=True):
            assert (await ended(log, receipt.turn)).status == "completed"

    play(scenario, limits=Limits(running_turns_per_user=2))


@pytest.mark.parametrize("text", ["wait", "wait tool", "stubborn"])
def test_cancel_closes_all_that_was_open_exactly_once(text: str) -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, text)
        while not log.state.messages[-1].blocks or not log.state.messages[-1].turn:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        await service.cancel(ADA, log.id, receipt.turn)
        state = log.state
        assert state.turns[0].status == "cancelled"
        answer = state.messages[-1]
        assert (answer.status, answer.blocks[0].text) == ("partial", "You said ")
        assert [call.status for call in state.tool_calls] in ([], ["cancelled"])
        head = log.head
        assert await service.cancel(ADA, log.id, receipt.turn) == head
        await asyncio.sleep(0.1)
        assert log.head == head
        later = await send(service, log, "again")
        assert (await ended(log, later.turn)).status == "completed"

    play(scenario)


def test_agent_that_was_left_behind_adds_nothing_later() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, "deaf")
        while not log.state.messages[-1].blocks or not log.state.messages[-1].turn:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        await service.cancel(ADA, log.id, receipt.turn)
        head = log.head
        agent.release.set()
        while any(task.get_name().startswith("agent ") for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)
        await log.flushed()
        assert log.head == head

    play(scenario)


def test_cancel_of_a_waiting_turn_never_starts_it() -> None:
    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.create(ADA)
        await send(service, log, "wait")
        waiting = await send(service, log, "later")
        await service.cancel(ADA, log.id, waiting.turn)
        agent.release.set()
        last = await send(service, log, "last")
        await ended(log, last.turn)
        assert (await ended(log, waiting.turn)).status == "cancelled"
        assert len(agent.histories) == 2
        with pytest.raises(NotFound):
            await service.cancel(ADA, log.id, "t_none")

    play(scenario)


@pytest.mark.parametrize(
    ("text", "code"), [("crash", "agent_failed"), ("model", "model_overloaded")]
)
def test_failing_agent_ends_its_turn_with_what_was_said_kept(
    text: str, code: str
) -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        receipt = await send(service, log, text)
        turn = await ended(log, receipt.turn)
        assert (turn.status, turn.error.code) == ("failed", code)
        assert "secret" not in turn.error.message
        assert log.state.messages[-1].status == "partial"
        assert log.state.messages[-1].blocks[0].text == "You said "

    play(scenario)


def test_conversation_of_somebody_else_is_not_there() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        attempts: list[Callable[[], Coroutine[Any, Any, Any]]] = [
            lambda: service.open(EVE, log.id),
            lambda: service.rename(EVE, log.id, "x"),
            lambda: service.delete(EVE, log.id),
            lambda: service.cancel(EVE, log.id, "t"),
            lambda: service.send(
                EVE, log.id, client_message_id="w", content=[TextBlock(text="x")]
            ),
        ]
        messages: set[str] = set()
        for attempt in attempts:
            with pytest.raises(NotFound) as caught:
                await attempt()
            messages.add(caught.value.message)
        with pytest.raises(NotFound) as caught:
            await service.open(EVE, "c_none")
        assert messages == {caught.value.message}
        assert await service.conversations.page(EVE) == []
        assert len(await service.conversations.page(ADA)) == 1

    play(scenario)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ([], InvalidInput),
        ([TextBlock(text=" \n")], InvalidInput),
        ([TextBlock(text="x" * 70_000)], TooLarge),
        ([ImageBlock(artifact="a", media_type="image/png")], NotFound),
    ],
)
def test_unusable_content_is_refused_before_anything_is_written(
    content: Any, error: type[StreamchatError]
) -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        with pytest.raises(error):
            await service.send(ADA, log.id, client_message_id="w", content=content)
        assert log.head == 1

    play(scenario)


def test_deleted_conversation_is_gone_for_its_readers() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        await send(service, log, "wait")
        woken = asyncio.Event()
        log.watch(woken.set)
        await service.delete(ADA, log.id)
        assert woken.is_set()
        with pytest.raises(NotFound):
            await service.open(ADA, log.id)

    play(scenario)


def test_conversation_is_gone_from_the_moment_its_deletion_begins() -> None:
    store = SlowToDelete()

    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        deleting = asyncio.ensure_future(service.delete(ADA, log.id, forever=True))
        while log.closed is None:
            await asyncio.sleep(0)
        with pytest.raises(NotFound):
            await service.open(ADA, log.id)
        store.go_on.set()
        await deleting
        with pytest.raises(NotFound):
            await service.open(ADA, log.id)
        assert service.health().loaded_conversations == 0

    play(scenario, store=store)


def test_one_unreadable_conversation_keeps_no_other_from_being_used(
    tmp_path: Path,
) -> None:
    path = tmp_path / "conversations.sqlite3"

    async def before() -> None:
        store = SqliteStore(path)
        await store.open()
        writer = LogWriter(store)
        writer.start()
        for id_ in ("bad", "good"):
            record = ConversationRecord(
                id=id_, log=id_, owner="ada", title="", created_ms=1, updated_ms=1
            )
            log = await writer.create(record, ConversationCreated())
            await log.append(TurnQueued(turn="t", message="u"))
        await writer.stop()
        await store.close()

    async def scenario(service: Service, _: Any) -> None:
        log = await service.open(ADA, "good")
        assert [turn.status for turn in log.state.turns] == ["interrupted"]
        with pytest.raises(StoreError):
            await service.open(ADA, "bad")

    asyncio.run(before())
    play(scenario, store=HalfReadable(path))


def test_full_disk_accepts_nothing_and_recovers_by_itself() -> None:
    store = FullStore()

    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA)
        store.full = True
        with pytest.raises(StoreError, match="free some space"):
            await send(service, log, "hello", id_="w")
        assert service.health().status == "degraded"
        first = await _fill(service, log, store)
        with pytest.raises(Unavailable, match="free some space"):
            await send(service, log, "other")
        assert service.health().status == "degraded"
        store.full = False
        assert (await ended(log, first.turn)).status == "completed"
        again = await send(service, log, "hello", id_="w")
        assert again.duplicate is False
        assert (await ended(log, again.turn)).status == "completed"

    async def _fill(service: Service, log: ConversationLog, store: FullStore) -> Any:
        store.full = False
        receipt = await send(service, log, "wait for it")
        while not log.state.messages[-1].blocks:
            await asyncio.sleep(0.01)
        store.full = True
        agent = service.agent
        assert isinstance(agent, EchoAgent)
        agent.release.set()
        while not service._writer.is_retrying:
            await asyncio.sleep(0.01)
        return receipt

    play(scenario, store=store)


def test_turns_that_a_dead_server_left_open_end_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"

    async def before() -> None:
        store = SqliteStore(path)
        await store.open()
        writer = LogWriter(store)
        writer.start()
        record = ConversationRecord(
            id="c", log="L", owner="ada", title="", created_ms=1, updated_ms=1
        )
        log = await writer.create(record, ConversationCreated())
        user = Author(id="ada", name="Ada", kind="user")
        for number in "12":
            log.append(
                MessageCreated(
                    message=f"u{number}",
                    turn=f"t{number}",
                    role="user",
                    author=user,
                    client_message_id=f"w{number}",
                    content=[TextBlock(text="hi")],
                ),
                TurnQueued(turn=f"t{number}", message=f"u{number}"),
            )
        log.append(TurnStarted(turn="t1", message="u1", agent="echo"))
        log.append(
            MessageCreated(message="m", turn="t1", role="assistant", author=AGENT),
            BlockStarted(message="m", turn="t1", block="b0", kind="text"),
            BlockDelta(
                message="m", turn="t1", block="b0", kind="text", delta="You said "
            ),
            ToolRequested(
                message="m",
                turn="t1",
                block="b1",
                tool_call="tc",
                name="x",
                label="Using x…",
                input={},
            ),
        )
        await log.append(ToolStarted(turn="t1", tool_call="tc"))
        await writer.stop()
        await store.close()

    async def scenario(service: Service, agent: EchoAgent) -> None:
        log = await service.open(ADA, "c")
        assert [turn.status for turn in log.state.turns] == ["interrupted"] * 2
        answer = log.state.messages[2]
        assert (answer.status, answer.blocks[0].text) == ("partial", "You said ")
        assert log.state.tool_calls[0].status == "unknown"
        receipt = await send(service, log, "again")
        assert (await ended(log, receipt.turn)).status == "completed"
        results = [m for m in agent.histories[0] if m["role"] == "user"]
        assert results[-1]["content"][-1]["text"] == "again"

    asyncio.run(before())
    play(scenario, store=SqliteStore(path))


def test_stop_ends_turns_as_interrupted_and_refuses_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"

    async def first() -> str:
        agent = EchoAgent()
        service = Service(
            Settings(),
            store=SqliteStore(path),
            make_agent=lambda _: agent,
            make_tools=ToolSet,
        )
        await service.start()
        log = await service.create(ADA)
        await send(service, log, "wait")
        await send(service, log, "queued")
        await service.stop()
        with pytest.raises(StreamchatError):
            await send(service, log, "late")
        assert agent.closed
        return log.id

    known = asyncio.run(first())

    async def scenario(service: Service, _: Any) -> None:
        log = await service.open(ADA, known)
        assert [turn.status for turn in log.state.turns] == ["interrupted"] * 2

    play(scenario, store=SqliteStore(path))


def test_idle_conversations_are_unloaded_and_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamchat_nb.server.service.LOADED_CONVERSATIONS", 3)

    async def scenario(service: Service, _: Any) -> None:
        first = await service.create(ADA)
        await ended(first, (await send(service, first, "hello")).turn)
        await asyncio.sleep(0.01)
        for _number in range(5):
            await service.create(ADA)
        assert service.health().loaded_conversations == 6
        for turns in service._turns.values():
            turns.used_at -= 100
        await service.create(ADA)
        assert service.health().loaded_conversations == 3
        again = await service.open(ADA, first.id)
        assert again is not first
        assert encode(again.state) == encode(first.state)
        repeated = await send(service, again, "hello")
        assert repeated.duplicate

    play(scenario)


def test_conversation_is_loaded_once_also_for_who_was_late_to_ask() -> None:
    store = FirstIsLate()

    async def scenario(service: Service, _: Any) -> None:
        record = ConversationRecord(
            id="c", log="L", owner="ada", title="", created_ms=1, updated_ms=1
        )
        await LogWriter(store).create(record, ConversationCreated())
        late = asyncio.create_task(service.open(ADA, "c"))
        await asyncio.sleep(0)
        log = await service.open(ADA, "c")
        store.go_on.set()
        assert await late is log
        assert await service.open(ADA, "c") is log

    play(scenario, store=store)


def test_titles_are_checked_and_made_from_the_first_message() -> None:
    async def scenario(service: Service, _: Any) -> None:
        log = await service.create(ADA, title="  My \n chat ")
        assert log.state.title == "My chat"
        with pytest.raises(InvalidInput):
            await service.rename(ADA, log.id, "x" * 201)
        await service.rename(ADA, log.id, "Other")
        (hit,) = await service.conversations.page(ADA)
        assert hit.record.title == "Other"

    play(scenario)
