import random

from streamchat_nb.conversation.search import MARKED_CHARACTERS, Search, folded


def test_folded_is_the_same_for_what_reads_the_same() -> None:
    assert folded("Straße") == folded("STRASSE")
    assert folded("\ufb01ne \uff38") == "fine x"
    assert folded("Cafe\u0301") == folded("CAFÉ") == "cafe"
    assert folded("ΟΔΥΣΣΕΎΣ") == folded("οδυσσεύς")


def test_folded_keeps_letters_that_signs_make() -> None:
    assert folded("が") != folded("か")
    assert folded("क्ष") != folded("कष")


def test_search_marks_accents_with_their_letter() -> None:
    assert Search("cafe").marked("a cafe\u0301!") == ["a ", "cafe\u0301", "!"]
    assert Search("ss").marked("Maße, Masse") == ["Ma", "ß", "e, Ma", "ss", "e"]


def test_search_marks_hits_that_touch_as_one() -> None:
    assert Search("abc bcd").marked("xabcdx") == ["x", "abcd", "x"]


def test_snippets_are_short_and_whole_whatever_the_text() -> None:
    dice = random.Random(3)  # noqa: S311 - the same on each run
    letters = "ab cé\u0301が京\n😀"
    for _ in range(500):
        text = "".join(dice.choices(letters, k=dice.randrange(900)))
        search = Search("".join(dice.choices(letters, k=3)))
        pieces = search.snippet(text)
        assert len(pieces) % 2 == 1
        shown = "".join(pieces).strip("…")
        assert shown in " ".join(text.split())
        assert len(shown) <= MARKED_CHARACTERS
        if search.words and search.finds(text):
            assert any(folded(hit) in folded(text) for hit in pieces[1::2])
            assert len(pieces) > 1


def test_search_has_an_end_to_its_words() -> None:
    assert len(Search(" ".join(map(str, range(500)))).words) == 16
