import asyncio
from pathlib import Path

import msgspec
from typing_extensions import override

from streamchat_nb.conversation.memory import (
    EVENT_OVERHEAD_BYTES,
    RECORD_OVERHEAD_BYTES,
    MemoryStore,
)
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.store import Append, Store
from streamchat_nb.testing.store_conformance import StoreConformance
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    record_of,
    refusal,
)


class TestMemoryStore(StoreConformance):
    @override
    def make_store(self, folder: Path) -> Store:
        return MemoryStore()


def test_memory_store_names_itself_and_has_no_notice() -> None:
    store = MemoryStore()
    assert store.location == "memory"
    assert store.notice is None


def test_memory_store_full_refuses_and_recovers_by_deletion() -> None:
    async def scenario() -> None:
        event_bytes = 24 + EVENT_OVERHEAD_BYTES
        store = MemoryStore(limit_bytes=2 * RECORD_OVERHEAD_BYTES + 5 * event_bytes)
        await store.open()
        await store.create(record_of("a", title=""), events_of(1, 2))
        await store.create(record_of("b", title=""), events_of(1, 2))
        await store.append([append_of("a", 3, 3)])
        for attempt in (
            store.append([append_of("b", 3, 3)]),
            store.create(record_of("c", title=""), []),
            store.append(
                [Append(conversation="a", events=[], updated_ms=0, title="T")]
            ),
        ):
            error = await refusal(attempt)
            assert error.code == "store_full"
            assert error.retryable
            assert "Delete" in error.message
        assert await store.get("c") is None
        assert await store.read("b", 0) == events_of(1, 2)
        # What needs no more room is still written.
        await store.append(
            [Append(conversation="a", events=[], updated_ms=7, open_turns=1)]
        )
        await store.delete("a")
        await store.append([append_of("b", 3, 5)])
        assert await store.read("b", 0) == events_of(1, 5)
        await store.delete("b")
        # Nothing is left of what was deleted: all the room is there again.
        room = store.limit_bytes - RECORD_OVERHEAD_BYTES - EVENT_OVERHEAD_BYTES
        await refusal(
            store.create(record_of("d", title=""), events_of(1, 1, size=room + 1))
        )
        await store.create(record_of("d", title=""), events_of(1, 1, size=room))
        await store.close()

    asyncio.run(scenario())


def test_memory_store_refused_batch_takes_no_room() -> None:
    async def scenario() -> None:
        store = MemoryStore(limit_bytes=2 * RECORD_OVERHEAD_BYTES)
        await store.open()
        await store.create(record_of("a", title=""), [])
        for _ in range(100):
            await refusal(store.append([append_of("a", 1, 5), append_of("a", 9, 9)]))
        await store.append([append_of("a", 1, 5)])
        await store.close()

    asyncio.run(scenario())


def test_memory_store_counts_texts_and_lets_them_go() -> None:
    async def scenario() -> None:
        text = MessageText("m1", 1, "x" * 1_000)
        store = MemoryStore(limit_bytes=2 * RECORD_OVERHEAD_BYTES + 6_000)
        await store.open()
        await store.create(record_of("a"), [])
        for seq in range(1, 9):  # each takes the place of the one before
            part = append_of("a", seq, seq)
            await store.append(
                [msgspec.structs.replace(part, texts=[text._replace(seq=seq)])]
            )
        more = append_of("a", 9, 9, texts=[text._replace(message="m2")])
        assert (await refusal(store.append([more]))).code == "store_full"
        assert await store.delete("a")
        await store.create(record_of("a"), [])
        await store.append([append_of("a", 1, 1, texts=[text])])

    asyncio.run(scenario())
