"""How a store must find conversations by what is said in them.

Scenarios for an open store that knows none of the conversations yet; run by
``streamchat_nb.testing.store_conformance``.
"""

# ruff: noqa: S101 - assert is how a test speaks, shipped or not

import msgspec

from streamchat_nb.conversation.search import MARKED_CHARACTERS, MessageText
from streamchat_nb.conversation.store import Append, ListPosition, Marks, Store
from streamchat_nb.testing.store_samples import append_of, events_of, record_of, refusal

__all__ = [
    "answers_unread",
    "changing_texts",
    "found",
    "odd_searches",
    "old_texts",
    "search_pages",
    "snippets",
    "texts_in_any_script",
    "titles_in_any_case",
]


async def titles_in_any_case(store: Store) -> None:
    """A search is for parts of the title as it reads, with no wildcard in it."""
    titles = {
        "a": "Straße nach Köln",
        "b": "100% of sales_2026",
        "c": "ΟΔΥΣΣΕΎΣ",
        "d": "Cafe\u0301 'quoted' \\ \U0001f40d",
        "e": "",
    }
    searches = {
        "": "edcba",
        "  ": "edcba",
        "STRASSE": "a",
        "köLN": "a",
        "koln strasse": "a",
        "köln nirgends": "",
        "%": "b",
        "_": "b",
        "s_": "b",
        "οδυσσευς": "c",
        "CAFÉ": "d",
        "cafe": "d",
        "'QUOTED' \\": "d",
        "\U0001f40d": "d",
        "of": "b",
        "nothing": "",
    }
    for name, title in titles.items():
        await store.create(record_of(name, title=title), [])
    for text, expected in searches.items():
        assert await found(store, text) == list(expected), text
    rename = Append(conversation="e", events=[], updated_ms=5_000, title="Köln")
    await store.append([rename])
    assert await found(store, "KÖLN") == ["e", "a"]
    assert await found(store, "KÖLN", owner="bob") == []


async def texts_in_any_script(store: Store) -> None:
    """A message is found by parts of its words, in any case, accent and script."""
    texts = {
        "a": "The Quick brown fox; naïve café, Ελλάδα",
        "b": "これは東京タワーです",
        "c": "привет, ёлка — ÅNGSTRÖM",
        "d": "한국어 문장입니다 and שָׁלוֹם",
    }
    searches = {
        "quick FOX": "a",
        "uic": "a",
        "ow": "a",
        "naive": "a",
        "ΕΛΛΑΔΑ": "a",
        "東京": "b",
        "京": "b",
        "東京タワー": "b",
        "ЁЛКА": "c",
        "елка": "c",
        "angstrom": "c",
        "한국": "d",
        "문장입니다": "d",
        "שלום": "d",
        "quick 東京": "",
    }
    for name, text in texts.items():
        await store.create(record_of(name), [])
        part = append_of(name, 1, 1, updated_ms=1)
        await store.append(
            [msgspec.structs.replace(part, texts=[MessageText("m1", 1, text)])]
        )
    for text, expected in searches.items():
        assert await found(store, text) == list(expected), text


async def odd_searches(store: Store) -> None:
    """A search is data: whatever is typed, there is an answer and no error."""
    text = 'say "hello" AND (NOT x) NEAR/2 col:umn * ^a; DROP TABLE text -- 1\\n'
    await store.create(record_of("a", title="Plain"), [])
    part = append_of("a", 1, 1)
    await store.append(
        [msgspec.structs.replace(part, texts=[MessageText("m1", 1, text)])]
    )
    for search in (
        '"hello"',
        '"',
        '""',
        "AND",
        "(not x)",
        "NEAR/2",
        "col:umn",
        "*",
        "^a;",
        "drop table",
        "--",
        "\\n",
    ):
        assert (await found(store, search) == ["a"]) == all(
            word in text.lower() for word in search.lower().split()
        ), search
    for search in ("'", "%", "OR", "\0", "\ud83d", "x" * 5_000, "a b " * 500, "}{"):
        assert await found(store, search) in ([], ["a"])


