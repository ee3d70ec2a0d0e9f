"""How the SQLite store finds what is said, however its file came about."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from streamchat_nb.conversation import sqlite_queries, sqlite_schema
from streamchat_nb.conversation.search import MessageText
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.store import Store
from streamchat_nb.testing import store_search
from streamchat_nb.testing.store_samples import (
    append_of,
    events_of,
    record_of,
    refusal,
)
from streamchat_nb.testing.store_search import found
from tests.integration.stores.running import run

NAME = "conversations.sqlite3"
NO_INDEX = "CREATE VIRTUAL TABLE text_index USING no_such_module()"
# What the first version wrote.
VERSION_1 = """
CREATE TABLE conversation (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    log TEXT NOT NULL, owner TEXT NOT NULL, title TEXT NOT NULL,
    searchable_title TEXT NOT NULL, created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL, head INTEGER NOT NULL, open_turns INTEGER NOT NULL);
CREATE INDEX conversation_owner ON conversation (owner);
CREATE TABLE event (conversation INTEGER NOT NULL, seq INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (conversation, seq)) WITHOUT ROWID;
CREATE TABLE recent (position INTEGER PRIMARY KEY, conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL, data BLOB NOT NULL, updated_ms INTEGER NOT NULL,
    open_turns INTEGER NOT NULL);
CREATE VIEW latest AS SELECT conversation, max(seq) AS head, updated_ms, open_turns
    FROM recent GROUP BY conversation;
CREATE VIEW conversation_now AS
    SELECT key, id, log, owner, title, searchable_title, created_ms,
        coalesce(latest.updated_ms, conversation.updated_ms) AS updated_ms,
        coalesce(latest.head, conversation.head) AS head,
        coalesce(latest.open_turns, conversation.open_turns) AS open_turns
    FROM conversation LEFT JOIN latest ON latest.conversation = key;
PRAGMA application_id = 1552579329;
PRAGMA user_version = 1;
INSERT INTO conversation VALUES (1, 'a', '5eed', 'ada', 'Old Title', 'old title',
    1000, 1000, 1, 0);
INSERT INTO conversation VALUES (2, 'b', '5eed', 'ada', 'Other', 'other', 1, 1, 0, 0);
INSERT INTO event VALUES (1, 1, CAST('{"seq":1}               ' AS BLOB));
INSERT INTO recent VALUES (1, 1, 2, CAST('{"seq":2}               ' AS BLOB), 2000, 1);
"""


async def say(store: SqliteStore, name: str, seq: int, text: str) -> None:
    part = append_of(name, seq, seq)
    texts = [MessageText(f"m{seq}", seq, text)]
    await store.append([msgspec.structs.replace(part, texts=texts)])


SCENARIOS = (
    store_search.titles_in_any_case,
    store_search.texts_in_any_script,
    store_search.odd_searches,
    store_search.snippets,
    store_search.search_pages,
    store_search.changing_texts,
    store_search.old_texts,
    store_search.answers_unread,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_store_without_index_finds_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scenario: Callable[[Store], Awaitable[None]],
) -> None:
    """SQLite may be built without full-text search."""
    monkeypatch.setattr(sqlite_schema, "_TEXT_INDEX", NO_INDEX)
    run(SqliteStore(tmp_path / NAME), scenario)


def test_file_of_the_first_version_keeps_all_and_can_be_searched(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.executescript(VERSION_1)

    async def first(store: SqliteStore) -> None:
        assert store.notice is None
        (a, b) = await store.list("ada")
        assert a == record_of(
            "a", log="5eed", title="Old Title", updated_ms=2000, head=2, open_turns=1
        )
        assert b.id == "b"
        assert await store.read("a", 0) == events_of(1, 2)
        assert await store.unfinished() == ["a"]
        assert await found(store, "title old") == ["a"]
        assert await store.unindexed() == ["a", "b"]
        assert await store.unindexed(limit=1) == ["a"]
        await store.index("a", [MessageText("m1", 1, "of before")], is_whole=False)
        assert await store.unindexed() == ["a", "b"]

    async def second(store: SqliteStore) -> None:
        assert await store.unindexed() == ["a", "b"]
        await store.index("a", [MessageText("m1", 1, "of before")], is_whole=True)
        assert await store.unindexed() == ["b"]
        await say(store, "a", 3, "of now")
        assert await found(store, "before") == ["a"]
        assert await found(store, "now") == ["a"]
        await store.create(record_of("c"), [])
        assert await store.unindexed() == ["b"]

    run(SqliteStore(tmp_path / NAME), first)
    run(SqliteStore(tmp_path / NAME), second)


def test_upgrade_that_is_cut_short_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.executescript(VERSION_1)
    steps = sqlite_schema._UPGRADES[1]
    with monkeypatch.context() as patch:
        patch.setitem(sqlite_schema._UPGRADES, 1, (*steps, "SELECT no_column"))

        async def refused() -> None:
            store = SqliteStore(tmp_path / NAME)
            await refusal(store.open())
            await store.close()

        asyncio.run(refused())

    async def check(store: SqliteStore) -> None:
        assert await found(store, "title") == ["a"]
        assert await store.unindexed() == ["a", "b"]

    run(SqliteStore(tmp_path / NAME), check)


def test_answers_do_not_depend_on_what_was_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file goes between builds of SQLite with an index and without."""

    async def check(store: SqliteStore, expected: list[str]) -> None:
        assert await found(store, "apple") == expected
        assert await found(store, "ap") == expected
        assert await found(store, "apples") == []

    async def without(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        await say(store, "a", 1, "An apple")
        await check(store, ["a"])

    async def with_index(store: SqliteStore) -> None:
        await check(store, ["a"])
        await store.create(record_of("b"), [])
        await say(store, "b", 1, "A pineapple")
        await check(store, ["b", "a"])
        await store.delete("a")
        await check(store, ["b"])

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "_TEXT_INDEX", NO_INDEX)
        run(SqliteStore(tmp_path / NAME), without)
    run(SqliteStore(tmp_path / NAME), with_index)


def test_search_uses_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what may have the word is read, however much else there is."""
    looked_at: list[str] = []

    class Watched(sqlite_queries.Search):
        @override
        def finds(self, text: str) -> bool:
            looked_at.append(text)
            return super().finds(text)

    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a", title="Title"), [])
        for seq in range(1, 301):
            await say(store, "a", seq, f"message number {seq} " + "text " * seq)
        monkeypatch.setattr(sqlite_queries, "Search", Watched)
        (hit,) = await store.search("ada", "number 217")
        assert hit.message == "m217"
        # The title; the one message; the latest ones down to it, for the piece shown.
        assert len(looked_at) <= 1 + 1 + 300 - 216

    run(SqliteStore(tmp_path / NAME), scenario)


def test_search_that_takes_too_long_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(record_of("a"), [])
        for seq in range(1, 200):
            await say(store, "a", seq, "text")
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_queries, "SEARCH_TIME_S", -1.0)
            patch.setattr(sqlite_queries, "CHECKED_EVERY", 1)
            error = await refusal(store.search("ada", "no"))
        assert error.code == "store_busy"
        assert await found(store, "text") == ["a"]

    run(SqliteStore(tmp_path / NAME), scenario)
