from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typing_extensions import override

from streamchat_nb.conversation import batch, delta_merge
from streamchat_nb.conversation.log import (
    STREAMS,
    UNFOLDED,
    ConversationLog,
    LogWriter,
)
from streamchat_nb.conversation.memory import MemoryStore
from streamchat_nb.conversation.state import ConversationState, Fold
from streamchat_nb.conversation.store import Append, ConversationRecord, StoredEvent
from streamchat_nb.conversation.tail import TAIL_EVENTS
from streamchat_nb.errors import StoreError
from streamchat_nb.protocol.codec import decode_event, encode
from streamchat_nb.protocol.content import Author, TextBlock
from streamchat_nb.protocol.events import (
    BlockDelta,
    BlockStarted,
    ConversationCreated,
    ConversationUpdated,
    Event,
    MessageCompleted,
    MessageCreated,
    ToolRequested,
    TurnFinished,
    TurnQueued,
    TurnStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

ADA = Author(id="ada", name="Ada", kind="user")
RECORD = ConversationRecord(
    id="c", log="L", owner="ada", title="", created_ms=1, updated_ms=1
)

OTHER = ConversationRecord(
    id="c2", log="L2", owner="a", title="", created_ms=1, updated_ms=1
)


class FailingStore(MemoryStore):
    """A store that fails while ``broken`` and counts its transactions.

    What is durable is forced to the disk once ``disk`` is set, unless ``disk_broken``.
    """

    broken = False
    disk_broken = False
    disk: asyncio.Event | None = None
    invalid = ""
    held: asyncio.Event | None = None
    transactions = 0

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        if self.held is not None:
            await self.held.wait()
        if self.broken:
            raise StoreError("The disk is full.", code="store_full")
        if any(part.conversation == self.invalid for part in batch):
            raise StoreError("It cannot be stored.", code="store_invalid")
        self.transactions += 1
        await super().append(batch)

    @override
    def append_now(self, batch: Sequence[Append]) -> bool:
        invalid = any(part.conversation == self.invalid for part in batch)
        if invalid or self.broken or self.held is not None:
            return False
        self.transactions += 1
        return super().append_now(batch)

    @override
    async def sync(self) -> None:
        if self.disk_broken:
            raise StoreError("The disk cannot be used now.")
        if self.disk is not None:
            await self.disk.wait()


def play(
    scenario: Callable[
        [FailingStore, LogWriter, ConversationLog], Coroutine[Any, Any, None]
    ],
) -> None:
    async def main() -> None:
        store = FailingStore()
        await store.open()
        writer = LogWriter(store, wall_clock_ms=lambda: 7)
        writer.start()
        log = await writer.create(RECORD, ConversationCreated(title="T"))
        try:
            async with asyncio.timeout(20):
                await scenario(store, writer, log)
        finally:
            store.broken = False
            await writer.stop()
            await store.close()

    asyncio.run(main())


def delta(text: str, block: str = "b0") -> BlockDelta:
    return BlockDelta(message="m", block=block, kind="text", delta=text, turn="t")


def opening() -> list[Event]:
    agent = Author(id="a", name="A", kind="agent")
    return [
        MessageCreated(message="m", role="assistant", author=agent, turn="t"),
        BlockStarted(message="m", block="b0", kind="text", turn="t"),
    ]


def test_numbers_are_contiguous_and_prev_is_the_one_before() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        first = log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        second = log.append(*opening())
        assert (await first, await second) == (2, 4)
        events = [decode_event(e.data) for e in await log.read(0)]
        assert [(e.seq, e.prev) for e in events] == [(1, 0), (2, 1), (3, 2), (4, 3)]
        assert {e.conversation for e in events} == {"c"}
        assert {e.ts for e in events} == {7}

    play(scenario)


def test_text_that_utf8_cannot_carry_is_mended_and_stops_nobody() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        log.append_delta(delta("half \ud83d, "))
        log.append_delta(delta("whole \ud83d\ude00"))
        await log.append(
            ToolRequested(
                message="m",
                block="b1",
                tool_call="tc",
                name="x",
                label="x",
                input={"na\udce9me": ["\udcff"]},
                turn="t",
            )
        )
        text = "half \N{REPLACEMENT CHARACTER}, whole \N{GRINNING FACE}"
        assert log.state.messages[0].blocks[0].text == text
        mark = "\N{REPLACEMENT CHARACTER}"
        assert log.state.tool_calls[0].input == {f"na{mark}me": [mark]}

    play(scenario)


def test_value_that_is_not_json_fails_its_author_only() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        wrong = ConversationUpdated(settings={"x": object()})
        with pytest.raises(TypeError):
            log.append(wrong)
        assert await log.append(*opening()) == 3

    play(scenario)


def test_nothing_is_seen_before_it_is_committed() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        store.held = asyncio.Event()
        woken: list[int] = []
        log.watch(lambda: woken.append(log.head))
        appended = log.append(*opening())
        await asyncio.sleep(0.05)
        assert (log.head, woken, appended.done()) == (1, [], False)
        assert await log.read(1) == []
        store.held.set()
        assert await appended == 3
        assert (log.head, woken) == (3, [3])

    play(scenario)


def test_deltas_that_wait_together_become_one_event() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        store.held = asyncio.Event()
        log.append_delta(delta("a"))
        await asyncio.sleep(0.05)
        for text in ("b", "c", "d"):
            log.append_delta(delta(text))
        log.append_delta(delta("x", block="b1"))
        log.append_delta(delta("e"))
        store.held.set()
        await log.flushed()
        events = [decode_event(e.data) for e in await log.read(3)]
        texts = [(e.block, e.delta) for e in events if isinstance(e, BlockDelta)]
        assert texts == [("b0", "a"), ("b0", "bcd"), ("b1", "x"), ("b0", "e")]
        assert log.state.messages[0].blocks[0].text == "abcde"

    play(scenario)


def test_a_delta_goes_out_alone_while_the_store_keeps_up() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        for text in "abc":
            log.append_delta(delta(text))
            await log.flushed()
        events = [decode_event(e.data) for e in await log.read(3)]
        assert [e.delta for e in events if isinstance(e, BlockDelta)] == ["a", "b", "c"]

    play(scenario)


def test_state_is_of_the_head_whoever_asks_and_how_seldom() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        started = BlockStarted(message="m", block="b1", kind="text", turn="t")
        await log.append(*opening(), started)
        fold = log.fold  # one that is kept knows all but the newest text
        said = {"b0": "", "b1": ""}
        for number in range(3 * UNFOLDED):
            block = "b1" if number % 7 == 0 else "b0"
            said[block] += f"{number} "
            log.append_delta(delta(f"{number} ", block))
            await log.flushed()
            assert fold.seq > log.head - UNFOLDED - 1
            if number % 50 == 0:
                assert log.state.seq == log.head
                assert {b.block: b.text for b in log.state.messages[0].blocks} == said
        await log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        assert fold.seq == log.head
        assert {b.block: b.text for b in log.state.messages[0].blocks} == said

    play(scenario)


def test_delta_that_comes_alone_is_kept_and_shown_before_the_loop_turns() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        woken: list[int] = []

        def wake() -> None:
            woken.append(log.head)
            if log.head == 4:  # an event that follows from the delta
                log.append_delta(delta("b"))

        log.watch(wake)
        await asyncio.sleep(0.05)
        log.append_delta(delta("a"))
        assert woken == [4]
        assert log.has_pending
        assert [event.seq for event in store._events["c"]] == [1, 2, 3, 4]
        await log.flushed()
        assert woken == [4, 5]
        assert log.state.messages[0].blocks[0].text == "ab"

    play(scenario)


def test_another_event_flushes_the_deltas_before_it() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        log.append_delta(delta("a"))
        await log.append(TurnFinished(turn="t", status="completed"))
        types = [type(decode_event(e.data)).__name__ for e in await log.read(3)]
        assert types == ["BlockDelta", "TurnFinished"]

    play(scenario)


def test_one_transaction_serves_many_logs() -> None:
    async def scenario(store: FailingStore, writer: LogWriter, _: Any) -> None:
        logs = [
            await writer.create(
                ConversationRecord(
                    id=f"c{n}", log="L", owner="a", title="", created_ms=1, updated_ms=1
                ),
                ConversationCreated(),
            )
            for n in range(20)
        ]
        store.transactions = 0
        status = TurnStatus(phase="thinking", label="a", turn="t")
        await asyncio.gather(*(log.append(status) for log in logs))
        assert store.transactions <= 2

    play(scenario)


def test_failing_store_refuses_what_may_be_refused_and_keeps_the_rest() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.broken = True
        kept = log.append(TurnStatus(phase="thinking", label="kept", turn="t"))
        refused = log.append(
            MessageCreated(
                message="m1", role="user", author=ADA, content=[TextBlock(text="hi")]
            ),
            rejectable=True,
        )
        with pytest.raises(StoreError, match="disk is full"):
            await refused
        assert writer.failure is not None
        assert not kept.done()
        store.broken = False
        assert await kept == 2
        assert writer.failure is None
        assert len(await log.read(1)) == 1

    play(scenario)


def test_loaded_log_equals_the_one_that_was_written() -> None:
    async def scenario(store: FailingStore, writer: LogWriter, log: Any) -> None:
        await log.append(*opening())
        for number in range(50):
            log.append_delta(delta(f"{number} "))
            await log.flushed()
        record = await store.get("c")
        assert record is not None
        loaded = await writer.load(record)
        assert encode(loaded.state) == encode(log.state)
        assert loaded.head == log.head == record.head

    play(scenario)


def answer(*texts: str) -> list[Event]:
    return [*opening(), *(delta(text) for text in texts)]


def ending(text: str) -> list[Event]:
    return [
        MessageCompleted(message="m", content=[TextBlock(text=text)], turn="t"),
        TurnFinished(turn="t", status="completed"),
    ]


def test_end_of_a_turn_drops_what_its_messages_repeat() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        await log.append(TurnQueued(turn="t", message="u"), *answer("a", "b", "c"))
        await log.append(delta("d"))
        assert [event.seq for event in await store.read("c", 0)] == list(range(1, 9))
        await log.append(*ending("abcd"))
        assert [event.seq for event in await store.read("c", 0)] == [1, 2, 3, 4, 9, 10]
        # Who follows it live reads it whole; and nothing is dropped twice.
        assert [event.seq for event in await log.read(0)] == list(range(1, 11))
        assert log._compaction.with_events([]) == []
        record = await store.get("c")
        assert record is not None
        assert (record.head, record.open_turns) == (10, 0)
        loaded = await writer.load(record)
        assert (loaded.head, encode(loaded.state)) == (10, encode(log.state))
        for after in range(11):
            read = [event.seq for event in await loaded.read(after)]
            assert read == [seq for seq in (1, 2, 3, 4, 9, 10) if seq > after]
            fold = Fold()
            for event in await loaded.stream(after):
                decoded = decode_event(event.data)
                assert decoded.prev == max(after, fold.seq)
                fold.apply(decoded)

    play(scenario)


def test_failed_commit_drops_nothing_and_the_next_one_does() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        await log.append(*answer("a", "b"))
        store.broken = True
        finished = log.append(*ending("ab"))
        refused = log.append(
            MessageCreated(message="u", role="user", author=ADA, content=[]),
            rejectable=True,
        )
        with pytest.raises(StoreError):
            await refused
        assert len(await store.read("c", 0)) == 5
        store.broken = False
        assert await finished == 7
        assert [event.seq for event in await store.read("c", 0)] == [1, 2, 3, 6, 7]

    play(scenario)


def test_turn_that_a_dead_server_left_open_is_dropped_from_as_well() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        await log.append(*answer("a", "b"))
        record = await store.get("c")
        assert record is not None
        loaded = await writer.load(record)
        await loaded.append(*ending("ab"))
        assert [event.seq for event in await store.read("c", 0)] == [1, 2, 3, 6, 7]

    play(scenario)


def test_reader_behind_the_tail_while_its_events_are_dropped_goes_on() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        await log.append(*opening())
        await log.append(*[delta("x")] * (TAIL_EVENTS + 10))
        head, after = log.head, 100
        # The batch is in the store and not shown yet, as between commit and wake-up.
        unseen = [StoredEvent(head + 1, b"{}")]
        await store.append(
            [Append(conversation="c", events=unseen, updated_ms=1, dropped=[(4, head)])]
        )
        fold = Fold()
        while events := await log.stream(after, limit_events=500):
            for event in events:
                decoded = decode_event(event.data)
                assert decoded.prev == after
                after = decoded.seq
                fold.apply(decoded)
        assert after == head

    play(scenario)


def test_open_turns_are_recorded_for_the_boot_sweep() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        await log.append(TurnQueued(turn="t", message="m"))
        assert await store.unfinished() == ["c"]
        await log.append(TurnFinished(turn="t", status="cancelled"))
        assert await store.unfinished() == []

    play(scenario)


def test_reader_behind_the_tail_reads_from_the_store() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        count = TAIL_EVENTS + 500
        for number in range(count):
            await log.append(TurnStatus(phase="thinking", label=str(number), turn="t"))
        cursor, seen = 0, 0
        fold = Fold()
        while events := await log.read(cursor, limit_events=100):
            for event in events:
                assert event.seq == cursor + 1
                cursor = event.seq
                seen += 1
                fold.apply(decode_event(event.data))
        assert seen == count + 1
        assert encode(fold.state) == encode(log.state)

    play(scenario)


def test_event_is_encoded_once_however_many_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[object] = []

    def counted(value: object) -> bytes:
        encoded.append(value)
        return encode(value)

    monkeypatch.setattr(batch, "encode", counted)
    monkeypatch.setattr(delta_merge, "encode", counted)

    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        encoded.clear()
        await log.append(*opening())
        for text in "abcd":
            log.append_delta(delta(text))
            await log.flushed()
        assert len(encoded) == 6
        # Half follow live, the others come back at the beginning: one merge.
        live = [await log.stream(6) for _ in range(50)]
        late = [await log.stream(1) for _ in range(50)]
        assert len(encoded) == 7
        assert all(events is live[0] for events in live)
        assert [event.seq for event in late[0]] == [2, 3, 7]
        await log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        assert [event.seq for event in await log.stream(1)] == [2, 3, 7, 8]
        assert await log.stream(8) == []

    play(scenario)


def test_reads_kept_for_others_are_bounded() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        status = TurnStatus(phase="thinking", label="x" * 200, turn="t")
        await log.append(*[status] * (3 * STREAMS))
        for after in range(3 * STREAMS):
            await log.stream(after)
        assert len(log._streams) == STREAMS
        await log.stream(0, limit_events=2_000, limit_bytes=1_048_576)
        assert len(log._streams) == STREAMS
        assert (0, 2_000, 1_048_576) not in log._streams

    play(scenario)


def test_read_stops_before_its_limits_but_always_gives_one() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        for _number in range(5):
            await log.append(TurnStatus(phase="thinking", label="x" * 100, turn="t"))
        assert len(await log.read(1, limit_events=3)) == 3
        assert len(await log.read(1, limit_bytes=10)) == 1
        assert len(await log.read(1, limit_bytes=500)) < 5

    play(scenario)


def test_snapshot_parts_together_are_the_state() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        for number in range(12):
            await log.append(
                MessageCreated(
                    message=f"m{number}",
                    role="user",
                    author=ADA,
                    content=[TextBlock(text="x" * 40_000)],
                )
            )
        snapshot = log.snapshot()
        parts = [msgspec.json.decode(p, type=ConversationState) for p in snapshot.parts]
        assert len(parts) > 2
        assert max(map(len, snapshot.parts)) < 256 * 1024
        joined = [message for part in parts for message in part.messages]
        assert encode(joined) == encode(log.state.messages)
        assert {part.seq for part in parts} == {log.head}
        assert log.snapshot() is snapshot

    play(scenario)


def test_closed_log_refuses_and_wakes_its_readers() -> None:
    async def scenario(_: Any, __: Any, log: ConversationLog) -> None:
        woken = asyncio.Event()
        log.watch(woken.set)
        log.close(StoreError("gone", code="conversation_deleted"))
        assert woken.is_set()
        with pytest.raises(StoreError, match="gone"):
            await log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        with pytest.raises(StoreError):
            await log.flushed()

    play(scenario)


def test_stop_waits_for_what_is_at_the_store() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.held = asyncio.Event()
        appended = log.append(*opening())
        await asyncio.sleep(0.01)
        assert not writer._grouping  # all of it is at the store
        assert not log.idle
        stopping = asyncio.ensure_future(writer.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        store.held.set()
        await stopping
        assert appended.result() == log.head == 3
        assert log.idle
        await writer.stop()

    play(scenario)


def test_stop_gives_up_in_time_and_leaves_nobody_waiting() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.held = asyncio.Event()
        status = TurnStatus(phase="thinking", label="a", turn="t")
        kept = log.append(status)
        refused = log.append(status, rejectable=True)
        await asyncio.sleep(0.01)
        later = log.append(status)
        started = asyncio.get_running_loop().time()
        await writer.stop(timeout_s=0.05)
        assert asyncio.get_running_loop().time() - started < 2
        with pytest.raises(StoreError, match="stopped before"):
            await refused
        assert not kept.done()
        log.close(StoreError("The server stops.", code="store_closed"))
        for appended in (kept, later):
            with pytest.raises(StoreError, match="The server stops"):
                await appended
        assert log.head == 1

    play(scenario)


def test_failed_batch_of_a_closed_log_is_not_tried_again() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.broken = True
        store.held = asyncio.Event()
        appended = log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        await asyncio.sleep(0.01)
        log.close(StoreError("gone", code="conversation_deleted"))
        store.held.set()
        with pytest.raises(StoreError, match="gone"):
            await appended
        await asyncio.sleep(0)
        assert not log.has_pending
        assert not writer.is_retrying

    play(scenario)


def test_value_that_the_store_cannot_keep_holds_up_its_log_only() -> None:
    async def scenario(store: FailingStore, writer: LogWriter, log: Any) -> None:
        other = await writer.create(OTHER, ConversationCreated())
        store.invalid = "c"
        status = TurnStatus(phase="thinking", label="a", turn="t")
        wrong, fine = log.append(status), other.append(status)
        assert await fine == 2
        with pytest.raises(StoreError, match="cannot be stored"):
            await wrong
        assert log.closed is not None
        assert writer.failure is None

    play(scenario)


def test_log_that_another_writer_took_over_is_closed_others_go_on() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        other = await writer.create(OTHER, ConversationCreated())
        record = await store.get("c")
        assert record is not None
        foreign = await writer.load(record)
        status = TurnStatus(phase="thinking", label="a", turn="t")
        await foreign.append(status)
        taken, fine = log.append(status), other.append(status)
        assert await fine == 2
        with pytest.raises(StoreError):
            await log.flushed()
        assert log.closed is not None
        assert taken.done()
        assert taken.exception() is not None

    play(scenario)


def question() -> MessageCreated:
    return MessageCreated(message="q", role="user", author=ADA, turn="t")


def test_durable_events_are_shown_and_then_forced_to_the_disk() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.disk = asyncio.Event()
        shown: list[int] = []
        committed = log.append(
            question(), durable=True, shown=lambda: shown.append(log.head)
        )
        await log.flushed()
        assert (shown, log.head) == ([2], 2)
        assert log.fold.message("q") is not None
        later = log.append(TurnStatus(phase="thinking", label="a", turn="t"))
        assert await later == 3
        done, _ = await asyncio.wait({committed}, timeout=0.05)
        assert not done
        store.disk.set()
        assert await committed == 2
        assert not writer.is_retrying

    play(scenario)


def test_disk_that_cannot_be_forced_is_tried_again_and_refuses_nothing() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.disk_broken = True
        committed = log.append(question(), durable=True, rejectable=True)
        done, _ = await asyncio.wait({committed}, timeout=0.3)
        assert not done
        assert writer.is_retrying
        assert writer.failure is not None
        store.disk_broken = False
        assert await committed == 2
        assert writer.failure is None

    play(scenario)


def test_writer_that_stops_first_says_that_it_is_not_forced() -> None:
    async def scenario(
        store: FailingStore, writer: LogWriter, log: ConversationLog
    ) -> None:
        store.disk = asyncio.Event()
        committed = log.append(question(), durable=True)
        await log.flushed()
        await writer.stop(timeout_s=0.05)
        with pytest.raises(StoreError, match="stopped before"):
            await committed

    play(scenario)


def test_refused_events_are_not_shown() -> None:
    async def scenario(store: FailingStore, _: Any, log: ConversationLog) -> None:
        store.broken = True
        shown: list[int] = []
        committed = log.append(
            question(),
            durable=True,
            rejectable=True,
            shown=lambda: shown.append(log.head),
        )
        with pytest.raises(StoreError, match="full"):
            await committed
        store.broken = False
        assert (shown, log.head) == ([], 1)

    play(scenario)
