from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest

from streamchat_nb.errors import UsageError
from streamchat_nb.transcript.archive import from_json
from streamchat_nb.transcript.export import Format, export, mimebundle
from tests.unit.transcript.html_check import problems_of
from tests.unit.transcript.samples import Story, story_of_everything

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", get_args(Format))
def test_file_has_what_is_returned(name: Format, tmp_path: Path) -> None:
    path = tmp_path / f"chat.{name}"
    path.write_text("before")
    text = export(story_of_everything(), name, path)
    assert path.read_text(encoding="utf-8") == text
    assert "Sales in spring" in text
    assert "This one waits." in text
    assert text.endswith("\n")
    assert list(tmp_path.iterdir()) == [path]


def test_formats_are_what_they_say() -> None:
    state = story_of_everything()
    assert export(state, "md").startswith("# Sales in spring\n")
    assert export(state, "txt").startswith("Sales in spring\n===")
    assert export(state, "html").startswith("<!doctype html>")
    assert json.loads(export(state, "ipynb"))["nbformat"] == 4
    assert from_json(export(state, "json")) == state


def test_unknown_format_says_which_there_are() -> None:
    with pytest.raises(UsageError, match='"md", "html", "ipynb", "json", "txt"'):
        export(Story().state, "pdf")  # type: ignore[arg-type]


def test_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "chat.md"
    folder.mkdir()
    with pytest.raises(OSError, match=r"chat\.md"):
        export(story_of_everything(), "md", folder)
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError):
        export(story_of_everything(), "md", tmp_path / "missing" / "chat.md")


def test_output_of_a_cell_is_the_same_in_each_type() -> None:
    bundle = mimebundle(story_of_everything())
    assert list(bundle) == ["text/plain", "text/markdown", "text/html"]
    assert problems_of(bundle["text/html"]) == []
    assert bundle["text/markdown"].startswith("### Sales in spring\n\n#### Ada\n")
    assert "data:image" not in bundle["text/markdown"]
    for text in bundle.values():
        for words in (
            "How did sales go?",
            "2 of 1,000 rows",
            "This answer was stopped.",
        ):
            assert words in text
        assert "And this one too." not in text


def test_output_of_a_cell_is_bounded() -> None:
    story = Story()
    for _ in range(12):
        story.ask("More?")
        story.answer("word " * 40_000)
    for text in mimebundle(story.state).values():
        assert 500_000 < len(text.encode()) <= 1_000_000
    for text in mimebundle(story.state, limit_bytes=50_000).values():
        assert len(text.encode()) <= 50_000
