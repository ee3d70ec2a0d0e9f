from __future__ import annotations

import json

import pytest

from streamchat_nb.transcript.hidden import (
    remove_hidden,
    show_controls,
    show_hidden,
    split_hidden,
)
from tests.unit.transcript.samples import corpus


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words\nand\ttabs", "plain words\nand\ttabs"),
        ("a\u202e\u2066b", "a[2 hidden characters]b"),
        ("a\u200bb", "a[1 hidden character]b"),
        ("\x1b[31mred\x00\x7f\x85", "␛[31mred␀␡\ufffd"),
        ("one\r\ntwo\rthree", "one\ntwo␍three"),
        ("\ud800 alone", "[1 hidden character] alone"),
        ("z" + "\u0301" * 20, "z" + "\u0301" * 8 + "[12 hidden characters]"),
        ("👩\u200d💻 ❤\ufe0f नमस्\u200dते", "👩\u200d💻 ❤\ufe0f नमस्\u200dते"),
    ],
)
def test_hidden_characters_are_counted_and_controls_shown(
    text: str, shown: str
) -> None:
    assert show_hidden(text) == shown


def test_stretches_are_the_text() -> None:
    text = "a\u202eb\ue000c"
    stretches = split_hidden(text)
    assert "".join(one.text for one in stretches) == text
    assert [one.hidden for one in stretches] == [False, True, False, True, False]
    assert split_hidden("") == []


def test_label_is_one_line_without_hidden_characters() -> None:
    assert remove_hidden("  two\n lines\u202e\t") == "two lines"


def test_hidden_text_of_the_corpus_is_marked() -> None:
    vectors = json.loads(corpus("own/unicode_smuggling.json"))
    assert len(vectors) > 50
    for vector in vectors:
        if vector["kind"] == "fullwidth":  # seen by everybody
            continue
        shown = show_hidden(vector["text"])
        assert shown != vector["text"], vector["kind"]
        assert show_hidden(shown) == shown, vector["kind"]


def test_terminal_escapes_of_the_corpus_are_pictures() -> None:
    for text in json.loads(corpus("own/ansi.json")):
        shown = show_controls(text)
        assert all(one.isprintable() or one in "\n\t" for one in show_hidden(shown))
        assert ("\x1b" in text) == ("␛" in shown)
