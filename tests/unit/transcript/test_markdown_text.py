from __future__ import annotations

import json
import re

import pytest

from streamchat_nb.transcript.html_text import write_html
from streamchat_nb.transcript.markdown_text import (
    as_typed,
    code_span,
    escape_markdown,
    fenced,
    markdown_link,
    write_markdown,
)
from streamchat_nb.transcript.markdown_tree import parse_markdown
from tests.unit.transcript.samples import corpus


def rewritten(text: str, below: int = 0) -> str:
    return write_markdown(parse_markdown(text), below=below)


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, **bold**, *soft*, ~~gone~~ and `code`.",
        "snake_case_name and 3.14 (and so on): yes!",
        "- one\n- two\n  - deep\n\n3. three\n4. four",
        "> quoted\n>\n> ```python\n> x = 1\n> ```",
        "| a | b |\n|:--|--:|\n| 1 | `x\\|y` |",
        "<https://a.example/x>",
        "a\\\nb",
    ],
)
def test_ordinary_answer_stays_as_it_was_written(text: str) -> None:
    assert rewritten(text) == text


def test_open_fence_is_closed_and_longer_than_what_is_in_it() -> None:
    assert rewritten("````md\n```\nx") == "````md\n```\nx\n````"
    assert fenced("a\n`````\nb").startswith("``````\n")


def test_headings_become_deeper_but_not_too_deep() -> None:
    assert rewritten("# One\n\nTwo\n---\n\n###### Six", below=2) == (
        "### One\n\n#### Two\n\n###### Six"
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("\\input{/etc/passwd}", "\\\\input\\{/etc/passwd}"),
        ("`x`{=latex}", "`x`\\{=latex}"),
        ("![a](https://evil.example/x)", "[a](https://evil.example/x) (evil.example)"),
        ("[a](javascript:x) [b]", "a \\[b]"),
        ("\\![a](https://b.example)", "\\![a](https://b.example) (b.example)"),
        ("--- \n---", "* * *\n\n* * *"),
    ],
)
def test_nothing_means_more_than_it_did(text: str, written: str) -> None:
    assert rewritten(text) == written


def test_words_of_others_are_no_markup() -> None:
    assert escape_markdown("# *x*", at_start=True) == "\\# \\*x\\*"
    assert escape_markdown("1. x", at_start=True) == "1\\. x"
    assert escape_markdown("a\nb | c") == "a&#10;b \\| c"
    assert code_span("a`b\nc") == "``a`b c``"
    assert code_span("`") == "`` ` ``"
    assert markdown_link("a]b", "https://c.example/(x)") == (
        "[a&#93;b](https://c.example/%28x%29) (c.example)"
    )


def test_typed_text_keeps_its_lines() -> None:
    written = as_typed("# one\n  two\n\n- three\u202e")
    assert written == (
        "> \\# one\\\n> &nbsp;&nbsp;two\n>\n> \\- three\\[1 hidden character]"
    )
    assert "<h" not in write_html(parse_markdown(written), below=0)


def test_every_example_of_commonmark_means_the_same_when_written_anew() -> None:
    def meaning(html: str) -> str:
        html = re.sub(r" \([a-z.]*example(?:\.[a-z]+)?\)", "", html)
        return re.sub(r"</?p>|\s+", "", html)

    examples = json.loads(corpus("markdown/commonmark_examples.json"))
    assert len(examples) > 600
    differing: list[str] = []
    for example in examples:
        nodes = parse_markdown(example["markdown"])
        again = parse_markdown(write_markdown(nodes, below=0))
        if meaning(write_html(nodes, below=0)) != meaning(write_html(again, below=0)):
            differing.append(example["markdown"])
    # A part of an address that may be no link would be one by itself.
    assert differing == ["<https://foo.bar.`baz>`\n"]
