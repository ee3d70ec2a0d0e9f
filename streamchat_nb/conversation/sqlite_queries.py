"""Every query of the SQLite store: what it reads of its tables.

Those that show events, or what follows from them, are given what is ``held`` beside the
tables, as it was before they began. What the tables have got since is newer, and wins.
Nothing here knows a thread or an event loop.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from typing import Any

import msgspec

from streamchat_nb.conversation.held_events import Held, Place
from streamchat_nb.conversation.search import MessageText, Search
from streamchat_nb.conversation.sqlite_schema import has_text_index
from streamchat_nb.conversation.store import (
    ConversationRecord,
    ListPosition,
    SearchHit,
    StoredEvent,
    hit_of,
)
from streamchat_nb.errors import StoreError

__all__ = [
    "list_values",
    "read_deleted_before",
    "read_events",
    "read_hits",
    "read_list",
    "read_places",
    "read_record",
    "read_unfinished",
    "read_unindexed",
]

SEARCH_TIME_S = 10.0
"""How long a search may look."""
CHECKED_EVERY = 10_000
"""After how many of SQLite's steps it is asked whether it still may."""
MOST_TRIGRAMS = 48

_NOW = (
    "WITH held AS (SELECT json_extract(value, '$[0]') AS name, "
    "json_extract(value, '$[1]') AS seq, json_extract(value, '$[2]') AS held_ms, "
    "json_extract(value, '$[3]') AS held_turns FROM json_each(:held)), "
    "conversation_now AS (SELECT key, id, log, owner, title, created_ms, "
    "CASE WHEN seq > head THEN held_ms ELSE updated_ms END AS updated_ms, "
    "CASE WHEN seq > head THEN seq ELSE head END AS head, "
    "CASE WHEN seq > head THEN held_turns ELSE open_turns END AS open_turns, "
    "pinned, archived, deleted_ms, read_seq, answer_seq "
    "FROM conversation LEFT JOIN held ON name = id) "
)
_SELECT_RECORDS = (
    f"{_NOW} SELECT id, log, owner, title, created_ms, "  # noqa: S608 - a constant
    "updated_ms, head, open_turns, "
    "pinned, archived, deleted_ms, read_seq, answer_seq, key FROM conversation_now "
)
_LISTED = (
    "WHERE owner = :owner AND (:archived IS NULL OR archived = :archived) "
    "AND (deleted_ms > 0) = :deleted "
    "AND (pinned, updated_ms, id) < (:pinned, :updated_ms, :id) "
)
_OF_OWNER = (
    "AND (finds(title) OR key IN (SELECT conversation FROM text "
    "WHERE conversation IN (SELECT key FROM conversation WHERE owner = :owner) "
)
_FOUND = _OF_OWNER + "AND finds(body))) "
# What the index gives is looked at all the same: it only says where to look.
_FOUND_BY_INDEX = _FOUND.replace(
    "AND finds(body)",
    "AND (NOT is_indexed OR "
    "key IN (SELECT rowid FROM text_index WHERE text_index MATCH :match)) "
    "AND finds(body)",
)
_ORDER = "ORDER BY pinned DESC, updated_ms DESC, id DESC LIMIT :limit"
_BEYOND_ALL = (2, 0, "")


def _record(row: tuple[Any, ...]) -> ConversationRecord:
    identity, log, owner, title, created_ms, updated_ms, head, open_turns, *marks = row
    pinned, archived, deleted_ms, read_seq, answer_seq, _ = marks
    return ConversationRecord(
        id=identity,
        log=log,
        owner=owner,
        title=title,
        created_ms=created_ms,
        updated_ms=updated_ms,
        head=head,
        open_turns=open_turns,
        pinned=bool(pinned),
        archived=bool(archived),
        deleted_ms=deleted_ms,
        read_seq=read_seq,
        answer_seq=answer_seq,
    )


def _as_json(held: Mapping[str, Held]) -> str:
    """Return what is held as the queries take it."""
    rows = [
        (name, each.head, each.updated_ms, each.open_turns)
        for name, each in held.items()
    ]
    return msgspec.json.encode(rows).decode()


def read_record(
    connection: sqlite3.Connection, conversation: str, held: Mapping[str, Held]
) -> ConversationRecord | None:
    """Return the record of a conversation; see ``Store.get``."""
    row = connection.execute(
        _SELECT_RECORDS + "WHERE id = :id",
        {"id": conversation, "held": _as_json(held)},
    ).fetchone()
    return None if row is None else _record(row)


