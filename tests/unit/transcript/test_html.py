from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from streamchat_nb.protocol.content import ImageDisplay, TableDisplay, TextDisplay
from streamchat_nb.transcript.html import Theme, to_html, to_page
from tests.unit.transcript.html_check import problems_of
from tests.unit.transcript.samples import (
    LOGS,
    Story,
    attached_story,
    png,
    recorded,
    said,
    story_of_everything,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_recorded_conversation_is_made_of_plain_elements(log: Path) -> None:
    state = recorded(log)
    html = to_html(state)
    assert problems_of(html) == []
    for message in state.messages:
        for block in message.blocks:
            if message.role == "assistant" and block.kind == "thinking":
                assert block.text not in html


def test_everything_has_its_place() -> None:
    html = to_html(story_of_everything())
    assert problems_of(html) == []
    places = [
        html.index(part)
        for part in (
            "<h3>Sales in spring</h3>",
            "<strong>Ada</strong>",
            "&nbsp;&nbsp;&nbsp;&nbsp;(the table `sales`)",
            "<strong>Agent</strong>",
            "preview(name=&quot;sales&quot;, rows=3)</code> (0.4 s)",
            "&quot;rows&quot;: 3",
            "April  12",
            ">May</td>",
            "2 of 1,000 rows",
            'alt="Sales by month"',
            "<h4>Result</h4>",
            "<strong>rose</strong>",
            "sales.plot()",
            "the report (reports.example)</a>",
            "Links: ",
            "Suggested next: “Plot it”",
            "while True:",
            "This answer was stopped.",
            "This answer is not finished yet.",
        )
    ]
    assert places == sorted(places)
    assert "And this one too." not in html


def test_what_a_page_would_typeset_is_apart_unless_it_is_a_formula() -> None:
    html = to_html(said(r"$x^2$ costs $5, not \$6. \begin{x} $\input{y}$"))
    assert "<p>$x^2$ costs <span>$</span>5, not <span>$</span>6." in html
    assert r"<span>\</span>begin{x}" in html
    assert re.search(r"<code [^>]*>\$\\input\{y\}\$</code>", html)


def test_fence_that_is_open_swallows_nothing() -> None:
    html = to_html(said("~~~\nhalf", partial=True))
    assert problems_of(html) == []
    assert "<strong>the end</strong>" in html


@pytest.mark.parametrize(
    ("theme", "colour"),
    [("auto", "inherit"), ("light", "#1d2129"), ("dark", "#e6e8ec")],
)
def test_theme_brings_its_colours(theme: Theme, colour: str) -> None:
    story = Story()
    story.ask('Is "color:inherit" kept?')
    story.answer('`color:inherit"`')
    html = to_html(story.state, theme=theme)
    assert problems_of(html) == []
    assert ("background-color:#" in html) == (theme != "auto")
    assert set(re.findall(r';color:([^";]+)"', html)) == {colour}
    assert html.count("color:inherit&quot;") == 2


def test_long_conversation_is_cut_in_the_middle() -> None:
    story = Story()
    for number in range(60):
        story.ask(f"Question {number}?")
        story.answer(f"Answer {number}: " + "word " * 2_000)
    html = to_html(story.state, limit_bytes=100_000)
    assert 60_000 < len(html.encode()) <= 100_000
    assert problems_of(html) == []
    assert "Question 0?" in html
    assert "Answer 59:" in html
    assert "Question 30?" not in html
    assert html.count("too long to be shown") == 1


def test_default_limit_holds_for_what_grows_when_it_is_written() -> None:
    story = Story()
    story.ask("More?")
    story.answer("|a|b|\n|-|-|\n" + "|||\n" * 20_000, *["&<>" * 30_000] * 4)
    html = to_html(story.state)
    assert len(html.encode()) <= 1_000_000
    assert problems_of(html) == []


def test_what_a_tool_gave_is_cut() -> None:
    story = Story()
    story.ask("Go")
    table = TableDisplay(
        columns=[f"c{at}" for at in range(50)],
        rows=[[f"r{row}c{at}" for at in range(50)] for row in range(300)],
        total_rows=5_000,
    )
    story.use_tool(
        "dump",
        {"code": "x" * 50_000},
        "y" * 300_000,
        table,
        TextDisplay(text="\n".join(f"line {at}" for at in range(10_000))),
        TableDisplay(columns=[], rows=[], total_rows=0),
        ImageDisplay(media_type="image/png", data="bm90IGEgcGljdHVyZQ==", alt="Fake"),
        ImageDisplay(media_type="image/png", data=png(), alt='A "plot"'),
    )
    html = to_html(story.state)
    assert problems_of(html) == []
    assert len(html) < 400_000
    for words in (
        "characters left out",
        "9,600 lines left out",
        "100 of 5,000 rows, 30 of 50 columns",
        "An empty table",
        "[Fake]",
        'alt="A &quot;plot&quot;"',
    ):
        assert words in html
    assert html.count("<img") == 1


def test_page_stands_alone() -> None:
    page = to_page(said("# Heading\n\nWords."), theme="dark")
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'; img-src data:" in page
    assert '<meta name="color-scheme" content="dark">' in page
    assert "<h1>A story</h1>" in page
    assert "<h2>Heading</h2>" in page
    body = page.split("<body>")[1].split("</body>")[0]
    assert problems_of(body) == []


def test_what_was_shared_and_attached_is_named() -> None:
    html = to_html(attached_story().state)
    assert problems_of(html) == []
    folded = html[html.index("<details") : html.index("</details>")]
    assert "Shared data: <code" in folded
    assert "month,sales\nApril,12" in folded
    assert "[Image: plot.png]" in html
    assert "[Document: report.pdf]" in html
