from __future__ import annotations

import pytest

from streamchat_nb.protocol.content import DataBlock, TextBlock
from streamchat_nb.server.titles import title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("  two \n lines ", "two lines"),
        ("/ask **What** is `x`?", "What is x?"),
        ("# Heading\n\n- *one*\n2. two", "Heading one two"),
        ("See [the page](https://example.org/a_b) now", "See the page now"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("/usr/bin/env: what is it?", "/usr/bin/env: what is it?"),
        ("/ask", "/ask"),
        ("**", "**"),
        (
            "Explain the difference between lists, and, tuples, in some detail",
            "Explain the difference between lists, and, tuples, in some…",
        ),
        ("x" * 61, "x" * 60 + "…"),
        ("これは" * 21, "これは" * 20 + "…"),
        ("a " + "b" * 80, "a " + "b" * 58 + "…"),
    ],
)
def test_title_is_the_plain_beginning_of_a_message(text: str, title: str) -> None:
    assert title_of([TextBlock(text=text)]) == title


def test_title_of_shared_data_is_its_name() -> None:
    assert title_of([DataBlock(name="df", text="a,b")]) == "df"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["[", "*", "_a", "`", "](", "**a", "\n- ", "[a]("])
def test_title_of_any_text_takes_no_time(piece: str) -> None:
    assert title_of([TextBlock(text=piece * 60_000)])
