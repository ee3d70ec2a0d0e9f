"""How a store must list conversations.

Scenarios for an open store that knows none of the conversations yet; run by
``streamchat_nb.testing.store_conformance``.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

from streamchat_nb.conversation.store import Append, Store
from streamchat_nb.testing.store_samples import append_of, record_of

__all__ = ["latest_first", "listed", "search_in_any_case", "stable_pages"]


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
    before: tuple[int, str] | None = None
    written = 0
    while page := await store.list("ada", limit=7, before=before):
        seen += [record.id for record in page]
        before = (page[-1].updated_ms, page[-1].id)
        written += 1
        await store.append([append_of(names[written], 1, 1, updated_ms=100 + written)])
        await store.create(record_of(f"new{written}", updated_ms=200), [])
    untouched = set(names) - set(names[1 : written + 1])
    assert untouched <= set(seen)
    assert len(seen) == len(set(seen))


async def search_in_any_case(store: Store) -> None:
    """A search is for a part of the title as it reads, with no wildcard in it."""
    titles = {
        "a": "Straße nach Köln",
        "b": "100% of sales_2026",
        "c": "ΟΔΥΣΣΕΎΣ",
        "d": "Cafe\u0301 'quoted' \\ \U0001f40d",
        "e": "",
    }
    searches = {
        "": "edcba",
        "STRASSE": "a",
        "köLN": "a",
        "%": "b",
        "_": "b",
        "s_": "b",
        "οδυσσεύς": "c",
        "CAFÉ": "d",
        "'QUOTED' \\": "d",
        "\U0001f40d": "d",
        "of": "b",
        "nothing": "",
    }
    for name, title in titles.items():
        await store.create(record_of(name, title=title), [])
    for text, expected in searches.items():
        assert await listed(store, search=text) == list(expected), text
    rename = Append(conversation="e", events=[], updated_ms=5_000, title="Köln")
    await store.append([rename])
    assert await listed(store, search="KÖLN") == ["e", "a"]
    found = await store.list("ada", search="köln", limit=1)
    before = (found[0].updated_ms, found[0].id)
    assert await listed(store, search="köln", before=before) == ["a"]
    assert await store.list("bob", search="köln") == []


async def listed(
    store: Store,
    *,
    search: str = "",
    limit: int = 50,
    before: tuple[int, str] | None = None,
) -> list[str]:
    """Return the ids of the records of ``ada``."""
    records = await store.list("ada", search=search, limit=limit, before=before)
    return [record.id for record in records]
