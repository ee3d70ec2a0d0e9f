from __future__ import annotations

import asyncio
import sqlite3
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from streamchat_nb.errors import ToolError
from streamchat_nb.protocol.content import Action
from streamchat_nb.tools.actions import usable_actions
from streamchat_nb.tools.contacts import (
    DELAY_VARIABLE,
    ContactIndex,
    read_contacts,
    search_contacts,
)
from streamchat_nb.tools.tool import ToolContext, ToolResult

INDEXES = [
    ContactIndex(read_contacts()),
    ContactIndex(read_contacts(), full_text=False),
]


@pytest.fixture(params=INDEXES, ids=["full text", "scan"])
def index(request: pytest.FixtureRequest) -> ContactIndex:
    return request.param


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DELAY_VARIABLE, "0")


def names(index: ContactIndex, query: str, limit: int = 5) -> list[str]:
    return [contact.name for contact in index.search(query, limit=limit)]


def search(query: str, limit: int = 5) -> ToolResult:
    return asyncio.run(search_contacts(query, limit))


def test_data_is_forty_people_at_addresses_that_belong_to_nobody() -> None:
    people = read_contacts()
    assert len(people) == 40
    assert len({p.name for p in people}) == len({p.mail for p in people}) == 40
    assert all(p.mail.endswith(("@example.com", "@example.org")) for p in people)
    assert all(p.link.startswith("https://example.org/") for p in people)
    assert all(p.city and p.role and p.notes for p in people)


def test_full_text_search_is_there() -> None:
    """The tests below would not notice its absence: the scan finds the same."""
    assert [index.full_text for index in INDEXES] == [True, False]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ada", ["Ada Lovelace"]),
        ("ADA LOVELACE", ["Ada Lovelace"]),
        ("Who is Ada?", ["Ada Lovelace"]),
        ("lovel", ["Ada Lovelace"]),
        ("ada@example.com", ["Ada Lovelace"]),
        ("godel", ["Kurt Gödel"]),
        ("GÖDEL", ["Kurt Gödel"]),
        ("compiler new york", ["Grace Hopper"]),
        ("vienna", ["Kurt Gödel"]),
        ("xyzzy", []),
        ("", []),
        ("?!", []),
    ],
)
def test_search_finds(index: ContactIndex, query: str, expected: list[str]) -> None:
    assert names(index, query) == expected


def test_search_puts_names_before_remarks(index: ContactIndex) -> None:
    assert names(index, "love") == ["Ada Lovelace", "Christopher Strachey"]
    assert names(index, "jose") == ["Joseph Licklider", "Edgar Codd"]


def test_search_where_nobody_has_all_words_gives_those_with_any(
    index: ContactIndex,
) -> None:
    found = names(index, "ada xyzzy relational")
    assert set(found) == {"Ada Lovelace", "Edgar Codd"}


def test_search_of_filler_words_alone_still_looks_for_them(index: ContactIndex) -> None:
    assert names(index, "the", limit=3) != []


def test_search_keeps_to_its_limit(index: ContactIndex) -> None:
    assert len(names(index, "example", limit=40)) == 40
    assert len(names(index, "example", limit=7)) == 7


def test_search_has_a_length(index: ContactIndex) -> None:
    assert len(index) == 40


@pytest.mark.parametrize(
    "query",
    ['"', "ada*", "ada AND", "NEAR(a, b)", "name:ada", "-ada", "^ada", "(", "%", "_"],
)
def test_search_knows_no_special_characters(index: ContactIndex, query: str) -> None:
    assert len(names(index, query)) <= 5


@given(st.text())
def test_search_takes_any_text(query: str) -> None:
    for index in INDEXES:
        assert len(names(index, query, limit=3)) <= 3


@given(st.text("abcdeinorst öÜé'-\".", max_size=12))
def test_search_matches_the_same_both_ways(query: str) -> None:
    full_text, scan = (set(names(index, query, limit=40)) for index in INDEXES)
    assert full_text == scan