async def snippets(store: Store) -> None:
    """A hit shows where it is: the latest message that has all words."""
    await store.create(record_of("a", title="Apples, and pears"), [])
    long = "word " * 60 + "the Apple of\nmy éye " + "more " * 60
    texts = [
        MessageText("m1", 1, "Apple eye, first"),
        MessageText("m2", 2, long, is_answer=True),
        MessageText("m3", 3, "no fruit"),
    ]
    await store.append([append_of("a", 1, 3, texts=texts)])
    (hit,) = await store.search("ada", "apple EYE")
    assert hit.record.id == "a"
    assert hit.title == ["", "Apple", "s, and pears"]
    assert hit.message == "m2"
    assert hit.snippet[1::2] == ["Apple", "éye"]
    assert hit.snippet[2] == " of my "
    assert hit.snippet[0].startswith("…")
    assert hit.snippet[-1].endswith("…")
    assert len("".join(hit.snippet)) <= MARKED_CHARACTERS + len("……")
    (hit,) = await store.search("ada", "pears")
    assert (hit.title[1], hit.snippet, hit.message) == ("pears", [], "")


async def search_pages(store: Store) -> None:
    """Hits come as a list does: pinned first, in pages, by their marks."""
    for number, name in enumerate("abcde"):
        await store.create(record_of(name), [])
        part = append_of(name, 1, 1, updated_ms=number)
        await store.append(
            [msgspec.structs.replace(part, texts=[MessageText("m", 1, "same words")])]
        )
    await store.mark("b", Marks(pinned=True))
    await store.mark("c", Marks(deleted_ms=5))
    await store.mark("d", Marks(archived=True))
    assert await found(store, "same") == ["b", "e", "d", "a"]
    assert await found(store, "same", archived=False) == ["b", "e", "a"]
    assert await found(store, "same", deleted=True) == ["c"]
    seen: list[str] = []
    before: ListPosition | None = None
    while page := await store.search("ada", "wor", limit=3, before=before):
        seen += [hit.record.id for hit in page]
        before = page[-1].record.position
    assert seen == ["b", "e", "d", "a"]


async def changing_texts(store: Store) -> None:
    """A later text of a message replaces it; a deleted conversation is not found."""
    await store.create(record_of("a"), events_of(1, 1))
    part = append_of("a", 2, 2, texts=[MessageText("m1", 2, "before")])
    await store.append([part, append_of("a", 3, 3, texts=part.texts[:0])])
    assert await found(store, "before") == ["a"]
    edited = append_of("a", 4, 4, texts=[MessageText("m1", 4, "afterwards")])
    await refusal(store.append([edited, append_of("a", 9, 9)]))
    assert await found(store, "before") == ["a"]
    assert await found(store, "afterwards") == []
    await store.append([edited])
    assert await found(store, "before") == []
    assert await found(store, "afterwards") == ["a"]
    assert await store.delete("a")
    assert await found(store, "afterwards") == []
    await store.create(record_of("a"), [])
    assert await found(store, "afterwards") == []


async def old_texts(store: Store) -> None:
    """Messages of before can be added, in parts; newer ones and marks stay."""
    await store.create(record_of("a"), events_of(1, 8))
    newer = [MessageText("m2", 9, "edited since")]
    await store.append([append_of("a", 9, 9, texts=newer)])
    old = [
        MessageText("m1", 1, "long ago", is_answer=True),
        MessageText("m2", 2, "was"),
    ]
    await store.index("a", old[:1], is_whole=False)
    await store.index("a", old, is_whole=True)
    await store.index("nobody", old, is_whole=True)
    assert await found(store, "long ago") == ["a"]
    assert await found(store, "was") == []
    assert await found(store, "edited") == ["a"]
    record = await store.get("a")
    assert record is not None
    assert not record.unread
    assert await store.unindexed() == []


async def answers_unread(store: Store) -> None:
    """An answer is unread until its owner has read as far; a question never is."""
    await store.create(record_of("a"), events_of(1, 1))
    question = MessageText("m1", 2, "Question")
    answer = MessageText("m2", 4, "Answer", is_answer=True)
    await store.append([append_of("a", 2, 3, texts=[question])])
    record = await store.get("a")
    assert record is not None
    assert not record.unread
    await store.append([append_of("a", 4, 5, texts=[answer])])
    for read_seq, is_unread in ((0, True), (3, True), (4, False), (2, False)):
        await store.mark("a", Marks(read_seq=read_seq))
        (record,) = await store.list("ada")
        assert record.answer_seq == answer.seq
        assert record.unread == is_unread
    assert record == await store.get("a")


async def found(
    store: Store,
    text: str,
    *,
    owner: str = "ada",
    archived: bool | None = None,
    deleted: bool = False,
) -> list[str]:
    """Return the ids of what is found."""
    hits = await store.search(owner, text, archived=archived, deleted=deleted)
    return [hit.record.id for hit in hits]
