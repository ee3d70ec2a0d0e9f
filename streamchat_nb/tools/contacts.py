"""The demonstration tool: an address book of computing history, searched in full text.

The people are real and gone, the addresses are not: ``example.com`` and
``example.org`` belong to nobody.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import sqlite3
import threading
import unicodedata
import weakref
from importlib.resources import files
from typing import Annotated

import msgspec

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import Action
from streamchat_nb.tools.decorator import tool
from streamchat_nb.tools.tool import ToolContext, ToolResult

__all__ = [
    "DELAY_VARIABLE",
    "Contact",
    "ContactIndex",
    "read_contacts",
    "search_contacts",
]

DELAY_VARIABLE = "STREAMCHAT_NB_DEMO_TOOL_DELAY_S"
"""Environment variable: seconds that a search takes at least, 0 to 10. A search is
over in a millisecond; people are to see what a running tool looks like."""

_DEFAULT_DELAY_S = 0.4
_LONGEST_DELAY_S = 10.0
_MOST_TERMS = 16
_CONTACTS_WITH_ACTIONS = 3
_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a about address an and at contact contacts draft email find for from in is "
        "list mail me of or people person search show tell the to who with write",
    )
)
"""Words of a question, not of a contact."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the address book."""

    name: str
    mail: str
    city: str
    role: str
    notes: str
    link: str


class ContactIndex:
    """Contacts in a full-text index in memory. Safe to use from any thread.

    Args:
        contacts: What to search.
        full_text: Use SQLite's FTS5; where ``False``, or where this SQLite has none,
            every search looks at every contact, which gives the same matches.
    """

    def __init__(self, contacts: list[Contact], *, full_text: bool = True) -> None:
        self._contacts = contacts
        self._lock = threading.Lock()
        self._words = [(_words(c.name), _words(" ".join(_row(c)))) for c in contacts]
        self._database = _full_text_table(contacts) if full_text else None
        if self._database is not None:
            weakref.finalize(self, self._database.close)

    def __len__(self) -> int:
        return len(self._contacts)

    @property
    def full_text(self) -> bool:
        """Whether it searches by SQLite's FTS5."""
        return self._database is not None

    def search(self, query: str, *, limit: int) -> list[Contact]:
        """Return the best matches first.

        Words match from their beginning, without case and accents. All of them must
        match; where nobody has all, those who have any. No character of ``query``
        has a special meaning.
        """
        terms = _terms(query)
        for needed in (len(terms), 1) if terms else ():
            if self._database is None:
                numbers = self._scan(terms, needed)[:limit]
            else:
                joiner = " AND " if needed > 1 else " OR "
                numbers = self._matches(self._database, terms, joiner, limit)
            if numbers:
                return [self._contacts[number] for number in numbers]
        return []

    def _matches(
        self, database: sqlite3.Connection, terms: list[str], joiner: str, limit: int
    ) -> list[int]:
        # A name counts more than a role, a role more than a remark.
        rows = "SELECT rowid FROM contacts WHERE contacts MATCH ? "
        order = "ORDER BY bm25(contacts, 10, 4, 4, 4, 1), rowid LIMIT ?"
        query = joiner.join(f'"{term}"*' for term in terms)
        with self._lock:
            return [row[0] for row in database.execute(rows + order, [query, limit])]

    def _scan(self, terms: list[str], needed: int) -> list[int]:
        """Return who has at least ``needed`` terms, those named like one first."""
        found: list[tuple[int, int]] = []
        for number, (name, words) in enumerate(self._words):
            if sum(_begins(words, term) for term in terms) >= needed:
                found.append((-sum(_begins(name, term) for term in terms), number))
        return [number for _, number in sorted(found)]


def read_contacts() -> list[Contact]:
    """Read the address book of the package."""
    data = files("streamchat_nb.tools").joinpath("contacts.json").read_bytes()
    return msgspec.json.decode(data, type=list[Contact])


@tool
async def search_contacts(
    query: str,
    limit: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5,
    context: ToolContext | None = None,
) -> ToolResult:
    """Search the address book for people by name, role, city or what they did.

    Gives name, role, city, mail address, notes and a link to the profile of each.

    Args:
        query: Words to look for, for example "ada" or "compiler new york".
        limit: How many people to give at most.
        context: Where progress is reported.
    """
    index = _index()
    if context is not None:
        context.progress(f"searching {len(index)} contacts", 0.0)
    await asyncio.sleep(_delay_s())
    if not query.strip():
        return ToolResult(
            output="The query is empty. Give a name, a role, a city or a topic.",
            status="error",
        )
    found = index.search(query, limit=limit)
    if context is not None:
        context.progress(f"{len(found)} of {len(index)} match", 1.0)
    if not found:
        return ToolResult(
            output=f"No contact matches {query.strip()[:100]!r}. Try fewer words: a "
            "name, a role, a city or a topic."
        )
    return ToolResult(output=_listing(found), actions=tuple(_actions(found)))


@functools.cache
def _index() -> ContactIndex:
    return ContactIndex(read_contacts())


def _full_text_table(contacts: list[Contact]) -> sqlite3.Connection | None:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        database.execute(
            "CREATE VIRTUAL TABLE contacts USING fts5(name, role, city, mail, notes, "
            "tokenize = 'unicode61 remove_diacritics 2')"
        )
    except sqlite3.OperationalError:
        database.close()
        return None
    database.executemany(
        "INSERT INTO contacts (rowid, name, role, city, mail, notes) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(number, *_row(contact)) for number, contact in enumerate(contacts)],
    )
    return database


def _row(contact: Contact) -> tuple[str, str, str, str, str]:
    return contact.name, contact.role, contact.city, contact.mail, contact.notes


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).lower()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", plain)


def _begins(words: list[str], term: str) -> bool:
    return any(word.startswith(term) for word in words)


def _terms(query: str) -> list[str]:
    words = _words(query)[:_MOST_TERMS]
    return [word for word in words if word not in _FILLERS] or words


def _delay_s() -> float:
    given = os.environ.get(DELAY_VARIABLE, "")
    try:
        delay_s = float(given) if given else _DEFAULT_DELAY_S
    except ValueError:
        delay_s = -1.0
    if not 0 <= delay_s <= _LONGEST_DELAY_S:
        raise ToolError(
            f"{DELAY_VARIABLE} must be a number of seconds from 0 to "
            f"{_LONGEST_DELAY_S:g}."
        )
    return delay_s


def _listing(contacts: list[Contact]) -> str:
    count = "1 contact" if len(contacts) == 1 else f"{len(contacts)} contacts"
    entries = "\n".join(
        f"- **{contact.name}**, {contact.role}, {contact.city}, "
        f"[{contact.mail}](mailto:{contact.mail}). {contact.notes} "
        f"[Profile]({contact.link})"
        for contact in contacts
    )
    return f"Found {count}:\n\n{entries}"


def _actions(contacts: list[Contact]) -> list[Action]:
    actions: list[Action] = []
    for contact in contacts[:_CONTACTS_WITH_ACTIONS]:
        actions += [
            Action(
                kind="button",
                label=f"Draft a mail to {contact.name}",
                send=f"Draft a mail to {contact.name} <{contact.mail}>",
            ),
            Action(kind="link", label=f"Profile of {contact.name}", href=contact.link),
        ]
    return actions
