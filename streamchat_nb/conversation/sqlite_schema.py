"""The schema of the SQLite store, and how a file of an older one becomes of this one.

``text`` has the messages that can be searched, and ``text_index`` the three-character
pieces of them, where SQLite was built with what makes it: it only narrows down what a
search reads, so that a file without it, or with a part of it, has the same answers.
"""

import sqlite3
from contextlib import suppress

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "create_tables",
    "has_text_index",
    "upgrade_tables",
]

APPLICATION_ID = 0x5C8A7B01
"""Marks a file as ours, in SQLite's header."""
SCHEMA_VERSION = 3

_CONVERSATION = (
    """CREATE TABLE conversation (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        log TEXT NOT NULL,
        owner TEXT NOT NULL,
        title TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        head INTEGER NOT NULL,
        open_turns INTEGER NOT NULL,
        pinned INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0,
        deleted_ms INTEGER NOT NULL DEFAULT 0,
        read_seq INTEGER NOT NULL DEFAULT 0,
        answer_seq INTEGER NOT NULL DEFAULT 0,
        is_indexed INTEGER NOT NULL DEFAULT 1
    )""",
    "CREATE INDEX conversation_owner ON conversation (owner)",
    # A key is never used twice: what the index may still say of an old one finds
    # nothing.
    """CREATE TABLE text (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation INTEGER NOT NULL,
        message TEXT NOT NULL,
        seq INTEGER NOT NULL,
        body TEXT NOT NULL,
        is_indexed INTEGER NOT NULL,
        UNIQUE (conversation, message)
    )""",
)
_EVENT = """CREATE TABLE event (
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID"""
_TEXT_INDEX = """CREATE VIRTUAL TABLE text_index USING fts5(
    folded, content='', tokenize='trigram case_sensitive 1', detail=none, columnsize=0
)"""
# Of versions 1 and 2: events waited in ``recent`` before they came into ``event``, and
# views showed conversations as if they had.
_WITHOUT_RECENT = (
    """INSERT INTO event (conversation, seq, data)
        SELECT conversation, seq, data FROM recent ORDER BY conversation, seq""",
    """UPDATE conversation SET (head, updated_ms, open_turns) =
            (SELECT head, updated_ms, open_turns FROM latest WHERE conversation = key)
        WHERE key IN (SELECT conversation FROM recent)""",
    "DROP VIEW conversation_now",
    "DROP VIEW latest",
    "DROP TABLE recent",
)
_FROM_VERSION_1 = (
    *_WITHOUT_RECENT,
    "DROP INDEX conversation_owner",
    "ALTER TABLE conversation RENAME TO conversation_before",
    *_CONVERSATION,
    """INSERT INTO conversation (key, id, log, owner, title, created_ms, updated_ms,
            head, open_turns, is_indexed)
        SELECT key, id, log, owner, title, created_ms, updated_ms, head, open_turns, 0
        FROM conversation_before""",
    "DROP TABLE conversation_before",
)
_UPGRADES = {1: _FROM_VERSION_1, 2: _WITHOUT_RECENT}


def create_tables(connection: sqlite3.Connection) -> None:
    """Fill an empty database with empty tables, in one transaction."""
    identity = f"PRAGMA application_id = {APPLICATION_ID}"
    _run(connection, _EVENT, *_CONVERSATION, identity)
    _create_text_index(connection)


def upgrade_tables(connection: sqlite3.Connection) -> None:
    """Bring a database of an older version to this one, in one transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        _run(connection, *_UPGRADES[version])
    _create_text_index(connection)


def has_text_index(connection: sqlite3.Connection) -> bool:
    """Return whether there is an index of texts that this build of SQLite can use."""
    try:
        connection.execute("SELECT rowid FROM text_index WHERE text_index MATCH 'abc'")
    except sqlite3.OperationalError:
        return False
    return True


def _create_text_index(connection: sqlite3.Connection) -> None:
    """Make the index where it is missing; SQLite may be built without what it takes."""
    table = "SELECT 1 FROM sqlite_master WHERE name = 'text_index'"
    if connection.execute(table).fetchone() is None:
        with suppress(sqlite3.OperationalError):
            connection.execute(_TEXT_INDEX)


def _run(connection: sqlite3.Connection, *statements: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in (*statements, f"PRAGMA user_version = {SCHEMA_VERSION}"):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
