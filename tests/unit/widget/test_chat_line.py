from __future__ import annotations

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.widget.chat_line import (
    ChatLine,
    parse_chat_line,
    shared_data,
    shared_words,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ChatLine()),
        (" Who's Ada? ", ChatLine(text="Who's Ada?")),
        ('say "a  b" {x} $y', ChatLine(text='say "a  b" {x} $y')),
        ("-c c_1 hi", ChatLine(conversation="c_1", text="hi")),
        ("--model=m -a x -i y", ChatLine(model="m", agent="x", into="y")),
        ("--code -- --into", ChatLine(code=True, text="--into")),
        ("hi --code", ChatLine(text="hi --code")),
        ("- a list", ChatLine(text="- a list")),
        ("-1 + 2", ChatLine(text="-1 + 2")),
        ("--", ChatLine()),
    ],
)
def test_line_is_options_and_then_words_as_they_are(
    line: str, expected: ChatLine
) -> None:
    assert parse_chat_line(line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--bogus hi", "no option --bogus"),
        ("-x", "no option -x"),
        ("--code=yes hi", "no option --code"),
        ("-m", "-m needs a value"),
        ("-m --code hi", "-m needs a value"),
        ("--model= hi", "--model needs a value"),
        ("-i 1x hi", "cannot be the name"),
        ("-i a.b hi", "cannot be the name"),
    ],
)
def test_line_that_cannot_be_meant_says_why(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_chat_line(line)


NAMES = {
    "__name__": "__main__",
    "df": {"a": 1, "b": 2},
    "größe": [1, 2, 3],
    "pytest": pytest,
    "shared_words": shared_words,
    "_hidden": 1,
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What is in @df?", ["df"]),
        ("@df and @größe, and @df.", ["df", "größe"]),
        ("(@df)", ["df"]),
        ("@nothing @pytest @shared_words @_hidden", []),
        ("ada@df or @df.example or x/@df or @@df", []),
        ("run `@df` or\n```python\n@df\ndef f(): ...\n```\nnow", []),
        ("```\n@df", []),
        ("@df(1)\nclass A: ...", []),
        ("{df} $df", []),
    ],
)
def test_names_of_variables_are_shared_and_nothing_else(
    text: str, names: list[str]
) -> None:
    assert [digest.name for digest in shared_data(text, NAMES)] == names


def test_what_was_shared_is_said_in_a_line() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"city": ["Rome"], "api_key": ["k"]})
    (digest,) = shared_data("@frame", {"frame": frame})
    words = shared_words(digest)
    assert words.startswith("Shared @frame: columns city, ")
    assert f"{len(digest.text)} characters, without api_key." in words
    wide = pandas.DataFrame({f"c{n}": [n] for n in range(20)})
    (digest,) = shared_data("@wide", {"wide": wide})
    assert "c11 and 8 more, " in shared_words(digest)
    (digest,) = shared_data("@df", NAMES)
    assert shared_words(digest) == f"Shared @df: {len(digest.text)} characters."
