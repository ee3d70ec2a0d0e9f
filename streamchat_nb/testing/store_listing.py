"""How a store must list conversations.

Scenarios for an open store that knows none of the conversations yet; run by
``streamchat_nb.testing.store_conformance``.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

from dataclasses import replace

from streamchat_nb.conversation.store import ListPosition, Marks, Store
from streamchat_nb.testing.store_samples import append_of, events_of, record_of

__all__ = ["kept_marks", "latest_first", "listed", "pinned_first", "stable_pages"]


async def latest_first(store: Store) -> None:
    """Other owners' conversations are never seen; an append moves to the front."""
    for number, name in enumerate("abcde"):
        await store.create(record_of(name, updated_ms=number // 2), [])
    await store.create(record_of("x", owner="bob", updated_ms=9), [])
    assert await listed(store) == ["e", "d", "c", "b", "a"]
    await store.append([append_of("b", 1, 1, updated_ms=7)])
    assert await listed(store) == ["b", "e", "d", "c", "a"]
    assert await listed(store, limit=2) == ["b", "e"]
    assert [record.id for record in await store.list("bob")] == ["x"]
    assert await store.list("nobody") == []


async def stable_pages(store: Store) -> None:
    """Whatever is written meanwhile, what was not written to appears once."""
    names = [f"c{number:02}" for number in range(40)]
    for number, name in enumerate(names):
        await store.create(record_of(name, updated_ms=number // 4), [])
    seen: list[str] = []
    before: ListPosition | None = None
    written = 0
    while page := await store.list("ada", limit=7, before=before):
        seen += [record.id for record in page]
        before = page[-1].position
        written += 1
        await store.append([append_of(names[written], 1, 1, updated_ms=100 + written)])
        await store.create(record_of(f"new{written}", updated_ms=200), [])
    untouched = set(names) - set(names[1 : written + 1])
    assert untouched <= set(seen)
    assert len(seen) == len(set(seen))


async def pinned_first(store: Store) -> None:
    """Pinned ones lead; archived ones and those in the trash are lists of their own."""
    for number, name in enumerate("abcdefg"):
        await store.create(record_of(name, updated_ms=number), [])
    for name, marks in {
        "b": Marks(pinned=True),
        "e": Marks(pinned=True),
        "c": Marks(archived=True),
        "f": Marks(archived=True, pinned=True),
        "d": Marks(deleted_ms=50),
        "g": Marks(deleted_ms=40, archived=True),
    }.items():
        assert await store.mark(name, marks)
    assert await listed(store) == ["f", "e", "b", "c", "a"]
    assert await listed(store, archived=False) == ["e", "b", "a"]
    assert await listed(store, archived=True) == ["f", "c"]
    assert await listed(store, deleted=True) == ["g", "d"]
    seen: list[str] = []
    before: ListPosition | None = None
    while page := await store.list("ada", limit=1, before=before):
        seen += [record.id for record in page]
        before = page[-1].position
    assert seen == ["f", "e", "b", "c", "a"]
    assert await store.deleted_before(40) == []
    assert await store.deleted_before(41) == ["g"]
    assert await store.deleted_before(99) == ["g", "d"]
    assert await store.deleted_before(99, limit=1) == ["g"]
    assert await store.mark("g", Marks(deleted_ms=0))
    assert await store.deleted_before(99) == ["d"]
    assert await listed(store, archived=True) == ["f", "g", "c"]


async def kept_marks(store: Store) -> None:
    """Marks change nothing else and stay through appends; reading goes forward only."""
    assert not await store.mark("nobody", Marks(pinned=True))
    await store.create(record_of("a"), events_of(1, 4))
    assert await store.mark("a", Marks(pinned=True, read_seq=3))
    expected = record_of("a", head=4, pinned=True, read_seq=3)
    assert await store.get("a") == expected
    assert await store.mark("a", Marks(archived=True, read_seq=2))
    assert await store.mark("a", Marks(pinned=False))
    expected = replace(expected, archived=True, pinned=False)
    assert await store.get("a") == expected
    assert await store.mark("a", Marks())
    await store.append([append_of("a", 5, 5), append_of("a", 6, 6, updated_ms=9)])
    expected = replace(expected, head=6, updated_ms=9)
    assert await store.get("a") == expected
    assert await store.list("ada") == [expected]


async def listed(
    store: Store,
    *,
    archived: bool | None = None,
    deleted: bool = False,
    limit: int = 50,
) -> list[str]:
    """Return the ids of the records of ``ada``."""
    records = await store.list("ada", archived=archived, deleted=deleted, limit=limit)
    return [record.id for record in records]