def list_values(
    owner: str,
    *,
    archived: bool | None,
    deleted: bool,
    limit: int,
    before: ListPosition | None,
    held: Mapping[str, Held],
) -> dict[str, object]:
    """Return what is to be listed as ``read_list`` and ``read_hits`` take it."""
    pinned, updated_ms, identity = before or _BEYOND_ALL
    return {
        "owner": owner,
        "archived": archived,
        "deleted": deleted,
        "limit": limit,
        "pinned": pinned,
        "updated_ms": updated_ms,
        "id": identity,
        "held": _as_json(held),
    }


def read_list(
    connection: sqlite3.Connection, values: dict[str, object]
) -> list[ConversationRecord]:
    """Return records of an owner; see ``Store.list``."""
    rows = connection.execute(_SELECT_RECORDS + _LISTED + _ORDER, values)
    return [_record(row) for row in rows]


def read_hits(
    connection: sqlite3.Connection, text: str, values: dict[str, object]
) -> list[SearchHit]:
    """Return what a search finds; see ``Store.search``.

    Raises:
        StoreError: It took too long (``store_busy``).
    """
    search = Search(text)
    trigrams = search.trigrams()[:MOST_TRIGRAMS]
    found = _FOUND
    if trigrams and has_text_index(connection):
        found = _FOUND_BY_INDEX
        quoted = (trigram.replace('"', '""') for trigram in trigrams)
        values = {**values, "match": " AND ".join(f'"{each}"' for each in quoted)}
    connection.create_function("finds", 1, search.finds, deterministic=True)
    deadline = time.monotonic() + SEARCH_TIME_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, CHECKED_EVERY)
    try:
        rows = connection.execute(_SELECT_RECORDS + _LISTED + found + _ORDER, values)
        return [
            hit_of(search, _record(row), _latest(connection, row[-1], search))
            for row in rows.fetchall()
        ]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise StoreError(
            "The search took too long. Search for longer words.", code="store_busy"
        ) from None
    finally:
        connection.set_progress_handler(None, 0)


def _latest(
    connection: sqlite3.Connection, key: int, search: Search
) -> MessageText | None:
    """Return the latest message of a conversation that a search finds."""
    rows = connection.execute(
        "SELECT message, seq, body FROM text WHERE conversation = ? ORDER BY seq DESC",
        (key,),
    )
    for message, seq, body in rows:
        if search.finds(body):
            rows.close()
            return MessageText(message, seq, body)
    return None


def read_deleted_before(
    connection: sqlite3.Connection, time_ms: int, limit: int
) -> list[str]:
    """Return ids of what is in the trash; see ``Store.deleted_before``."""
    rows = connection.execute(
        "SELECT id FROM conversation WHERE deleted_ms > 0 AND deleted_ms < ? "
        "ORDER BY deleted_ms, id LIMIT ?",
        (time_ms, limit),
    )
    return [identity for (identity,) in rows]


def read_unindexed(connection: sqlite3.Connection, limit: int) -> list[str]:
    """Return ids of what cannot be found yet; see ``Store.unindexed``."""
    rows = connection.execute(
        "SELECT id FROM conversation WHERE NOT is_indexed ORDER BY id LIMIT ?", (limit,)
    )
    return [identity for (identity,) in rows]


def read_unfinished(
    connection: sqlite3.Connection, held: Mapping[str, Held]
) -> list[str]:
    """Return ids of conversations with open turns; see ``Store.unfinished``."""
    rows = connection.execute(
        f"{_NOW} SELECT id FROM conversation_now "  # noqa: S608 - a constant
        "WHERE open_turns > 0 ORDER BY id",
        {"held": _as_json(held)},
    )
    return [identity for (identity,) in rows]


def read_places(
    connection: sqlite3.Connection, conversations: Iterable[str]
) -> dict[str, Place]:
    """Return where those of these conversations stand that the tables have."""
    query = "SELECT log, head FROM conversation WHERE id = ?"
    found = (
        (name, connection.execute(query, (name,)).fetchone()) for name in conversations
    )
    return {name: Place(*row) for name, row in found if row is not None}


def read_events(
    connection: sqlite3.Connection,
    conversation: str,
    after: int,
    limit_events: int,
    limit_bytes: int,
    held: Sequence[StoredEvent],
) -> list[StoredEvent]:
    """Return events of a conversation; see ``Store.read``."""
    rows = connection.execute(
        "SELECT seq, data FROM event WHERE conversation = "
        "(SELECT key FROM conversation WHERE id = ?) AND seq > ? "
        "ORDER BY seq LIMIT ?",
        (conversation, after, limit_events),
    )
    wanted = (event for event in held if event.seq > after)
    events: list[StoredEvent] = []
    total_bytes = last = 0
    for event in merge((StoredEvent(*row) for row in rows), wanted):
        if event.seq == last:  # it was moved into the table meanwhile
            continue
        total_bytes += len(event.data)
        if events and (total_bytes > limit_bytes or len(events) == limit_events):
            rows.close()
            break
        events.append(event)
        last = event.seq
    return events
