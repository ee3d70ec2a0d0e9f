from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamchat_nb.transcript.html_text import write_html
from streamchat_nb.transcript.markdown import to_markdown
from streamchat_nb.transcript.markdown_tree import parse_markdown
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
def test_recorded_conversation_has_its_headings_alone(log: Path) -> None:
    markdown = to_markdown(recorded(log))
    nodes = parse_markdown(markdown)
    levels = [int(node.tag[1:]) for node in nodes if node.type == "heading"]
    assert levels[0] == 1
    assert set(levels[1:]) <= {2}
    assert problems_of(write_html(nodes, below=0)) == []


def test_everything_is_written_in_plain_words() -> None:
    markdown = to_markdown(story_of_everything())
    for part in (
        (
            "# Sales in spring\n\n## Ada\n\n> How did sales go?\\\n"
            "> &nbsp;&nbsp;&nbsp;&nbsp;(the table \\`sales\\`)\n\n## Agent\n\n"
            '- Used `preview(name="sales", rows=3)` (0.4 s)\n\n'
            "  ```\n  month  sales\n  April  12\n  May    15\n  ```\n"
        ),
        (
            "**sales**\n\n| month | sales |\n|---|---|\n| April | 12 |\n| May | "
            "15 |\n\n"
            "*2 of 1,000 rows*\n"
        ),
        f"![Sales by month](data:image/png;base64,{png(240, 120)})",
        (
            "### Result\n\nSales **rose** by 25 %:\n\n1. April: \\$12\n2. May: "
            "\\$15\n\n"
            "```python\nsales.plot()\n```\n\nThe mean is $\\frac{12+15}{2}$, see "
            "[the report](https://reports.example/spring) (reports.example).\n\n"
            "Links: [Report](https://reports.example/spring) (reports.example)\n\n"
            "Suggested next: “Plot it”\n\n## Ada"
        ),
        "```python\nwhile True:\n```\n\n*This answer was stopped.*\n\n## Ada",
    ):
        assert part in markdown


def test_pictures_are_only_named_where_they_cannot_be_read() -> None:
    markdown = to_markdown(story_of_everything(), pictures=False)
    assert "data:" not in markdown
    assert "*\\[Picture: Sales by month]*" in markdown


def test_short_result_stands_on_the_line_of_its_tool() -> None:
    story = Story()
    story.ask("Go")
    story.use_tool("count", {}, "42")
    story.use_tool("count", {"a": None}, "no\n`such`\nthing", status="error")
    markdown = to_markdown(story.state)
    assert "- Used `count()` (0.4 s) → `42`" in markdown
    assert "- `count(a=null)` reported an error (0.4 s)\n\n  ```\n  no\n" in markdown


def test_long_result_and_long_conversation_are_cut() -> None:
    story = Story()
    for _ in range(20):
        story.ask("Go")
        story.use_tool("dump", {"x": "y" * 9_000}, "\n".join(map(str, range(9_000))))
        story.answer("word " * 1_000)
    markdown = to_markdown(story.state)
    assert "lines left out" in markdown
    assert len(markdown) < 150_000
    short = to_markdown(story.state, limit_bytes=20_000)
    assert len(short.encode()) <= 20_000
    assert "too long to be shown" in short
    assert short.endswith(markdown[-2_000:])


def test_open_fence_of_a_partial_answer_swallows_nothing() -> None:
    markdown = to_markdown(said("````\nhalf ```", partial=True), level=3)
    html = write_html(parse_markdown(markdown), below=0)
    assert "<em>This answer was stopped.</em>" in html
    assert "<strong>the end</strong>" in html
    assert html.startswith("<h3>A story</h3>\n<h4>Ada</h4>")


def test_thinking_is_a_quotation_on_request() -> None:
    state = recorded(next(log for log in LOGS if log.stem == "all_blocks"))
    assert "*Thought:*\n\n> Hmm, a plot." in to_markdown(state, thinking=True)


def test_what_was_shared_and_attached_is_named() -> None:
    markdown = to_markdown(attached_story().state)
    assert "*Shared data:* `sales`\n\n```\nsales: 2 rows\n" in markdown
    assert "*\\[Image: plot.png]*" in markdown
    assert "*\\[Document: report.pdf]*" in markdown
