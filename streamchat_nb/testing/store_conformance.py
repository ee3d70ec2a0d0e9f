"""What every store must do, as tests that any store can be put through.

::

    class TestMyStore(StoreConformance):
        persistent = True

        def make_store(self, folder):
            return MyStore(folder / "conversations")

pytest collects the subclass and runs each test in a folder and an event loop of its
own. Nothing here imports pytest.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from streamchat_nb.conversation.store import Append, Marks, Store, StoredEvent
from streamchat_nb.errors import Conflict, StoreError
from streamchat_nb.testing import (
    store_dropping,
    store_listing,
    store_reading,
    store_search,
)
from streamchat_nb.testing.store_listing import listed
from streamchat_nb.testing.store_model import StoreModel
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    read_all,
    record_of,
    refusal,
)

__all__ = ["StoreConformance"]

Scenario = Callable[[Store], Awaitable[None]]


class StoreConformance(ABC):
    """The tests. A subclass says how its store is made.

    Attributes:
        persistent: Whether a second store in the same folder finds what the first one
            was given before it was closed.
        deadline_s: How long one test may take.
    """

    persistent: ClassVar[bool] = False
    deadline_s: ClassVar[float] = 60.0

    @abstractmethod
    def make_store(self, folder: Path) -> Store:
        """Return a store that is not open, with its data in ``folder`` if anywhere."""

    def run(self, folder: Path, scenario: Scenario) -> None:
        """Run ``scenario`` with an open store, and close the store."""

        async def with_store() -> None:
            store = self.make_store(folder)
            await store.open()
            try:
                async with asyncio.timeout(self.deadline_s):
                    await scenario(store)
            finally:
                await store.close()

        asyncio.run(with_store())

    # Records and events

    def test_empty_store_knows_nothing(self, tmp_path: Path) -> None:
        """Questions about what is not there have plain answers."""

        async def scenario(store: Store) -> None:
            assert await store.get("nobody") is None
            assert await store.read("nobody", 0) == []
            assert await store.list("ada") == []
            assert await store.unfinished() == []
            assert not await store.delete("nobody")
            assert store.location
            await store.append([])

        self.run(tmp_path, scenario)

    def test_create_keeps_record_and_events(self, tmp_path: Path) -> None:
        """What was created is read back exactly; the head follows from the events."""

        async def scenario(store: Store) -> None:
            record = record_of(
                "a", title="Über 🐍 שלום", owner="ünï", created_ms=1, updated_ms=2**45
            )
            await store.create(replace(record, open_turns=2), events_of(1, 3))
            await store.create(record_of("b"), [])
            assert await store.get("a") == replace(record, head=3, open_turns=2)
            assert await store.get("b") == record_of("b")
            assert await store.read("a", 0) == events_of(1, 3)
            assert await store.read("b", 0) == []

        self.run(tmp_path, scenario)

    def test_create_existing_id_conflicts(self, tmp_path: Path) -> None:
        """A second conversation with the same id changes nothing."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), events_of(1, 2))
            try:
                await store.create(record_of("a", title="Other"), events_of(1, 5))
            except Conflict:
                pass
            else:
                raise AssertionError("it was created twice")
            assert await store.get("a") == record_of("a", head=2)
            assert await store.read("a", 0) == events_of(1, 2)

        self.run(tmp_path, scenario)

    def test_create_with_wrong_numbers_is_refused(self, tmp_path: Path) -> None:
        """A log begins at 1 and has no gap."""

        async def scenario(store: Store) -> None:
            for events in (events_of(0, 1), events_of(2, 3), _with_gap()):
                error = await refusal(store.create(record_of("a"), events))
                assert error.code == "store_conflict"
                assert not error.retryable
            assert await store.get("a") is None
            assert await store.list("ada") == []

        self.run(tmp_path, scenario)

    def test_append_changes_record_and_events(self, tmp_path: Path) -> None:
        """An append is readable when it returns, in every way of reading."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), events_of(1, 1))
            for seq in range(2, 60):
                part = append_of("a", seq, seq, updated_ms=seq, open_turns=seq)
                await store.append([part])
                expected = record_of("a", head=seq, updated_ms=seq, open_turns=seq)
                assert await store.get("a") == expected
                assert await store.list("ada") == [expected]
                assert await store.read("a", seq - 1) == events_of(seq, seq)
            assert await store.read("a", 0) == events_of(1, 59)

        self.run(tmp_path, scenario)

    def test_append_with_title_renames(self, tmp_path: Path) -> None:
        """A title is kept until another one comes, with events or without."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), events_of(1, 1))
            rename = Append(
                conversation="a", events=[], updated_ms=5, title="B", open_turns=1
            )
            await store.append([append_of("a", 2, 3, updated_ms=4), rename])
            expected = record_of("a", head=3, updated_ms=5, title="B", open_turns=1)
            assert await store.get("a") == expected
            await store.append([append_of("a", 4, 4, updated_ms=6)])
            expected = record_of("a", head=4, updated_ms=6, title="B")
            assert await store.get("a") == expected
            await store.append([append_of("a", 5, 5, updated_ms=7, title="")])
            assert await store.get("a") == record_of(
                "a", head=5, updated_ms=7, title=""
            )
            assert await store.read("a", 0) == events_of(1, 5)

        self.run(tmp_path, scenario)

    def test_append_that_does_not_continue_is_refused(self, tmp_path: Path) -> None:
        """A number that is skipped or used is an error to see, and changes nothing."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), events_of(1, 4))
            before = await store.get("a")
            for part in (
                append_of("a", 6, 6),
                append_of("a", 4, 4),
                append_of("a", 1, 1),
                append_of("a", 3, 5),
                Append(conversation="a", events=_with_gap(5), updated_ms=9, title="X"),
            ):
                error = await refusal(store.append([part]))
                assert error.code == "store_conflict"
                assert not error.retryable
            assert await store.get("a") == before
            assert await store.read("a", 0) == events_of(1, 4)
            await store.append([append_of("a", 5, 6)])
            assert await store.read("a", 0) == events_of(1, 6)

        self.run(tmp_path, scenario)

    def test_append_to_unknown_conversation_is_refused(self, tmp_path: Path) -> None:
        """Neither an id that never was nor a deleted one can be written to."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("gone"), events_of(1, 1))
            assert await store.delete("gone")
            for part in (
                append_of("never", 1, 1),
                append_of("gone", 2, 2),
                Append(conversation="gone", events=[], updated_ms=1),
            ):
                error = await refusal(store.append([part]))
                assert error.code == "store_conflict"
                assert not error.retryable
            assert await store.read("gone", 0) == []

        self.run(tmp_path, scenario)

    def test_event_data_is_opaque(self, tmp_path: Path) -> None:
        """Any bytes come back as they were: empty, binary, as large as allowed."""

        async def scenario(store: Store) -> None:
            data = [b"", b"\x00\xff\xfe'\"\n", bytes(range(256)) * 1_024, b"null"]
            events = [StoredEvent(seq, each) for seq, each in enumerate(data, 1)]
            await store.create(record_of("a"), events[:1])
            await store.append(
                [Append(conversation="a", events=events[1:], updated_ms=1)]
            )
            assert await store.read("a", 0) == events
            assert all(type(event.data) is bytes for event in await store.read("a", 0))

        self.run(tmp_path, scenario)

    def test_data_is_copied(self, tmp_path: Path) -> None:
        """What a caller does to its buffer afterwards is not seen."""

        async def scenario(store: Store) -> None:
            buffer = bytearray(b"before")
            events = [StoredEvent(1, buffer)]  # pyright: ignore[reportArgumentType]
            await store.create(record_of("a"), [])
            await store.append([Append(conversation="a", events=events, updated_ms=1)])
            buffer[:] = b"after!"
            events.clear()
            (await store.read("a", 0)).clear()
            assert await store.read("a", 0) == [StoredEvent(1, b"before")]

        self.run(tmp_path, scenario)

    # Batches

    def test_batch_is_all_or_nothing(self, tmp_path: Path) -> None:
        """One wrong part keeps all parts of its batch from being written."""

        async def scenario(store: Store) -> None:
            for name in ("a", "b", "c"):
                await store.create(record_of(name), events_of(1, 1))
            good = append_of("a", 2, 9, title="Changed", open_turns=1)
            for wrong in (append_of("b", 3, 3), append_of("nobody", 1, 1)):
                for batch in ([good, wrong, append_of("c", 2, 2)], [wrong, good]):
                    await refusal(store.append(batch))
            for name in ("a", "b", "c"):
                assert await store.get(name) == record_of(name, head=1)
                assert await store.read(name, 0) == events_of(1, 1)
            await store.append([good, append_of("b", 2, 2), append_of("c", 2, 2)])
            assert [len(await store.read(name, 0)) for name in "abc"] == [9, 2, 2]

        self.run(tmp_path, scenario)

    def test_batch_may_name_a_conversation_twice(self, tmp_path: Path) -> None:
        """Its parts count in their order; the last one's record stays."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), [])
            await store.append(
                [
                    append_of("a", 1, 2, updated_ms=1, title="T", open_turns=5),
                    append_of("a", 3, 3, updated_ms=2),
                ]
            )
            expected = record_of("a", head=3, updated_ms=2, title="T")
            assert await store.get("a") == expected
            await refusal(store.append([append_of("a", 4, 4), append_of("a", 4, 4)]))
            assert await store.get("a") == expected
            assert await store.read("a", 0) == events_of(1, 3)

        self.run(tmp_path, scenario)

    def test_conflict_of_one_caller_spares_the_others(self, tmp_path: Path) -> None:
        """Appends that wait together fail one by one."""

        async def scenario(store: Store) -> None:
            names = [f"c{number}" for number in range(30)]
            for name in names:
                await store.create(record_of(name), [])
            outcomes = await asyncio.gather(
                *(
                    store.append([append_of(name, 2 if number % 3 else 1, 2)])
                    for number, name in enumerate(names)
                ),
                return_exceptions=True,
            )
            for number, outcome in enumerate(outcomes):
                expected = 0 if number % 3 else 2
                assert isinstance(outcome, StoreError) == (expected == 0)
                record = await store.get(names[number])
                assert record is not None
                assert record.head == expected
                assert len(await store.read(names[number], 0)) == expected

        self.run(tmp_path, scenario)

    def test_concurrent_appends_lose_nothing(self, tmp_path: Path) -> None:
        """Many tasks write many conversations while others read them."""
        names = [f"c{number}" for number in range(40)]
        length = 50

        async def write(store: Store, name: str) -> None:
            await store.create(record_of(name), [])
            for seq in range(1, length + 1):
                await store.append([append_of(name, seq, seq)])

        async def follow(store: Store, name: str) -> None:
            seen: list[StoredEvent] = []
            while len(seen) < length:
                seen += await store.read(name, len(seen), limit_events=7)
                assert seen == events_of(1, len(seen))
                await asyncio.sleep(0)

        async def scenario(store: Store) -> None:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(write(store, name))
                for name in names[:4]:
                    group.create_task(follow(store, name))
            for name in names:
                assert await read_all(store, name) == events_of(1, length)

        self.run(tmp_path, scenario)

    def test_cancelled_append_leaves_the_store_usable(self, tmp_path: Path) -> None:
        """It was written whole or not at all, and the next right append works."""

        async def scenario(store: Store) -> None:
            await store.create(record_of("a"), [])
            for attempt in range(60):
                before = await _head(store, "a")
                task = asyncio.ensure_future(
                    store.append([append_of("a", before + 1, before + 3)])
                )
                for _ in range(attempt % 6):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
                # Writes are made in their order: this one is behind the cancelled one.
                await refusal(store.append([append_of("a", before + 9, before + 9)]))
                head = await _head(store, "a")
                assert head in (before, before + 3)
                await store.append([append_of("a", head + 1, head + 1)])
            head = await _head(store, "a")
            assert await read_all(store, "a") == events_of(1, head)

        self.run(tmp_path, scenario)

    # Reading in pages

    def test_read_begins_after_a_number(self, tmp_path: Path) -> None:
        """The cursor is the last event a reader has; beyond the head is nothing."""
        self.run(tmp_path, store_reading.after_a_number)

    def test_read_stops_at_its_limits(self, tmp_path: Path) -> None:
        """Neither limit is exceeded, except by a first event that is too large."""
        self.run(tmp_path, store_reading.to_its_limits)

    def test_long_conversation_is_read_whole(self, tmp_path: Path) -> None:
        """Thousands of events, written in groups of many sizes, keep their order."""
        self.run(tmp_path, store_reading.long_conversation)

    # Dropping

    def test_scattered_drops_leave_the_rest(self, tmp_path: Path) -> None:
        """Events go from anywhere in a log; the others keep number and place."""
        self.run(tmp_path, store_dropping.scattered_drops)

    def test_events_are_dropped_with_their_batch(self, tmp_path: Path) -> None:
        """What is dropped may come with the same batch, or be gone already."""
        self.run(tmp_path, store_dropping.dropped_with_their_batch)

    def test_wrong_drops_are_refused(self, tmp_path: Path) -> None:
        """The last event stays, and ranges are in order; else nothing is written."""
        self.run(tmp_path, store_dropping.refused_drops)

    def test_refused_batch_drops_nothing(self, tmp_path: Path) -> None:
        """A batch that is refused drops nothing; one that is written, all it names."""
        self.run(tmp_path, store_dropping.dropped_with_others)

    # Lists

    def test_list_shows_the_latest_of_an_owner_first(self, tmp_path: Path) -> None:
        """Other owners' conversations are never seen; an append moves to the front."""
        self.run(tmp_path, store_listing.latest_first)

    def test_list_pages_are_stable(self, tmp_path: Path) -> None:
        """Whatever is written meanwhile, what was not written to appears once."""
        self.run(tmp_path, store_listing.stable_pages)

    def test_pinned_come_first(self, tmp_path: Path) -> None:
        """Pinned ones lead; archived and deleted ones are lists of their own."""
        self.run(tmp_path, store_listing.pinned_first)

    def test_marks_change_nothing_else(self, tmp_path: Path) -> None:
        """Marks are beside the log, and reading goes forward only."""
        self.run(tmp_path, store_listing.kept_marks)

    # Search

    def test_search_finds_titles_in_any_case(self, tmp_path: Path) -> None:
        """A search is for parts of the title as it reads."""
        self.run(tmp_path, store_search.titles_in_any_case)

    def test_search_finds_messages_in_any_script(self, tmp_path: Path) -> None:
        """A message is found by parts of its words."""
        self.run(tmp_path, store_search.texts_in_any_script)

    def test_search_has_no_syntax(self, tmp_path: Path) -> None:
        """Whatever is typed, there is an answer and no error."""
        self.run(tmp_path, store_search.odd_searches)

    def test_hits_show_where_they_are(self, tmp_path: Path) -> None:
        """A hit comes with the piece of text that has it."""
        self.run(tmp_path, store_search.snippets)

    def test_hits_come_as_a_list(self, tmp_path: Path) -> None:
        """Pinned first, in pages, by their marks."""
        self.run(tmp_path, store_search.search_pages)

    def test_search_follows_changes(self, tmp_path: Path) -> None:
        """A later text replaces one; what is deleted is not found."""
        self.run(tmp_path, store_search.changing_texts)

    def test_old_messages_can_be_added(self, tmp_path: Path) -> None:
        """Messages of before there was a search are found, too."""
        self.run(tmp_path, store_search.old_texts)

    def test_answers_are_unread_at_first(self, tmp_path: Path) -> None:
        """An answer is unread until its owner has read as far."""
        self.run(tmp_path, store_search.answers_unread)

    # Turns and deletion

    def test_unfinished_follows_open_turns(self, tmp_path: Path) -> None:
        """Whatever says last that turns are open decides."""

        async def scenario(store: Store) -> None:
            for name in "bac":
                await store.create(record_of(name, open_turns=1), events_of(1, 1))
            assert await store.unfinished() == ["a", "b", "c"]
            await store.append([append_of("b", 2, 2)])
            assert await store.unfinished() == ["a", "c"]
            await store.append([append_of("b", 3, 3, open_turns=2)])
            assert await store.unfinished() == ["a", "b", "c"]
            await store.append([Append(conversation="b", events=[], updated_ms=1)])
            await store.delete("c")
            assert await store.unfinished() == ["a"]

        self.run(tmp_path, scenario)

    def test_delete_removes_a_conversation_whole(self, tmp_path: Path) -> None:
        """Its id can be used again, for another log; others are not touched."""

        async def scenario(store: Store) -> None:
            for name in ("a", "b"):
                await store.create(record_of(name), events_of(1, 3))
                await store.append([append_of(name, 4, 5)])
            assert await store.delete("a")
            assert not await store.delete("a")
            assert await store.get("a") is None
            assert await store.read("a", 0) == []
            assert await listed(store) == ["b"]
            assert await store.read("b", 0) == events_of(1, 5)
            again = record_of("a", log="0dd" * 10)
            await store.create(again, events_of(1, 1))
            await store.append([append_of("a", 2, 2)])
            assert await store.read("a", 0) == events_of(1, 2)
            assert await store.get("a") == replace(again, head=2, updated_ms=2_000)

        self.run(tmp_path, scenario)

    # Opening and closing

    def test_closed_store_says_so(self, tmp_path: Path) -> None:
        """Before and after, there is one clear error; closing twice is fine."""

        async def check_refusals(store: Store) -> None:
            for attempt in (
                store.create(record_of("b"), []),
                store.append([append_of("a", 2, 2)]),
                store.read("a", 0),
                store.get("a"),
                store.list("ada"),
                store.delete("a"),
                store.unfinished(),
                store.search("ada", "a"),
                store.mark("a", Marks(pinned=True)),
                store.deleted_before(1),
                store.unindexed(),
                store.index("a", [], is_whole=True),
            ):
                error = await refusal(attempt)
                assert error.code == "store_closed"
                assert not error.retryable

        async def scenario() -> None:
            store = self.make_store(tmp_path)
            await check_refusals(store)
            await store.close()
            store = self.make_store(tmp_path)
            await store.open()
            await store.create(record_of("a"), events_of(1, 1))
            await asyncio.gather(store.close(), store.close())
            await store.close()
            await check_refusals(store)

        asyncio.run(scenario())

    def test_close_waits_for_what_was_accepted(self, tmp_path: Path) -> None:
        """Appends under way when a store is closed are made, and their callers told."""
        names = [f"c{number}" for number in range(20)]

        async def scenario() -> None:
            store = self.make_store(tmp_path)
            await store.open()
            for name in names:
                await store.create(record_of(name), [])
            appends = [
                asyncio.ensure_future(store.append([append_of(name, 1, 5)]))
                for name in names
            ]
            await asyncio.sleep(0)
            await store.close()
            await asyncio.gather(*appends)
            if not self.persistent:
                return
            store = self.make_store(tmp_path)
            await store.open()
            for name in names:
                assert await store.read(name, 0) == events_of(1, 5)
            await store.close()

        asyncio.run(scenario())

    def test_reopened_store_goes_on(self, tmp_path: Path) -> None:
        """A persistent store has everything after it was closed and opened again."""
        if not self.persistent:
            return
        lengths = {"a": 3, "b": 2_500, "c": 0}

        async def write(store: Store) -> None:
            for name, length in lengths.items():
                await store.create(record_of(name, title=f"Title {name}"), [])
                part = append_of(name, 1, length, open_turns=length % 2)
                await store.append([part])

        async def check_and_append(store: Store) -> None:
            for name, length in lengths.items():
                record = await store.get(name)
                assert record is not None
                assert (record.head, record.title) == (length, f"Title {name}")
                assert await read_all(store, name) == events_of(1, length)
                await refusal(store.append([append_of(name, length, length)]))
                await store.append([append_of(name, length + 1, length + 1)])
                lengths[name] += 1

        async def check_unfinished(store: Store) -> None:
            assert await store.unfinished() == ["a"]

        for scenario in (write, check_unfinished, check_and_append, check_and_append):
            self.run(tmp_path, scenario)

    # Everything at once

    def test_random_operations_agree_with_a_model(self, tmp_path: Path) -> None:
        """Whatever is done in whatever order, the store answers as plain dicts do."""
        for seed in range(4):
            folder = tmp_path / str(seed)
            folder.mkdir()
            model = StoreModel(random.Random(seed))  # noqa: S311 - the same on each run
            for _ in range(3 if self.persistent else 1):
                self.run(folder, model.act_and_compare)


def _with_gap(first: int = 1) -> list[StoredEvent]:
    return [*events_of(first, first), *events_of(first + 2, first + 2)]


async def _head(store: Store, conversation: str) -> int:
    record = await store.get(conversation)
    assert record is not None
    return record.head
