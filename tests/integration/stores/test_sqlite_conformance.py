from collections.abc import Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from streamchat_nb.conversation import journal
from streamchat_nb.conversation.sqlite import SqliteStore
from streamchat_nb.conversation.store import Append, Store
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


class PromptStore(SqliteStore):
    """Appends at once what it can, as a log does."""

    @override
    async def append(self, batch: Sequence[Append]) -> None:
        names = {part.conversation for part in batch}
        is_plain = all(part.is_plain for part in batch) and len(names) == len(batch)
        if is_plain and self.append_now(batch):
            await self.sync()
        else:
            await super().append(batch)


class TestSqliteStoreThatAppendsAtOnce(TestSqliteStore):
    @override
    def make_store(self, folder: Path) -> Store:
        return PromptStore(folder / "conversations.sqlite3")


class TestSqliteStoreWithSmallJournal(TestSqliteStoreThatAppendsAtOnce):
    @pytest.fixture(autouse=True)
    def small_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "FILE_BYTES", 400)
