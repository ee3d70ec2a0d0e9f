from pathlib import Path

import pytest
from typing_extensions import override

from streamchat_nb.conversation import sqlite_tables
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.store import Store
from streamchat_nb.testing.store_conformance import StoreConformance


class TestSqliteStore(StoreConformance):
    persistent = True

    @override
    def make_store(self, folder: Path) -> Store:
        return SqliteStore(folder / "conversations.sqlite3")


class TestSqliteStoreWithRollbackJournal(TestSqliteStore):
    @override
    def make_store(self, folder: Path) -> Store:
        return SqliteStore(folder / "conversations.sqlite3", wal=False)


class TestSqliteStoreThatSortsOften(TestSqliteStore):
    @pytest.fixture(autouse=True)
    def sort_often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_tables, "RECENT_EVENTS", 5)