def test_search_from_many_threads() -> None:
    index = ContactIndex(read_contacts())
    wrong: list[list[str]] = []

    def work() -> None:
        for _ in range(200):
            found = names(index, "ada")
            if found != ["Ada Lovelace"]:
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_index_without_full_text_search_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(sqlite3.Connection):
        @override
        def execute(self, sql: str, /, *_: object) -> sqlite3.Cursor:
            raise sqlite3.OperationalError(f"no such module: fts5 in {sql}")

    real = sqlite3.connect

    def connect(name: str, *, check_same_thread: bool) -> sqlite3.Connection:
        return real(name, factory=Plain, check_same_thread=check_same_thread)

    monkeypatch.setattr(sqlite3, "connect", connect)
    index = ContactIndex(read_contacts())
    assert not index.full_text
    assert names(index, "ada") == ["Ada Lovelace"]


@pytest.mark.usefixtures("at_once")
def test_tool_tells_all_about_a_contact() -> None:
    output = search("ada").output
    assert output.startswith(
        "Found 1 contact:\n\n- **Ada Lovelace**, Analyst, London, "
    )
    assert "[ada@example.com](mailto:ada@example.com)" in output
    assert output.endswith("[Profile](https://example.org/people/ada-lovelace)")


@pytest.mark.usefixtures("at_once")
def test_tool_offers_a_mail_and_the_profile() -> None:
    assert search("ada").actions == (
        Action(
            kind="button",
            label="Draft a mail to Ada Lovelace",
            send="Draft a mail to Ada Lovelace <ada@example.com>",
        ),
        Action(
            kind="link",
            label="Profile of Ada Lovelace",
            href="https://example.org/people/ada-lovelace",
        ),
    )


@pytest.mark.usefixtures("at_once")
def test_tool_offers_few_actions_and_only_usable_ones() -> None:
    result = search("example", 20)
    assert result.output.startswith("Found 20 contacts:")
    assert len(result.actions) == 6
    assert usable_actions(result.actions) == list(result.actions)


@pytest.mark.usefixtures("at_once")
def test_tool_without_a_match_says_so() -> None:
    result = search("xyzzy")
    assert result.status == "ok"
    assert "No contact matches 'xyzzy'" in result.output
    assert result.actions == ()


@pytest.mark.usefixtures("at_once")
def test_tool_without_a_query_says_what_to_give() -> None:
    result = search("  ")
    assert result.status == "error"
    assert "The query is empty" in result.output


@pytest.mark.usefixtures("at_once")
def test_tool_reports_progress() -> None:
    reports: list[tuple[str, float | None]] = []
    context = ToolContext(
        conversation="c",
        turn="t",
        tool_call="x",
        report=lambda text, fraction: reports.append((text, fraction)),
        is_cancelled=lambda: False,
    )
    asyncio.run(search_contacts.call({"query": "ada"}, context))
    assert reports == [("searching 40 contacts", 0.0), ("1 of 40 match", 1.0)]


def test_tool_is_described_for_a_model() -> None:
    schema = search_contacts.input_schema
    assert set(schema["properties"]) == {"query", "limit"}
    assert schema["properties"]["limit"]["default"] == 5
    assert schema["required"] == ["query"]
    assert search_contacts.label == "Using search_contacts…"


def test_tool_takes_the_time_that_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DELAY_VARIABLE, "0.05")
    began = time.monotonic()
    search("ada")
    assert time.monotonic() - began >= 0.05


def test_tool_takes_a_moment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DELAY_VARIABLE, raising=False)
    began = time.monotonic()
    search("ada")
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize("value", ["soon", "-1", "11", "nan"])
def test_tool_with_a_wrong_delay_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(DELAY_VARIABLE, value)
    with pytest.raises(ToolError, match=f"{DELAY_VARIABLE} must be a number"):
        search("ada")
