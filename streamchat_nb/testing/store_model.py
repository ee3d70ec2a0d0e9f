"""A store of plain dicts, to compare a real one with under random operations."""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

import random
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from streamchat_nb.conversation.store import (
    Append,
    ConversationRecord,
    Store,
    StoredEvent,
)
from streamchat_nb.errors import Conflict
from streamchat_nb.testing.store_samples import events_of, kept, record_of, refusal

__all__ = ["StoreModel"]


class StoreModel:
    """The truth that a store is compared with, and the dice that drive both.

    Args:
        dice: Decides what is done; the same seed does the same again.
    """

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.clock_ms = 0
        self.records: dict[str, ConversationRecord] = {}
        self.events: dict[str, list[StoredEvent]] = {}

    async def act_and_compare(self, store: Store) -> None:
        """Do random things to ``store`` and this model; compare after each."""
        for _ in range(150):
            self.clock_ms += self.dice.randrange(3)
            name = self.dice.choice("abcdef")
            action = self.dice.choice(
                (self._create, *(self._append,) * 8, self._delete)
            )
            await action(store, name)
            await self._compare(store, name)
        for name in "abcdef":
            await self._compare(store, name)

    async def _create(self, store: Store, name: str) -> None:
        record = record_of(
            name,
            owner=self.dice.choice(("ada", "bob")),
            updated_ms=self.clock_ms,
            open_turns=self.dice.randrange(2),
        )
        events = self._events(0)
        try:
            await store.create(record, events)
        except Conflict:
            assert name in self.records
        else:
            assert name not in self.records
            self.records[name] = replace(record, head=len(events))
            self.events[name] = list(events)

    async def _append(self, store: Store, _: str) -> None:
        records, events = dict(self.records), {**self.events}
        is_right = True
        batch: list[Append] = []
        for name in self.dice.choices("abcdef", k=self.dice.randrange(1, 4)):
            offset = self.dice.choice((0,) * 12 + (-1, 1))
            head = records[name].head if name in records else 0
            part = Append(
                conversation=name,
                events=[*self._events(head + offset)],
                updated_ms=self.clock_ms,
                title=self.dice.choice((None, None, f"Title {self.clock_ms}")),
                open_turns=self.dice.randrange(2),
            )
            part = msgspec.structs.replace(
                part, dropped=self._dropped(head + len(part.events))
            )
            batch.append(part)
            is_right &= name in records and not (offset and part.events)
            if is_right:
                records[name] = replace(
                    records[name],
                    head=head + len(part.events),
                    updated_ms=part.updated_ms,
                    title=records[name].title if part.title is None else part.title,
                    open_turns=part.open_turns,
                )
                events[name] = kept([*events[name], *part.events], part.dropped)
        if is_right:
            await store.append(batch)
            self.records, self.events = records, events
        else:
            assert (await refusal(store.append(batch))).code == "store_conflict"

    async def _delete(self, store: Store, name: str) -> None:
        assert await store.delete(name) == (name in self.records)
        self.records.pop(name, None)
        self.events.pop(name, None)

    async def _compare(self, store: Store, name: str) -> None:
        assert await store.get(name) == self.records.get(name)
        after = self.dice.randrange(40)
        expected = [each for each in self.events.get(name, []) if each.seq > after]
        assert await store.read(name, after) == expected
        assert await store.unfinished() == sorted(
            record.id for record in self.records.values() if record.open_turns
        )
        owned = [record for record in self.records.values() if record.owner == "ada"]
        owned.sort(key=lambda record: (record.updated_ms, record.id), reverse=True)
        assert await store.list("ada") == owned

    def _dropped(self, head: int) -> list[tuple[int, int]]:
        """Return up to two ranges below ``head``, now and then."""
        if head < 6 or self.dice.random() < 0.7:  # noqa: PLR2004 - room for two
            return []
        a, b, c, d = sorted(self.dice.sample(range(1, head), 4))
        return self.dice.choice([[(a, b), (c, d)], [(c, c)], [(a, d)]])

    def _events(self, head: int) -> Sequence[StoredEvent]:
        return events_of(head + 1, head + self.dice.choice((0, 1, 1, 1, 2, 9)))
